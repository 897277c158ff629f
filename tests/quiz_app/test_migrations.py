"""Models and migrations agree, and the view has the columns of the contract."""

import os
import shutil
import subprocess
import sys

import flask_migrate
import pytest
import sqlalchemy as sa

from quiz_app.database import db, reading
from quiz_app.exchange.conditions_csv import CONDITIONS
from quiz_app.exchange.responses_csv import DICTIONARY
from quiz_app.models import Reader
from quiz_app.paths import beside

CONTRACT = """
study design reader reader_group sitting trial position block is_training is_repeat case truth source
answer certainty level place chosen realism criterion value onset_at answered_at response_ms client_ms
late zoom_max windowed study_version
"""


def test_models_and_migrations_agree(app):
    flask_migrate.check()  # exits non-zero where a migration is wanting


def test_the_view_has_the_columns_of_the_contract_in_order(app):
    columns = [column["name"] for column in sa.inspect(db.engine).get_columns("responses")]
    assert columns == CONTRACT.split() == list(DICTIONARY)


def test_the_way_down_leads_back_up(app):
    flask_migrate.downgrade(revision="base")
    flask_migrate.upgrade()
    flask_migrate.check()


def test_a_database_from_before_the_marks_goes_on_in_the_middle_of_a_sitting(make_study, invite):
    taker = invite(make_study(practice=0)).enter()
    taker.go_on()
    taker.answer("synthetic")
    db.session.remove()
    flask_migrate.downgrade(revision="0006")
    columns = {column["name"] for column in sa.inspect(db.engine).get_columns("trial")}
    assert "marks_outcome" not in columns
    assert {"mark", "fault", "marks", "faults"}.isdisjoint(sa.inspect(db.engine).get_table_names())
    flask_migrate.upgrade()
    assert taker.claim().trial["position"] == 2
    assert taker.answer().status_code == 200
    with reading() as session:
        told = session.execute(sa.text("SELECT position, answer FROM responses ORDER BY position")).all()
        assert [tuple(row) for row in told] == [(1, "synthetic"), (2, "real")]
        assert session.execute(sa.text("SELECT count(*) FROM marks")).scalar_one() == 0


def test_a_look_at_the_database_cannot_write_and_holds_nobody_up(app):
    with reading() as session:
        session.execute(sa.text("SELECT count(*) FROM study"))
        db.session.execute(sa.text("DELETE FROM event"))
        db.session.commit()


WIDENED = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "9999", {head!r}
def upgrade():
    with op.batch_alter_table("study") as table:
        table.alter_column("title", type_=sa.String(300))
    {more}
"""


@pytest.fixture
def later(tmp_path, app):
    """Makes a migrations folder with one more migration, which changes the table of studies."""

    def make(more=""):
        folder = shutil.copytree(beside("migrations"), tmp_path / "migrations")
        head = reading_head()
        (folder / "versions" / "9999_later.py").write_text(WIDENED.format(head=head, more=more))
        return str(folder)

    return make


def reading_head():
    with reading() as session:
        return session.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()


def test_changing_a_table_deletes_nothing_that_refers_to_it(make_study, invite, later):
    invite(make_study())
    db.session.remove()
    flask_migrate.upgrade(directory=later())
    assert reading_head() == "9999"
    assert db.session.query(Reader).count() == 1


def test_a_migration_that_fails_half_way_changes_nothing(make_study, invite, later):
    invite(make_study())
    before = reading_head()
    db.session.remove()
    with pytest.raises(sa.exc.DatabaseError):
        flask_migrate.upgrade(directory=later("op.execute('INSERT INTO nowhere VALUES (1)')"))
    assert reading_head() == before
    assert db.session.query(Reader).count() == 1
    columns = {column["name"]: column for column in sa.inspect(db.session.connection()).get_columns("study")}
    assert columns["title"]["type"].length == 200


def test_processes_that_start_together_migrate_once(empty_database, tmp_path):
    environment = os.environ | {"DISCERN_INSTANCE": str(tmp_path), "DISCERN_DATABASE_URL": empty_database}
    command = [sys.executable, "-m", "flask", "--app", "quiz_app", "db", "upgrade"]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4, printed


def test_the_view_of_conditions_has_the_columns_of_the_contract_in_order(app):
    columns = [column["name"] for column in sa.inspect(db.engine).get_columns("conditions")]
    assert (
        columns
        == ["study", "reader", "sitting", "trial", "case", "condition", "period", "sequence", "hint"]
        == list(CONDITIONS)
    )
