"""Marks and known faults go where the answers go: export, archive, mirror, a reader's own copy; and are deleted."""

import csv
import io
import json
import zipfile

import pytest
import sqlalchemy as sa

from generation import known_faults
from quiz_app import create_app
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archive, export, marks_csv, mirror, personal, recovery
from quiz_app.models import Case, Fault, Mark, Outgoing, Pool, Reader, Study, Trial
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import deletion, lifecycle
from tests.databases import let_go, new_database
from tests.firestore import outside

CONTRACT = """
study design reader reader_group sitting trial position block is_training is_repeat place case truth source answer
certainty level mark x y reason rating outcome marked_at late study_version
"""

OF_FAULTS = ["study", "case", "kind", "x", "y", "rx", "ry", "angle"]


@pytest.fixture
def marked(owned, invite):
    """A study in which two readers have marked; settings as keywords."""

    def make(*, close=True, **settings):
        study = owned(**{"practice": 1, "marks": "optional", "marks_rating": True} | settings)
        for name in ("R1", "R2"):
            taker, number = invite(study, name).enter(), 0
            while taker.step["kind"] != "done":
                if taker.step["kind"] == "trial":
                    taker.answer("synthetic" if taker.trial["position"] % 2 else "real")
                elif taker.step["kind"] == "marks":
                    number += 1
                    kinds = ([{"x": 0.1, "rating": 4}, {"y": 0.75, "reason": "roots"}], [{}], [])
                    taker.mark(*kinds[number % 3])
                else:
                    taker.go_on()
        if close:
            lifecycle.close(study)
        db.session.commit()
        return study

    return make


@pytest.fixture
def flawed():
    """The first two synthetic cases of the pool have known faults."""
    cases = db.session.query(Case).filter_by(truth="synthetic").order_by(Case.id).limit(2).all()
    for case in cases:
        case.faults.append(Fault(kind="stripes", x=0.5, y=0.25, rx=0.1, ry=0.2, angle=30.0))
    db.session.commit()
    return [case.name for case in cases]


def handed(slug="mine"):
    file = io.BytesIO()
    with reading() as session:
        export.write(session, session.query(Study).filter_by(slug=slug).one(), file)
    with zipfile.ZipFile(file) as opened:
        return {name: opened.read(name).decode() for name in opened.namelist()}


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_views_have_the_columns_of_the_contract_in_order(app):
    for view, wanted in (
        ("marks", CONTRACT.split()),
        ("faults", OF_FAULTS),
    ):
        assert [column["name"] for column in sa.inspect(db.engine).get_columns(view)] == wanted
    assert list(marks_csv.MARKS) == CONTRACT.split()
    assert list(marks_csv.FAULTS) == OF_FAULTS


def test_after_the_close_marks_and_faults_are_handed_over_and_explained(app, flawed, marked):
    marked()
    files = handed()
    marks = table(files["marks.csv"])
    counts = json.loads(files["manifest.json"])["rows"]
    assert (counts["marks.csv"], counts["faults.csv"]) == (len(marks), 2)
    trials = {row["trial"] for row in marks}
    assert len(trials) == db.session.query(Trial).filter(Trial.marks_outcome.isnot(None)).count() > 6
    assert {row["answer"] for row in marks} == {"synthetic"}
    assert {(row["outcome"], row["mark"] == "0") for row in marks} == {("marked", False), ("nothing", True)}
    two = [row for row in marks if row["mark"] == "2"]
    assert {(row["x"], row["y"], row["reason"], row["rating"]) for row in two} == {("0.5", "0.75", "roots", "")}
    answers = {row["trial"]: row for row in table(files["responses.csv"])}
    for row in marks:
        for name in ("reader", "case", "truth", "source", "level", "late", "position"):
            assert row[name] == answers[row["trial"]][name]
    assert table(files["faults.csv"])[0] == {
        "study": "mine", "case": flawed[0], "kind": "stripes", "x": "0.5", "y": "0.25", "rx": "0.1", "ry": "0.2",
        "angle": "30.0",
    }  # fmt: skip
    explained = {(row["file"], row["column"]) for row in table(files["dictionary.csv"]) if row["meaning"]}
    assert explained >= {("marks.csv", name) for name in marks_csv.MARKS}
    assert explained >= {("faults.csv", name) for name in marks_csv.FAULTS}


