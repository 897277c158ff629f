"""A study is archived, and restored elsewhere with equal exports; what is no whole archive is refused whole."""

import hashlib
import io
import json
import shutil
import zipfile

import flask_migrate
import pytest
import sqlalchemy as sa

from quiz_app import create_app
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archive, export, responses_csv
from quiz_app.models import Pool, Reader, Study
from quiz_app.settings import Settings
from quiz_app.sittings import start
from quiz_app.study import lifecycle
from tests.databases import let_go
from tests.workers import made_once


@pytest.fixture
def archived(app, owned, invite, tmp_path):
    """The archive of a closed study with two readers, one of them reset; and its responses."""
    study = owned(practice=1, repeats=2)
    for case in study.pool.cases:
        case.labels = {"device": f"maker {case.name[-1]}"}
    for name in ("R1", "R2"):
        invite(study, name).enter().finish()
    start.reset(study.readers[0], "again")
    lifecycle.close(study)
    db.session.commit()
    file = tmp_path / "mine.zip"
    with reading() as session, file.open("wb") as out:
        archive.write(session, session.query(Study).one(), app.config["SETTINGS"].images, out)
        return file, "".join(responses_csv.lines(session, "mine"))


@pytest.fixture
def whole(request, tmp_path_factory):
    """Such an archive, made once."""

    def make(folder):
        file, _ = request.getfixturevalue("archived")
        shutil.copy(file, folder)

    return made_once(tmp_path_factory, "archive", make) / "mine.zip"


@pytest.fixture
def elsewhere(tmp_path, tmp_path_factory):
    """Another, empty installation."""

    def migrate(folder):
        app = create_app(Settings.load({}, instance=folder))
        with app.app_context():
            flask_migrate.upgrade()
            let_go(app)

    shutil.copytree(made_once(tmp_path_factory, "empty", migrate), tmp_path / "elsewhere")
    app = create_app(Settings.load({}, instance=tmp_path / "elsewhere"))
    app.config.update(TESTING=True)
    return app


def changed(file, tmp_path, change):
    """The archive with its members changed by `change`, its sums put right where `archive.json` still has them."""
    with zipfile.ZipFile(file) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    out = tmp_path / "changed.zip"
    with zipfile.ZipFile(out, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return out


def test_a_study_restored_into_an_empty_instance_has_equal_exports(app, archived, elsewhere):
    file, responses = archived
    with reading() as session:
        here = io.BytesIO()
        export.write(session, session.query(Study).one(), here)
    with elsewhere.app_context():
        store = elsewhere.config["SETTINGS"].images
        study = archive.restore(file, store)
        db.session.commit()
        with reading() as session:
            assert "".join(responses_csv.lines(session, "mine")) == responses
            there = io.BytesIO()
            export.write(session, session.query(Study).one(), there)
        assert {case.stored for case in study.pool.cases} == {path.name for path in store.iterdir()}
        seeds = [sitting.seed for reader in study.readers for sitting in reader.sittings]
        assert lifecycle.answers(study) == 30
        db.session.remove()
        db.engine.dispose()
    assert len(seeds) == 3
    with zipfile.ZipFile(here) as one, zipfile.ZipFile(there) as other:
        for name in (
            "responses.csv",
            "trials.csv",
            "readers.csv",
            "cases.csv",
            "settings.csv",
            "dictionary.csv",
            "study.toml",
            "imrmc.csv",
        ):
            assert one.read(name) == other.read(name), name
        # Only that it was restored is new.
        events = one.read("events.csv").decode().splitlines()
        assert other.read("events.csv").decode().splitlines()[:-1] == events


def test_a_study_that_is_here_is_not_restored_a_second_time(app, archived):
    with pytest.raises(InvalidInputError) as faulty:
        archive.restore(archived[0], app.config["SETTINGS"].images)
    assert faulty.value.faults == [
        "study: a study called 'mine' already exists here",
        "study: its readers already exist here",
    ]


def test_a_pool_that_is_here_is_used_as_it_is(app, archived):
    db.session.delete(lifecycle.find("mine"))
    db.session.commit()
    before = sorted(app.config["SETTINGS"].images.iterdir())
    archive.restore(archived[0], app.config["SETTINGS"].images)
    db.session.commit()
    assert db.session.query(Pool).count() == 1
    assert sorted(app.config["SETTINGS"].images.iterdir()) == before
    with reading() as session:
        assert "".join(responses_csv.lines(session, "mine")) == archived[1]


def broken(members):
    members["tables/answer.jsonl"] = members["tables/answer.jsonl"].replace(b'"real"', b'"fake"')


def lacking(members):
    del members["tables/trial.jsonl"]


def climbing(members):
    members["../../evil.png"] = b"x"
    about = json.loads(members["archive.json"])
    about["members"]["../../evil.png"] = {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    members["archive.json"] = json.dumps(about).encode()


def older(members):
    about = json.loads(members["archive.json"]) | {"tables": "0001"}
    members["archive.json"] = json.dumps(about).encode()


def headless(members):
    members["archive.json"] = b"[]"


def empty(members):
    members.clear()
    members["archive.json"] = json.dumps({"format": 1, "tables": head(), "members": {}}).encode()


def head():
    return archive.db.session.scalar(archive.VERSION)


def rewritten(table, **values):
    """An archive whose sums are right, but for one table's rows that were changed."""

    def change(members):
        name = f"tables/{table}.jsonl"
        rows = [json.loads(line) | values for line in members[name].splitlines()]
        members[name] = "".join(f"{json.dumps(row if values else [row])}\n" for row in rows).encode()
        about = json.loads(members["archive.json"])
        about["members"][name] = {"bytes": len(members[name]), "sha256": hashlib.sha256(members[name]).hexdigest()}
        members["archive.json"] = json.dumps(about).encode()

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (empty, "tables/answer.jsonl: missing"),
        (rewritten("trial"), "archive: its rows are not those of a study"),
        (rewritten("study", settings={"limit_s": "soon"}), "limit_s: 'soon' is not a number"),
        (rewritten("study", settings=7), "archive: its rows are not those of a study"),
        (rewritten("study", state="half open"), "archive: its rows are not those of a study"),
        (rewritten("reader", created_at="soon"), "archive: its rows are not those of a study"),
        (rewritten("reader", study_id=99), "archive: its rows are not those of a study"),
        (rewritten("case", stored="../../discern.sqlite"), "archive: its rows are not those of a study"),
        (rewritten("pool", name={"a": 1}), "archive: its rows are not those of a study"),
        (broken, "tables/answer.jsonl: differs from what was archived"),
        (lacking, "tables/trial.jsonl: missing"),
        (climbing, "../../evil.png: is not a valid name in an archive"),
        (older, "archive: its tables have version 0001"),
        (headless, "archive: has no readable archive.json"),
    ],
)
def test_an_archive_that_is_not_whole_is_refused_whole(whole, elsewhere, tmp_path, change, fault):
    with elsewhere.app_context():
        file = changed(whole, tmp_path, change)
    with elsewhere.app_context():
        with pytest.raises(InvalidInputError) as faulty:
            archive.restore(file, elsewhere.config["SETTINGS"].images)
        assert any(line.startswith(fault) for line in faulty.value.faults)
        db.session.rollback()
        counts = [db.session.scalar(sa.select(sa.func.count()).select_from(model)) for model in (Study, Pool, Reader)]
        assert counts == [0, 0, 0]
        assert not list(elsewhere.config["SETTINGS"].images.glob("*"))
        db.session.remove()
        db.engine.dispose()
