"""What is stored about a reader can be exported and deleted: shown by a search of everything the server stores."""

import json
import subprocess

import pytest
import sqlalchemy as sa

from quiz_app import backups
from quiz_app.database import Base, db
from quiz_app.models import Answer, Reader, Trial
from quiz_app.study import readers
from tests.quiz_app.conftest import Taker

NAME, MAIL, WORDS = "Zanzibar-77", "zanzibar@hospital.example", "eleven years at the clinic of Zwolle"
ADDRESS = "203.0.113.77"


def traces(app, *sought):
    """Where any of `sought` is found: tables of the database, and files of the instance, byte by byte."""
    settings = app.config["SETTINGS"]
    db.session.commit()
    found = []
    for table in Base.metadata.sorted_tables:
        for row in db.session.execute(sa.select(table)).mappings():
            text = json.dumps(dict(row), default=str)
            found += [f"{table.name}: {what}" for what in sought if what in text]
    db.session.rollback()
    for path in settings.instance.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [f"{path.name}: {what}" for what in sought if what.encode() in data]
    return found


@pytest.fixture
def known(app, owner, owned, invite):
    """A reader who has answered everything, and given all details, from a known address; and another reader."""
    study = owned(questions=["Where do you work?"], ask_years=True)
    invite(study, "Other-Reader").client.get("/")
    form = {"pseudonyms": f"pseudonym,group,email\n{NAME},,{MAIL}"}
    assert owner.post("/researcher/studies/mine/readers", data=form).status_code == 200
    reader = db.session.query(Reader).filter_by(pseudonym=NAME).one()
    token = readers.renew(reader, actor="ada")
    db.session.commit()
    taker = Taker(app.test_client(), token)
    taker.client.environ_base["REMOTE_ADDR"] = ADDRESS
    told = {"years": "11", "question-1": WORDS}
    for path, said in (("welcome", {"consent": "yes"}), ("about", told), ("instructions", {})):
        assert taker.client.post(taker.url(path), data=said).status_code == 303
    taker.claim().finish()
    return db.session.query(Reader).filter_by(pseudonym=NAME).one()


def answered(reader):
    """The ids of the reader's answers, and the names of the trials."""
    query = sa.select(Answer.id, Trial.token).join(Answer.trial_case).join(Trial).join(Trial.sitting)
    return [value for row in db.session.execute(query.filter_by(reader_id=reader.id)) for value in row]


def test_no_address_is_kept_anywhere(app, known):
    assert traces(app, NAME) != []
    assert traces(app, ADDRESS) == []


def test_of_a_deleted_reader_nothing_is_left_in_database_files_or_journal(app, owner, known):
    sought = [NAME, MAIL, WORDS, *answered(known)]
    assert len(sought) == 3 + 2 * 15
    number = known.id
    assert all(any(what in trace for trace in traces(app, what)) for what in sought)
    backup = backups.before_migration(app.config["SETTINGS"].instance, "0000")
    page = owner.post(f"/researcher/studies/mine/readers/{number}/delete", data={"reason": "asked for it"})
    assert f"still there: {backup}" in page.text
    backup.unlink()
    assert traces(app, *sought) == []


def test_of_a_reader_who_leaves_with_deletion_the_answers_and_words_are_gone(app, owner, known, invite):
    sought = [MAIL, WORDS, *answered(known)]
    token = readers.renew(known)
    db.session.commit()
    left = app.test_client().post(f"/r/{token}/leave", data={"answers": "delete"})
    assert left.status_code == 303
    assert traces(app, *sought) == []


def test_an_export_has_everything_of_a_reader_and_no_truth(app, known, tmp_path):
    sought = [NAME, MAIL, WORDS, *answered(known)]
    out = tmp_path / "mine.json"
    run = app.test_cli_runner().invoke
    assert run(args=["reader", "export", "--study", "mine", NAME, "--out", str(out)]).exit_code == 0
    text = out.read_text("utf-8")
    told = json.loads(text)
    assert [what for what in sought if what not in text] == []
    assert len(told["sittings"][0]["trials"]) == 15
    assert {event["kind"] for event in told["log"]} >= {"reader-invited", "consented", "sitting-finished"}
    for hidden in ("truth", "source-of-the-pool", "Other-Reader", known.token_hash):
        assert hidden not in text
    assert run(args=["reader", "export", "--study", "mine", "nobody"]).exit_code == 1


def test_deleted_rows_of_postgresql_are_gone_from_a_dump(app, owner, known, tmp_path):
    if db.engine.dialect.name != "postgresql":
        pytest.skip("of PostgreSQL")
    number = known.id
    assert owner.post(f"/researcher/studies/mine/readers/{number}/delete", data={"reason": "x"}).status_code == 200
    address = app.config["SETTINGS"].database_url.replace("+psycopg", "")
    dump = subprocess.run(["pg_dump", address], capture_output=True, text=True, check=True).stdout
    for what in (NAME, MAIL, WORDS):
        assert what not in dump
