"""From SQLite to PostgreSQL: whole, proved, with readers in the middle of their study."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import flask_migrate
import pytest
import sqlalchemy as sa

from quiz_app import clock, create_app, simulation
from quiz_app.database import Base, db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import moving
from quiz_app.models import Answer, Event, Reader, Removal, Sitting, Study
from quiz_app.pools import importing
from quiz_app.settings import Settings
from tests.databases import let_go


@pytest.fixture
def app(tmp_path, pool_folder):
    """The application on SQLite, whatever the other tests run on."""
    app = create_app(Settings.load({}, instance=tmp_path / "instance"))
    app.config.update(TESTING=True)
    with app.app_context():
        flask_migrate.upgrade()
        importing.import_folder(pool_folder, app.config["SETTINGS"].images, "noise")
        db.session.commit()
        yield app
        let_go(app)


@pytest.fixture
def moved(app, empty_postgres):
    """The application on the PostgreSQL database."""
    app = create_app(replace(app.config["SETTINGS"], database_url=empty_postgres))
    yield app
    with app.app_context():
        let_go(app)


def counts():
    return {table.name: db.session.query(table).count() for table in Base.metadata.sorted_tables}


def test_every_row_arrives_and_new_ones_follow(app, moved, empty_postgres, make_study, invite):
    invite(make_study()).enter().finish()
    db.session.add(Removal(answer_id="deleted", queued_at=clock.now()))
    db.session.commit()
    before = counts()
    db.session.remove()
    told = moving.move(app, empty_postgres)
    assert {name: rows for name, (rows, _) in told.items()} == before
    assert (before["answer"], before["removal"]) == (15, 1)
    with moved.app_context():
        assert counts() == before
        study = db.session.query(Study).one()
        assert study.readers[0].sitting.trials[3].onset_at.tzinfo is not None
        db.session.add(Event(at=study.created_at, kind="after", study_id=study.id))
        db.session.commit()
        assert db.session.query(Event).count() == before["event"] + 1


def test_a_study_moved_in_its_middle_is_finished_on_the_other_database(app, moved, empty_postgres, make_study, serve):
    slug = make_study(break_every=5).slug
    db.session.remove()
    server = serve()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(simulation.run, app, slug, 8, url=server.url)
        given = 0
        while given < 12:
            with reading() as session:
                given = session.query(Answer).count()
        moving.move(app, empty_postgres)  # while the server runs: from here on it can acknowledge nothing
        with reading() as session:
            sealed = session.query(Answer).count()
        server.kill()
        server.environment["DISCERN_DATABASE_URL"] = empty_postgres
        server.start()
        with moved.app_context():  # where the simulation's own look-ups would go as well
            outcomes = running.result()
    assert [outcome.refusal for outcome in outcomes] == [""] * 8
    assert 12 <= sealed < 120
    with reading() as session:
        assert session.query(Answer).count() == sealed
    with moved.app_context():
        stored = {answer.id for answer in db.session.query(Answer)}
        assert {saved["id"] for outcome in outcomes for saved in outcome.saved} == stored
        assert len(stored) == 120
        assert all(sitting.finished_at for sitting in db.session.query(Sitting))


def test_the_old_database_is_sealed(app, moved, empty_postgres, make_study, invite):
    taker = invite(make_study()).enter()
    moving.move(app, empty_postgres)
    assert taker.answer().status_code == 503
    db.session.rollback()
    assert db.session.query(Answer).count() == 0


def test_a_target_with_rows_is_refused_and_the_source_goes_on(app, moved, empty_postgres, make_study, invite):
    taker = invite(make_study()).enter()
    with moved.app_context():
        flask_migrate.upgrade()
        db.session.add(Event(at=clock.now(), kind="earlier"))
        db.session.commit()
        db.session.remove()
    db.session.remove()
    with pytest.raises(InvalidInputError, match="event already has rows"):
        moving.move(app, empty_postgres)
    assert taker.answer().status_code == 200
    with moved.app_context():
        assert db.session.query(Reader).count() == 0


def test_a_copy_that_is_not_the_same_is_not_kept(app, moved, empty_postgres, make_study, invite, monkeypatch):
    taker = invite(make_study()).enter()
    db.session.remove()
    whole = moving.checksum
    monkeypatch.setattr(
        moving, "checksum", lambda connection, table: (0, "") if connection.dialect.name != "sqlite" else
        whole(connection, table),
    )  # fmt: skip
    with pytest.raises(InvalidInputError, match="nothing was kept"):
        moving.move(app, empty_postgres)
    assert taker.answer().status_code == 200
    with moved.app_context():
        assert db.session.query(Reader).count() == 0
        db.session.remove()
    db.session.remove()
    monkeypatch.undo()
    assert moving.move(app, empty_postgres)["answer"][0] == 1  # begun again, it goes through


def test_a_checksum_sees_a_single_changed_value(app, make_study):
    make_study()
    table = Base.metadata.tables["study"]
    before = moving.checksum(db.session.connection(), table)
    db.session.query(Study).one().title += "."
    db.session.flush()
    after = moving.checksum(db.session.connection(), table)
    assert before[0] == after[0] == 1
    assert before != after


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///elsewhere", "is not of the form"),
        ("nonsense", "cannot be opened"),
        ("postgresql+psycopg://nobody@127.0.0.1:9/nothing", "cannot be opened"),
    ],
)
def test_an_address_that_leads_nowhere_is_a_clear_error(app, url, reason):
    db.session.remove()
    result = app.test_cli_runner().invoke(args=["db", "move", "--to", url])
    assert result.exit_code == 1
    assert reason in result.output


def test_a_source_that_is_no_sqlite_is_named(moved, empty_postgres):
    with pytest.raises(InvalidInputError, match="is not an SQLite database"):
        moving.move(moved, empty_postgres)


def test_a_database_of_an_older_version_is_named(app, empty_postgres):
    db.session.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    db.session.commit()
    db.session.remove()
    with pytest.raises(InvalidInputError, match="has version 0001"):
        moving.move(app, empty_postgres)


def test_the_command_prints_rows_and_checksums(app, moved, empty_postgres, make_study):
    make_study()
    db.session.remove()
    result = app.test_cli_runner().invoke(args=["db", "move", "--to", empty_postgres])
    assert result.exit_code == 0, result.output
    assert "study\t1 rows\tsha256 " in result.output
