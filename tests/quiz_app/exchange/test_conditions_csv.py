"""The condition of each trial is included wherever the answers go: export, archive and mirror."""

import csv
import io
import zipfile

import flask_migrate
import pytest

from quiz_app import create_app
from quiz_app.database import db, reading
from quiz_app.exchange import archive, export, mirror, recovery
from quiz_app.models import Study
from quiz_app.settings import Settings
from quiz_app.study import lifecycle
from tests.databases import let_go, new_database
from tests.firestore import outside

CONTRACT = ["study", "reader", "sitting", "trial", "case", "condition", "period", "sequence", "hint"]


@pytest.fixture
def crossed_over(conditioned, invite, time):
    """A closed study with two readers: one has read under both conditions, the other only under the first."""
    study = conditioned(washout_days=1)
    takers = [invite(study, name).enter() for name in ("R1", "R2")]
    for taker in takers:
        taker.finish()
    time.forward(24 * 3600)
    first = takers[0]
    for page in ("between", "instructions"):
        assert first.client.post(first.url(page)).status_code == 303
    first.claim().finish()
    db.session.expire_all()
    lifecycle.close(study)
    db.session.commit()
    return study


@pytest.fixture
def elsewhere(tmp_path):
    """Another, empty installation."""
    with new_database() as url:
        app = create_app(Settings.load({}, instance=tmp_path / "elsewhere", database_url=url))
        with app.app_context():
            flask_migrate.upgrade()
        yield app
        with app.app_context():
            let_go(app)


def handed(slug="trial-run"):
    """The rows of conditions.csv in the zip of everything, and the columns they have."""
    file = io.BytesIO()
    with reading() as session:
        export.write(session, session.query(Study).filter_by(slug=slug).one(), file)
    with zipfile.ZipFile(file) as zipped:
        table = csv.DictReader(io.StringIO(zipped.read("conditions.csv").decode()))
        return list(table), table.fieldnames


def test_the_export_says_under_which_condition_each_trial_was_read(app, crossed_over):
    rows, columns = handed()
    assert columns == CONTRACT
    assert len(rows) == 3 * 12
    for name, parts in (("R1", 2), ("R2", 1)):
        mine = [row for row in rows if row["reader"] == name]
        sequence = mine[0]["sequence"].split(">")
        assert sorted(sequence) == ["aided", "alone"]
        assert {(row["period"], row["condition"]) for row in mine} == {
            (str(part), sequence[part - 1]) for part in range(1, parts + 1)
        }
    assert all((row["condition"] == "aided") == bool(row["hint"]) for row in rows)


def test_the_command_writes_the_conditions_beside_the_answers(app, crossed_over, make_study, tmp_path):
    slug = crossed_over.slug
    make_study("plain")
    db.session.remove()
    for study in (slug, "plain"):
        args = ["responses", "export", "--study", study, "--out", str(tmp_path / f"{study}.csv")]
        assert app.test_cli_runner().invoke(args=args).exit_code == 0
    assert not (tmp_path / "plain.conditions.csv").exists()
    with (tmp_path / f"{slug}.conditions.csv").open() as file:
        assert list(csv.DictReader(file)) == handed(slug)[0]
    meanings = (tmp_path / f"{slug}.dictionary.csv").read_text()
    assert all(f"\n{name}," in meanings for name in ("condition", "period", "sequence", "hint"))


def test_an_archive_gives_the_conditions_back(app, crossed_over, elsewhere, tmp_path):
    rows, _ = handed()
    file = tmp_path / "study.zip"
    with reading() as session, file.open("wb") as out:
        archive.write(session, session.query(Study).one(), app.config["SETTINGS"].images, out)
    db.session.remove()
    with elsewhere.app_context():
        study = archive.restore(file, elsewhere.config["SETTINGS"].images)
        db.session.commit()
        assert len(study.hints) == 12
        assert handed()[0] == rows


def test_the_mirror_has_the_conditions_and_gives_them_back(mirrored, crossed_over, elsewhere):
    rows, _ = handed()
    worker = mirror.Worker(mirrored)
    worker.begin()
    while worker.send():
        pass
    found = list(outside(mirrored).values())
    assert {document["format"] for document in found} == {mirror.UNDER_CONDITION}
    assert sorted(
        tuple(str(document[name] or "") for name in ("reader", "case", "period", "condition", "sequence", "hint"))
        for document in found
    ) == sorted(
        tuple(row[name] for name in ("reader", "case", "period", "condition", "sequence", "hint")) for row in rows
    )
    db.session.remove()
    with elsewhere.app_context():
        recovery.restore(found)
        db.session.commit()
        assert handed()[0] == rows
        with reading() as session:
            told = recovery.compare(session, found)
        assert (told.same, told.unsent, told.unknown, told.different) == (len(found), [], [], [])


def test_without_conditions_the_mirror_is_as_it_was(mirrored, make_study, invite):
    invite(make_study(practice=0)).enter().finish()
    with reading() as session:
        documents = list(mirror.documents(session))
    assert {document["format"] for document in documents} == {mirror.FORMAT}
    assert not [name for document in documents for name in ("period", "condition", "hint") if name in document]
