"""The copy in Firestore, against an independent emulator: every acknowledged answer, exactly once, whatever dies."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
from google.api_core import exceptions
from google.auth.exceptions import RefreshError

from quiz_app import create_app, simulation
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import mirror
from quiz_app.exchange import recovery as archive
from quiz_app.models import Answer, Outgoing
from quiz_app.study import lifecycle
from tests.databases import let_go, new_database
from tests.firestore import answer_all, let_the_lease_lapse, outside, status, until
from tests.server import free_port


def test_every_answer_is_copied_under_its_own_id_and_names_only_the_pseudonym(mirrored, worker, make_study):
    ids = answer_all(mirrored, make_study, 2, groups=["young"])
    assert status()["waiting"] == 30
    worker().start()
    until(lambda: status()["waiting"] == 0)
    found = outside(mirrored)
    assert sorted(found) == sorted(ids)
    assert {document["reader"] for document in found.values()} == {"sim-001", "sim-002"}
    health = mirrored.test_client().get("/healthz").get_json()["mirror"]
    assert (health["waiting"], health["sent"], health["last_error"]) == (0, 30, "")


def test_an_answer_that_is_not_kept_is_not_queued(mirrored, make_study, invite):
    taker = invite(make_study(practice_feedback=False)).enter()
    assert taker.answer().status_code == 200
    assert taker.answer("maybe").status_code == 422
    assert db.session.query(Outgoing).count() == db.session.query(Answer).count() == 1


def test_without_credentials_nothing_is_queued_and_later_everything_is(app, emulator, credentials, make_study):
    answer_all(app, make_study, 1)
    assert db.session.query(Outgoing).count() == 0
    db.session.remove()
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], firestore_credentials=credentials())
    worker = mirror.Worker(app)
    worker.begin()
    assert worker.send() == 15
    assert len(outside(app)) == 15


def test_1200_answers_survive_outages_killed_workers_and_duplicates_exactly_once(mirrored, emulator, start, make_study):
    ids = answer_all(mirrored, make_study, 1)
    add_answers(1200 - len(ids))
    db.session.remove()
    sender = start.sender()
    until(lambda: status()["waiting"] < 1200)
    emulator.stop()  # in the middle of it, and it forgets
    until(lambda: "cannot be reached" in status()["last_error"])
    assert status()["waiting"] > 0
    db.session.query(Outgoing).update({"sent_at": None})
    db.session.commit()
    emulator.start()
    until(lambda: status()["waiting"] < 1200, 90)
    sender.kill()  # perhaps between sending and remembering it
    sender.wait()
    assert status()["waiting"] > 0
    let_the_lease_lapse()
    sender = start.sender()
    until(lambda: status()["waiting"] == 0, 90)
    sender.kill()
    sender.wait()
    db.session.query(Outgoing).filter(Outgoing.id % 3 == 0).update({"sent_at": None})  # sent twice
    db.session.commit()
    let_the_lease_lapse()
    worker = mirror.Worker(mirrored)
    worker.begin()
    assert sum(iter(worker.send, 0)) == 400
    with reading() as session:
        found = archive.compare(session, outside(mirrored).values())
    assert (found.same, found.unsent, found.unknown, found.different) == (1200, [], [], [])


def test_the_server_sends_by_itself_and_when_it_is_killed_sends_the_rest_later(mirrored, start, make_study):
    slug, port = make_study().slug, free_port()
    db.session.remove()
    with ThreadPoolExecutor(1) as thread:
        server = start.server(port)
        running = thread.submit(simulation.run, mirrored, slug, 6, url=f"http://127.0.0.1:{port}")
        until(lambda: status()["sent"] > 0)
        server.kill()
        server.wait()
        let_the_lease_lapse()
        server = start.server(port)
        outcomes = running.result()
    until(lambda: status()["waiting"] == 0)
    server.kill()
    server.wait()
    acknowledged = {saved["id"] for outcome in outcomes for saved in outcome.saved}
    assert len(acknowledged) == 90
    assert outside(mirrored).keys() == acknowledged


def add_answers(count):
    """More answers to the existing trials, each under its own criterion."""
    trial_case = db.session.query(Answer).first().trial_case
    for number in range(count):
        db.session.add(
            Answer(
                id=str(uuid.uuid4()), trial_case=trial_case, criterion=f"c{number}", answer="real", certainty="full",
                level=1,
            )
        )  # fmt: skip
    db.session.commit()


def test_of_two_workers_one_sends_at_a_time(mirrored, make_study):
    answer_all(mirrored, make_study, 1)
    one, other = mirror.Worker(mirrored), mirror.Worker(mirrored)
    one.begin()
    other.begin()
    assert one._hold()
    assert other.send() == 0
    assert one.send() == 15


def test_credentials_of_another_project_are_named_and_send_nothing(mirrored, credentials, make_study):
    answer_all(mirrored, make_study, 1)
    mirror.Worker(mirrored).begin()
    mirrored.config["SETTINGS"] = replace(mirrored.config["SETTINGS"], firestore_credentials=credentials("demo-other"))
    with pytest.raises(mirror.MirrorError, match=r"for project demo-other, .* mirrored to demo-study"):
        mirror.Worker(mirrored).begin()
    told = mirrored.test_cli_runner().invoke(args=["mirror", "verify"])
    assert told.exit_code == 1
    assert "this database is mirrored to demo-study" in told.output
    assert outside(mirrored) == {}


def test_verify_sees_what_is_missing_added_or_changed(mirrored, make_study):
    ids = answer_all(mirrored, make_study, 1)
    worker = mirror.Worker(mirrored)
    worker.begin()
    worker.send()
    run = mirrored.test_cli_runner().invoke
    assert "15 answer rows are the same" in run(args=["mirror", "verify"]).output
    answers = worker.client.collection(mirror.COLLECTION)
    answers.document(ids[0]).delete()
    answers.document(ids[1]).set(answers.document(ids[1]).get().to_dict() | {"level": 9})
    answers.document("stranger").set({"id": "stranger"})
    result = run(args=["mirror", "verify"])
    assert result.exit_code == 1
    for words in (f"1 are not in the mirror: {ids[0]}", f"1 differ: {ids[1]}", "1 are only in the mirror: stranger"):
        assert words in result.output


@pytest.fixture
def empty_instance(mirrored, tmp_path):
    """Another instance, with the same mirror and a database without studies."""
    import flask_migrate

    from quiz_app.settings import Settings

    with new_database() as url:
        settings = Settings.load(
            {}, instance=tmp_path / "other", database_url=url,
            firestore_credentials=mirrored.config["SETTINGS"].firestore_credentials,
        )  # fmt: skip
        app = create_app(settings)
        with app.app_context():
            flask_migrate.upgrade()
        yield app
        with app.app_context():
            let_go(app)


def test_restore_gives_every_answer_back_in_an_empty_instance(mirrored, make_study, empty_instance):
    answer_all(mirrored, make_study, 2, groups=["young", "old"], break_every=5)
    worker = mirror.Worker(mirrored)
    worker.begin()
    worker.send()
    with reading() as session:
        before = {row["id"]: row for row in mirror.documents(session)}
    run = empty_instance.test_cli_runner().invoke
    with empty_instance.app_context():
        result = run(args=["mirror", "restore"])
        assert result.output == "trial-run: restored\n"
        with reading() as session:
            assert {row["id"]: row for row in mirror.documents(session)} == before
        again = run(args=["mirror", "restore"])
    assert again.exit_code == 1
    assert "already has studies" in again.output


def test_answers_of_an_unknown_format_are_refused_and_nothing_is_kept(mirrored, make_study, empty_instance):
    answer_all(mirrored, make_study, 1)
    with reading() as session:
        rows = list(mirror.documents(session))
    rows[3]["format"] = 1 + max(mirror.FORMATS)
    with empty_instance.app_context():
        with pytest.raises(InvalidInputError, match="of format"):
            archive.restore(rows)
        db.session.rollback()
        assert db.session.query(Answer).count() == 0


def test_the_original_quiz_is_imported_under_pseudonyms(mirrored, tmp_path):
    client = mirror.connect(mirrored.config["SETTINGS"])
    said = [("EC1", "a.png", "Definitely Fake"), ("EC1", "b.png", "Unsure"), ("Maria Rossi", "a.png", "Probably Real")]
    for number, (name, file, value) in enumerate(said):
        document = {"user_name": name, "file": file, "realFakeValueSlider": value, "zoom_value": 1}
        client.collection("submissions").document(str(number)).set(document)
    labels = tmp_path / "labels.csv"
    labels.write_text("Filename,Label\na.png,Fake\nb.png,Real\n")
    run = mirrored.test_cli_runner().invoke
    result = run(args=["mirror", "import", "--study", "original", "--labels", str(labels)])
    assert result.output == "original: 2 readers, 3 answers\n"
    with reading() as session:
        rows = [dict(row) for row in mirror.documents(session)]
    found = {(row["reader"], row["reader_group"], row["case"], row["truth"], row["level"]) for row in rows}
    assert found == {
        ("P01", "EC", "a.png", "synthetic", 5), ("P01", "EC", "b.png", "real", 3),
        ("P02", None, "a.png", "synthetic", 2),
    }  # fmt: skip
    assert "Maria" not in json.dumps(rows)
    labels.write_text("Filename,Label\na.png,Fake\n")
    result = run(args=["mirror", "import", "--study", "again", "--labels", str(labels)])
    assert result.exit_code == 1
    assert "b.png" in result.output
    assert db.session.query(Answer).count() == 3


def test_the_published_export_is_imported(app, shared):
    folder = shared / "data" / "panodiff_observer_study"
    result = app.test_cli_runner().invoke(
        args=["mirror", "import", "--study", "panodiff", "--labels", str(folder / "image_labels.csv"),
              "--submissions", str(folder / "submissions.csv")]
    )  # fmt: skip
    assert result.output == "panodiff: 6 readers, 1200 answers\n"
    study = lifecycle.find("panodiff")
    assert sorted(reader.group for reader in study.readers) == ["EC"] * 3 + ["EP"] * 3


@pytest.mark.parametrize("command", ["verify", "restore", "import"])
def test_a_database_of_another_version_is_named_before_anything_is_asked_or_kept(app, command, tmp_path):
    db.session.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    db.session.commit()
    db.session.remove()
    labels = tmp_path / "labels.csv"
    labels.write_text("Filename,Label\na.png,Fake\n")
    submissions = tmp_path / "submissions.csv"
    submissions.write_text("User Name,File,RealFakeValueSlider\nEC1,a.png,Definitely Fake\n")
    more = ["--study", "again", "--labels", str(labels), "--submissions", str(submissions)]
    result = app.test_cli_runner().invoke(args=["mirror", command, *(more if command == "import" else [])])
    assert result.exit_code == 1
    assert "The database has version 0001; this Discern needs " in result.output
    assert "db upgrade" in result.output
    assert db.session.query(Answer).count() == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RefreshError("invalid_grant: Invalid JWT: Token must be short-lived: check your iat and exp"),
            "set its clock",
        ),
        (RefreshError("invalid_grant: Invalid JWT Signature."), "may have been revoked"),
        (exceptions.PermissionDenied("no"), "Cloud Datastore User"),
        (exceptions.NotFound("no"), "create one"),
        (exceptions.ServiceUnavailable("no"), "cannot be reached"),
    ],
)
def test_trouble_is_one_sentence_with_the_next_step(error, words):
    assert words in mirror.sentence(error)


def test_credentials_that_are_none_are_named(app, tmp_path):
    for content in (None, "nonsense", "{}"):
        path = tmp_path / "key.json"
        if content is not None:
            path.write_text(content)
        app.config["SETTINGS"] = replace(app.config["SETTINGS"], firestore_credentials=str(path))
        result = app.test_cli_runner().invoke(args=["mirror", "status"])
        assert result.exit_code == 1
        assert "is not the JSON file of a service account" in result.output
