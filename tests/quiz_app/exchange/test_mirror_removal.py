"""Deletions here also reach Firestore, whatever is missing, fails or is on its way at that moment."""

import threading

import pytest

from quiz_app.database import db
from quiz_app.exchange import mirror
from quiz_app.models import Outgoing, Reader, Removal
from quiz_app.sittings import leaving
from quiz_app.study import deletion
from tests.firestore import answer_all, let_the_lease_lapse, outside, status, until


@pytest.fixture
def two_readers(mirrored, make_study):
    """Two readers have answered and were sent: the worker that did it."""
    answer_all(mirrored, make_study, 2)
    worker = mirror.Worker(mirrored)
    worker.begin()
    assert worker.send() == 30
    return worker


def delete(app, pseudonym="sim-001"):
    """Delete a reader on request; the certificate."""
    reader = db.session.query(Reader).filter_by(pseudonym=pseudonym).one()
    certificate = deletion.delete_reader(reader, "asked for it", app.config["SETTINGS"].instance, actor="ada")
    db.session.commit()
    db.session.remove()
    return certificate


def readers_outside(app):
    return {document["reader"] for document in outside(app).values()}


def test_a_deleted_reader_is_taken_out_of_firestore_and_the_certificate_says_so(mirrored, two_readers):
    assert "Copies in Firestore: 15 are queued for removal" in delete(mirrored)
    assert (status()["removals"], status()["sent"]) == (15, 15)
    assert two_readers.send() == 0
    assert two_readers.remove() == 15
    assert (status()["removals"], two_readers.remove()) == (0, 0)
    assert readers_outside(mirrored) == {"sim-002"}


def test_a_deletion_that_is_taken_back_removes_nothing(mirrored, two_readers):
    reader = db.session.query(Reader).filter_by(pseudonym="sim-001").one()
    deletion.delete_reader(reader, "a mistake", mirrored.config["SETTINGS"].instance, actor="ada")
    db.session.rollback()
    assert two_readers.remove() == 0
    assert len(outside(mirrored)) == 30


def test_who_leaves_with_deletion_is_taken_out_of_firestore(mirrored, two_readers):
    reader = db.session.query(Reader).filter_by(pseudonym="sim-002").one()
    leaving.withdraw(reader, mirrored.config["SETTINGS"].instance, delete=True)
    db.session.commit()
    assert two_readers.remove() == 15
    assert readers_outside(mirrored) == {"sim-001"}


def test_an_answer_that_was_never_sent_is_not_sent_after_its_deletion(mirrored, make_study):
    answer_all(mirrored, make_study, 2)
    delete(mirrored)
    worker = mirror.Worker(mirrored)
    worker.begin()
    assert worker.send() == 15
    assert worker.remove() == 15
    assert readers_outside(mirrored) == {"sim-002"}


def test_without_a_mirror_nothing_is_queued_and_the_certificate_is_silent(app, make_study):
    answer_all(app, make_study, 1)
    certificate = delete(app)
    assert "Firestore" not in certificate
    assert "exports and backups" in certificate
    assert db.session.query(Removal).count() == 0


def test_verify_tells_what_waits_for_its_removal_from_what_is_strange(mirrored, two_readers):
    delete(mirrored)
    two_readers.client.collection(mirror.COLLECTION).document("stranger").set({"id": "stranger"})
    run = mirrored.test_cli_runner().invoke
    told = run(args=["mirror", "verify"])
    assert told.exit_code == 1
    assert "15 answer rows are the same" in told.output
    assert "15 are deleted here but not yet removed from the mirror: " in told.output
    assert "1 are only in the mirror: stranger" in told.output
    assert "removals\t15" in run(args=["mirror", "status"]).output
    two_readers.remove()
    two_readers.client.collection(mirror.COLLECTION).document("stranger").delete()
    assert run(args=["mirror", "verify"]).output == "15 answer rows are the same on both sides\n"


def test_the_monitor_and_healthz_tell_how_many_removals_wait(mirrored, two_readers, owner, owned):
    owned()
    assert "deleted here" not in owner.get("/researcher/studies/mine/live").text
    delete(mirrored)
    assert "15 deleted here but not yet removed there." in owner.get("/researcher/studies/mine/live").text
    assert mirrored.test_client().get("/healthz").get_json()["mirror"]["removals"] == 15


def test_removals_outlive_an_outage(mirrored, line, worker, make_study):
    answer_all(mirrored, make_study, 2)
    worker().start()
    until(lambda: status()["waiting"] == 0)
    line.cut()
    delete(mirrored)
    until(lambda: "cannot be reached" in status()["last_error"])
    assert status()["removals"] == 15
    line.mend()
    until(lambda: status()["removals"] == 0)
    assert readers_outside(mirrored) == {"sim-002"}
    assert status()["last_error"] == ""


def test_removals_outlive_a_worker_that_is_killed_at_it(mirrored, line, start, two_readers):
    two_readers._let_go()
    line.hold()
    delete(mirrored)
    sender = start.sender()
    assert line.caught.wait(60)
    sender.kill()
    sender.wait()
    assert status()["removals"] == 15
    line.open.set()
    let_the_lease_lapse()
    worker = mirror.Worker(mirrored)
    worker.begin()
    assert worker.remove() == 15
    assert readers_outside(mirrored) == {"sim-002"}


def test_an_answer_deleted_while_it_is_sent_is_gone_in_the_end(mirrored, line, make_study):
    answer_all(mirrored, make_study, 2)
    worker = mirror.Worker(mirrored)
    worker.begin()
    line.hold()
    sending = in_a_thread(mirrored, worker.send)
    assert line.caught.wait(60)
    delete(mirrored)
    line.open.set()
    sending.join()
    assert (status()["waiting"], status()["removals"]) == (0, 15)
    assert worker.remove() == 15
    assert readers_outside(mirrored) == {"sim-002"}


def test_an_answer_that_arrives_after_another_worker_removed_it_is_removed_again(
    mirrored, emulator, line, make_study, monkeypatch
):
    answer_all(mirrored, make_study, 2)
    slow = mirror.Worker(mirrored)
    slow.begin()
    line.hold()
    sending = in_a_thread(mirrored, slow.send)
    assert line.caught.wait(60)
    delete(mirrored)
    let_the_lease_lapse()
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{emulator.port}")
    other = mirror.Worker(mirrored)
    other.begin()
    assert (other.send(), other.remove()) == (15, 15)
    assert readers_outside(mirrored) == {"sim-002"}
    line.open.set()
    sending.join()
    assert readers_outside(mirrored) == {"sim-001", "sim-002"}
    assert status()["removals"] == 15
    assert other.remove() == 15
    assert readers_outside(mirrored) == {"sim-002"}


def test_what_a_worker_read_before_it_held_the_lease_is_not_sent(mirrored, two_readers, monkeypatch):
    db.session.query(Outgoing).update({"sent_at": None})
    db.session.commit()
    late = mirror.Worker(mirrored)
    late.begin()
    hold = late._hold

    def after_the_other():
        delete(mirrored)
        assert two_readers.remove() == 15
        two_readers._let_go()
        return hold()

    monkeypatch.setattr(late, "_hold", after_the_other)
    assert late.send() == 15
    assert readers_outside(mirrored) == {"sim-002"}


def in_a_thread(app, work):
    """Do it in parallel with the test, in a separate context."""

    def run():
        with app.app_context():
            work()
            db.session.remove()

    thread = threading.Thread(target=run)
    thread.start()
    return thread