def test_before_the_close_marks_tell_no_truth_and_faults_are_not_handed_over(app, flawed, marked):
    marked(close=False)
    files = handed()
    assert {(row["truth"], row["source"]) for row in table(files["marks.csv"])} == {("", "")}
    assert "faults.csv" not in files
    assert "stripes" not in "".join(files.values())


def test_a_study_without_marks_has_no_file_of_them(owned):
    owned()
    assert not {"marks.csv", "faults.csv"} & handed().keys()


def test_an_archive_holds_marks_and_faults(app, flawed, marked, tmp_path):
    marked()
    before = handed()
    file = tmp_path / "mine.zip"
    with reading() as session, file.open("wb") as out:
        archive.write(session, session.query(Study).one(), app.config["SETTINGS"].images, out)
    db.session.remove()
    with new_database() as url:
        elsewhere = create_app(Settings.load({}, instance=tmp_path / "other", database_url=url))
        with elsewhere.app_context():
            import flask_migrate

            flask_migrate.upgrade()
            archive.restore(file, elsewhere.config["SETTINGS"].images)
            db.session.commit()
            after = handed()
            let_go(elsewhere)
    for name in ("marks.csv", "faults.csv", "responses.csv", "dictionary.csv"):
        assert after[name] == before[name]
    assert len(table(after["faults.csv"])) == 2


def test_an_archive_whose_pool_is_here_brings_no_fault_twice(app, flawed, marked, tmp_path):
    study = marked()
    before = handed()
    file = tmp_path / "mine.zip"
    with reading() as session, file.open("wb") as out:
        archive.write(session, session.query(Study).one(), app.config["SETTINGS"].images, out)
    db.session.delete(study)
    db.session.commit()
    assert db.session.query(Mark).count() == 0
    archive.restore(file, app.config["SETTINGS"].images)
    db.session.commit()
    assert db.session.query(Fault).count() == 2
    assert handed()["marks.csv"] == before["marks.csv"]


def test_a_reader_gets_their_marks_and_deletion_takes_them(app, marked):
    marked()
    reader = db.session.query(Reader).filter_by(pseudonym="R1").one()
    told = personal.of(db.session(), reader)
    trials = told["sittings"][0]["trials"]
    given = [mark for trial in trials for shown in trial["cases"] for mark in shown["marks"]]
    assert {"number": 1, "x": 0.1, "y": 0.25, "reason": "teeth", "rating": 4} in given
    assert {trial["marks_outcome"] for trial in trials if "marks_outcome" in trial} == {"marked", "nothing"}
    deletion.delete_reader(reader, "asked for it", app.config["SETTINGS"].instance)
    db.session.commit()
    others = db.session.execute(sa.text("SELECT DISTINCT reader FROM marks")).scalars().all()
    assert others == ["R2"]
    with reading() as session:
        assert session.query(Mark).count() == len(given)


@pytest.fixture
def folder(pool_folder, tmp_path):
    """A pool folder, and a way to write its faults.json."""
    import shutil

    copy = shutil.copytree(pool_folder, tmp_path / "pool")

    def write(faults):
        (copy / known_faults.FILE).write_text(json.dumps({"format": 1, "faults": faults}))
        return copy

    return write


def test_known_faults_come_with_the_pool(app, folder):
    rows = table((folder({}) / "cases.csv").read_text())
    case = next(row["case"] for row in rows if row["truth"] == "synthetic")
    one = {"kind": "stripes", "x": 0.5, "y": 0.6, "rx": 0.1, "ry": 0.2, "angle": 12}
    importing.import_folder(folder({case: [one, one | {"kind": "fused"}]}), app.config["SETTINGS"].images, "flawed")
    db.session.commit()
    pool = db.session.query(Pool).filter_by(slug="flawed").one()
    kept = {case.name: case.faults for case in pool.cases if case.faults}
    assert list(kept) == [case]
    assert [(fault.kind, fault.x, fault.ry, fault.angle) for fault in kept[case]] == [
        ("stripes", 0.5, 0.2, 12),
        ("fused", 0.5, 0.2, 12),
    ]
    db.session.delete(pool)
    db.session.commit()
    assert db.session.query(Fault).count() == 0


def test_everything_wrong_with_known_faults_is_said_at_once_and_nothing_is_kept(app, folder):
    case = table((folder({}) / "cases.csv").read_text())[0]["case"]
    bad = {"kind": "stripes", "x": 1.5, "y": 0.6, "rx": 0.1, "ry": 0.2, "angle": 0}
    before = sorted(app.config["SETTINGS"].images.iterdir())
    with pytest.raises(InvalidInputError) as faulty:
        importing.import_folder(folder({"case-9999": [bad], case: [bad]}), app.config["SETTINGS"].images)
    said = "\n".join(faulty.value.faults)
    assert "case-9999: unknown case" in said
    assert said.count("x is 1.5") == 2
    assert sorted(app.config["SETTINGS"].images.iterdir()) == before


# The mirror


def sent(app):
    worker = mirror.Worker(app)
    worker.begin()
    while worker.send():
        pass
    return outside(app)


def test_the_mirror_has_the_marks_with_their_answer_and_gives_them_back(mirrored, marked, tmp_path):
    marked()
    found = sent(mirrored)
    with_marks = [document for document in found.values() if document["format"] == mirror.WITH_MARKS]
    assert len(with_marks) == db.session.query(Trial).filter(Trial.marks_outcome.isnot(None)).count()
    assert max(len(document["marks"]) for document in with_marks) == 2
    with reading() as session:
        told = recovery.compare(session, found.values())
        assert (told.unsent, told.unknown, told.different) == ([], [], [])
        before = {row["id"]: row for row in mirror.documents(session)}
    marks = table(handed()["marks.csv"])
    db.session.remove()
    with new_database() as url:
        other = create_app(Settings.load({}, instance=tmp_path / "other", database_url=url))
        with other.app_context():
            import flask_migrate

            flask_migrate.upgrade()
            recovery.restore(found.values())
            db.session.commit()
            with reading() as session:
                assert {row["id"]: row for row in mirror.documents(session)} == before
            assert table(handed()["marks.csv"]) == marks
            let_go(other)


def test_an_answer_that_was_sent_is_sent_again_when_its_marks_come(mirrored, owned, invite):
    taker = invite(owned(practice=0, marks="optional")).enter()
    taker.go_on()
    taker.answer("synthetic")
    worker = mirror.Worker(mirrored)
    worker.begin()
    assert worker.send() == 1
    ((_, document),) = outside(mirrored).items()
    assert "marks" not in document
    taker.mark({})
    assert worker.send() == 1
    ((_, document),) = outside(mirrored).items()
    assert [mark["reason"] for mark in document["marks"]] == ["teeth"]
    assert worker.send() == 0


def test_marks_that_come_while_their_answer_is_being_sent_are_sent_later(mirrored, owned, invite, monkeypatch):
    taker = invite(owned(practice=0, marks="optional")).enter()
    taker.go_on()
    taker.answer("synthetic")
    worker = mirror.Worker(mirrored)
    worker.begin()
    read = mirror.documents

    def meanwhile(session, ids):
        found = list(read(session, ids))
        session.rollback()
        monkeypatch.setattr(mirror, "documents", read)
        assert taker.mark({}).status_code == 200
        return found

    monkeypatch.setattr(mirror, "documents", meanwhile)
    assert worker.send() == 1
    assert db.session.query(Outgoing).filter_by(sent_at=None).count() == 1
    assert worker.send() == 1
    ((_, document),) = outside(mirrored).items()
    assert len(document["marks"]) == 1
