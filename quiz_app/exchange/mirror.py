"""A copy of every answer in Firestore, made in the background: an outbox, and a worker that empties it.

An answer and its outbox row are stored in one transaction, so every acknowledged answer is eventually sent. The worker
sends in order and at least once, each answer under its own id, so sending twice does no harm. Deletions are queued in
the same way, and carried out there. The worker holds no transaction while it talks to Firestore, so a slow or missing
Firestore delays nobody. If there are several workers, only the one that holds the lease sends.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from quiz_app import clock
from quiz_app.database import Instant, db, reading
from quiz_app.exchange.responses_csv import DICTIONARY
from quiz_app.models import Answer, Mark, Mirror, Outgoing, Removal
from quiz_app.models.outbox import queue
from quiz_app.settings import Settings

FORMAT = 1
WITH_MARKS = 2  # the format of an answer followed by marks
UNDER_CONDITION = 3  # the format of an answer under a condition or with a hint, with or without marks
FORMATS = (FORMAT, WITH_MARKS, UNDER_CONDITION)
COLLECTION = "discern_answers"
BATCH = 100
TIMEOUT_S = 20.0
HELD = timedelta(seconds=60)  # how long the others wait after a worker has died
IDLE_S, LONGEST_WAIT_S = 1.0, 60.0

# The answers with these ids, or all, in the form of the export. A case is shown once in a trial.
_DOCUMENTS = """
SELECT answer.id AS id, trial_case.id AS shown, trial.marks_id, trial.marks_outcome, trial.marked_at,
       sitting.period, sitting."condition", sitting."sequence", trial_case.hint, {columns}
FROM answer
JOIN trial_case ON trial_case.id = answer.trial_case_id
JOIN trial ON trial.id = trial_case.trial_id
JOIN sitting ON sitting.id = trial.sitting_id
JOIN "case" ON "case".id = trial_case.case_id
JOIN responses ON responses.trial = trial.token AND responses."case" = "case".name
              AND COALESCE(responses.criterion, '') = answer.criterion
{where}
ORDER BY answer.id
"""
_OF_MARKS = ("marks_id", "marks_outcome", "marked_at")
_OF_CONDITIONS = ("period", "condition", "sequence", "hint")
_WAITING = sa.select(Outgoing.answer_id, Outgoing.queued_at).where(Outgoing.sent_at.is_(None))
_UNSENT = _WAITING.order_by(Outgoing.id).limit(BATCH)
_UNREMOVED = sa.select(Removal.answer_id).order_by(Removal.queued_at, Removal.answer_id).limit(BATCH)


class MirrorError(Exception):
    """The mirror cannot continue; the message says why, and what to do next."""


@sa.event.listens_for(Answer, "after_insert")
def _enqueue(_mapper: Any, connection: sa.Connection, answer: Answer) -> None:
    queue(connection, [answer.id])


@sa.event.listens_for(Answer, "before_delete")
def _withdraw(_mapper: Any, connection: sa.Connection, answer: Answer) -> None:
    """When an answer is deleted, also remove its copy, whether it was sent already or is on its way."""
    sent = sa.select(Outgoing.answer_id, sa.literal(clock.now(), Instant)).where(Outgoing.answer_id == answer.id)
    new = sent.where(Outgoing.answer_id.not_in(sa.select(Removal.answer_id)))
    connection.execute(sa.insert(Removal).from_select(["answer_id", "queued_at"], new))


def documents(session: Session, ids: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The answers with these ids, or all, as stored in Firestore: the columns of the export, `id` and `format`.

    Answers followed by marks have `marks_id`, `marks_outcome` and `marked_at`, and in `marks` the marks of their image.
    Answers under a condition or with a hint have `period`, `condition`, `sequence` and `hint`.
    Answers in previews are left out. Nothing here names a person.
    """
    columns = ", ".join(f'responses."{name}"' for name in DICTIONARY)
    query = sa.text(_DOCUMENTS.format(columns=columns, where="" if ids is None else "WHERE answer.id IN :ids"))
    if ids is not None:
        query = query.bindparams(sa.bindparam("ids", list(ids), expanding=True))
    marks = _marks(session, ids)
    for row in session.execute(query).mappings():
        document = dict(row) | {"format": FORMAT}
        shown, told = document.pop("shown"), {name: document.pop(name) for name in _OF_MARKS}
        met = {name: document.pop(name) for name in _OF_CONDITIONS}
        if told["marked_at"] is not None:
            document |= told | {"marks": marks.get(shown, []), "format": WITH_MARKS}
        if met["condition"] is not None or met["hint"] is not None:
            document |= met | {"format": UNDER_CONDITION}
        yield document


def _marks(session: Session, ids: Sequence[str] | None) -> dict[int, list[dict[str, Any]]]:
    """The marks in the images of the answers with these ids, or of all, by trial and place."""
    columns = (Mark.number.label("mark"), Mark.x, Mark.y, Mark.reason, Mark.rating)
    query = sa.select(Mark.trial_case_id, *columns).order_by(Mark.trial_case_id, Mark.number)
    if ids is not None:
        query = query.where(Mark.trial_case_id.in_(sa.select(Answer.trial_case_id).where(Answer.id.in_(ids))))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in session.execute(query).mappings():
        mark = dict(row)
        found.setdefault(mark.pop("trial_case_id"), []).append(mark)
    return found


def digest(document: dict[str, Any]) -> str:
    """SHA-256 of a document, the same before sending and after receiving it."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def project_of(settings: Settings) -> str:
    """The Firebase project to which the credentials belong. Raises MirrorError."""
    path = Path(settings.firestore_credentials)
    try:
        return str(json.loads(path.read_text("utf-8"))["project_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MirrorError(
            f"firestore_credentials: {path} is not the JSON file of a service account ({type(error).__name__}); create "
            "one in the Firebase console under Project settings, Service accounts."
        ) from error


def assert_same_project(session: Session, settings: Settings) -> None:
    """Raise MirrorError if the credentials belong to a different project from the one this database is mirrored to."""
    project, known = project_of(settings), session.scalar(sa.select(Mirror.project))
    if known and known != project:
        raise MirrorError(
            f"The credentials are for project {project}, but this database is mirrored to {known}: use credentials for "
            "that project."
        )


def certificate(settings: Settings) -> Any:
    """The credentials, read but not tested. Raises MirrorError."""
    if not settings.firestore_credentials:
        raise MirrorError("There is no mirror: set firestore_credentials to the JSON file of a service account.")
    project_of(settings)
    try:
        from firebase_admin import credentials, firestore  # noqa: F401  (an extra of its own)
    except ImportError:
        raise MirrorError("firebase-admin is not installed: run pip install 'discern[cloud]'.") from None
    try:
        return credentials.Certificate(settings.firestore_credentials)
    except ValueError as error:
        raise MirrorError(f"firestore_credentials: {settings.firestore_credentials}: {error}") from error


def connect(settings: Settings) -> Any:
    """A client for the Firestore of the credentials' project, accepted by Google. Raises MirrorError."""
    found = certificate(settings)
    import firebase_admin
    from firebase_admin import firestore
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    if not os.environ.get("FIRESTORE_EMULATOR_HOST"):
        # Firestore's own client requests a token while it sends, and reports every refusal as "unavailable".
        try:
            found.get_credential().refresh(partial(Request(), timeout=TIMEOUT_S))
        except GoogleAuthError as error:
            raise MirrorError(sentence(error)) from error
    firebase = firebase_admin.initialize_app(found, name=secrets.token_hex(8))
    try:
        return firestore.client(firebase)
    finally:
        firebase_admin.delete_app(firebase)  # the client works without it, and after an error a new one is created


def stored(client: Any, collection: str = COLLECTION) -> Iterator[dict[str, Any]]:
    """Every document of the collection. Raises MirrorError."""
    try:
        for document in client.collection(collection).stream(retry=None, timeout=10 * TIMEOUT_S):
            yield document.to_dict()
    except Exception as error:
        raise MirrorError(sentence(error)) from error


def sentence(error: Exception) -> str:
    """What was wrong with Firestore or its credentials, and what to do next."""
    from google.api_core import exceptions
    from google.auth.exceptions import RefreshError, TransportError

    words = str(error)
    if re.search(r"\biat\b.*\bexp\b", words, re.DOTALL):
        return "Google does not accept the time of this machine: set its clock."
    if isinstance(error, RefreshError) and error.retryable:
        return "Google cannot issue a token at the moment."
    # A token that is refused while sending is reported as ServiceUnavailable.
    if isinstance(error, RefreshError | exceptions.Unauthenticated) or "invalid_grant" in words:
        return "Google does not accept the key; it may have been revoked: create a new one in the Firebase console."
    if isinstance(error, exceptions.PermissionDenied):
        return (
            "The service account is not allowed to write here: give it the role Cloud Datastore User in this project."
        )
    if isinstance(error, exceptions.NotFound):
        return "The project has no Firestore database: create one in the Firebase console."
    if isinstance(error, exceptions.ResourceExhausted):
        return "The quota of the Firebase project is used up."
    if isinstance(error, TransportError | exceptions.ServiceUnavailable | exceptions.DeadlineExceeded):
        return "Firestore cannot be reached: is this machine connected to the internet?"
    return f"Firestore: {type(error).__name__}: {words[:300]}"


def status(session: Session) -> dict[str, Any]:
    """The state of the mirror: answers waiting, how long the oldest has waited, answers deleted here that may still be
    there, the last error (empty = none)."""
    waiting, oldest = session.execute(
        sa.select(sa.func.count(), sa.func.min(Outgoing.queued_at)).where(Outgoing.sent_at.is_(None))
    ).one()
    sent = session.scalar(sa.select(sa.func.count()).where(Outgoing.sent_at.is_not(None)))
    trouble = session.scalar(sa.select(Mirror.last_error))
    return {
        "sent": sent,
        "waiting": waiting,
        "removals": session.scalar(sa.select(sa.func.count()).select_from(Removal)),
        "lag_s": round((clock.now() - oldest).total_seconds(), 1) if oldest else 0.0,
        "last_error": trouble or "",
    }


class Worker:
    """Empties the outbox of `app`'s database until stopped."""

    def __init__(self, app: Flask) -> None:
        self.app, self.name = app, secrets.token_hex(8)
        self.client: Any = None

    def start(self) -> None:
        """Work in a separate thread of the server."""
        threading.Thread(target=self.run, name="mirror", daemon=True).start()

    def run(self, stop: threading.Event | None = None) -> None:
        """Send waiting answers as they come; after a failure, start again, with a longer pause each time."""
        stop, failed, wait = stop or threading.Event(), 0, 0.0
        while not stop.wait(wait):
            with self.app.app_context():
                try:
                    if self.client is None:
                        self.begin()
                    full = BATCH in (self.send(), self.remove())  # and there are more
                    wait, failed = 0.0 if full else IDLE_S, 0
                except Exception as error:
                    failed += 1
                    wait = min(IDLE_S * 2**failed, LONGEST_WAIT_S)
                    self.client = None  # the key may have been replaced by then
                    self._record(str(error) if isinstance(error, MirrorError) else sentence(error))
                finally:
                    db.session.remove()
        with self.app.app_context():
            self._let_go()

    def begin(self) -> None:
        """Start work: check that the credentials are for the project known to the database, and queue answers that were
        given while there was no mirror. Raises MirrorError."""
        settings = self.app.config["SETTINGS"]
        project, client = project_of(settings), connect(settings)
        with reading() as session:
            queued = sa.select(Outgoing.answer_id)
            missing = session.scalars(sa.select(Answer.id).where(Answer.id.not_in(queued)).order_by(Answer.id)).all()
            assert_same_project(session, settings)
        mirror = _row()
        mirror.project, mirror.last_error = project, ""
        db.session.add_all(Outgoing(answer_id=answer_id, queued_at=clock.now()) for answer_id in missing)
        db.session.commit()
        self.client = client

    def send(self) -> int:
        """Send the answers that have waited longest. Returns how many; 0 if none is waiting or another worker sends."""
        if not self._may_do(_UNSENT):
            return 0
        # Read under the lease: answers that another worker has removed in the meantime are no longer there.
        with reading() as session:
            waiting = {row.answer_id: row.queued_at for row in session.execute(_UNSENT)}
            found = list(documents(session, list(waiting)))
        batch = self.client.batch()
        for document in found:
            batch.set(self.client.collection(COLLECTION).document(document["id"]), document)
        batch.commit(retry=None, timeout=TIMEOUT_S)
        self._sent(waiting)
        return len(waiting)

    def remove(self) -> int:
        """Delete there what was deleted here. Returns how many; 0 if none is waiting or another worker does it."""
        if not self._may_do(_UNREMOVED):
            return 0
        with reading() as session:
            waiting = session.scalars(_UNREMOVED).all()
        batch = self.client.batch()
        for answer_id in waiting:
            batch.delete(self.client.collection(COLLECTION).document(answer_id))
        batch.commit(retry=None, timeout=TIMEOUT_S)
        db.session.execute(sa.delete(Removal).where(Removal.answer_id.in_(waiting)))
        self._went_well()
        return len(waiting)

    def _may_do(self, work: sa.Executable) -> bool:
        """Whether there is `work` and this worker may do it."""
        with reading() as session:
            if session.execute(work).first() is None:
                return False
        return self._hold()

    def _hold(self) -> bool:
        """Whether this worker is the one that sends."""
        now = clock.now()
        free = sa.or_(Mirror.holder == self.name, Mirror.holder.is_(None), Mirror.held_until < now)
        held = db.session.execute(sa.update(Mirror).where(free).values(holder=self.name, held_until=now + HELD))
        db.session.commit()
        return bool(held.rowcount)  # type: ignore[attr-defined]

    def _let_go(self) -> None:
        db.session.execute(sa.update(Mirror).where(Mirror.holder == self.name).values(holder=None))
        db.session.commit()

    def _sent(self, ids: Mapping[str, datetime]) -> None:
        """Record that these answers, with the time at which they were queued, were sent. Answers queued again in the
        meantime, with their marks, keep waiting. Answers deleted in the meantime are queued for removal: a worker that
        took over the lease may have removed them before they arrived."""
        # In the order in which a deletion takes them, to avoid a deadlock.
        mine = sa.select(Outgoing.answer_id, Outgoing.queued_at).where(Outgoing.answer_id.in_(ids))
        here = db.session.execute(mine.order_by(Outgoing.answer_id).with_for_update()).all()
        sent = [row.answer_id for row in here if row.queued_at == ids[row.answer_id]]
        db.session.execute(sa.update(Outgoing).where(Outgoing.answer_id.in_(sent)).values(sent_at=clock.now()))
        queued = db.session.scalars(sa.select(Removal.answer_id).where(Removal.answer_id.in_(ids))).all()
        gone = set(ids).difference((row.answer_id for row in here), queued)
        db.session.add_all(Removal(answer_id=answer_id, queued_at=clock.now()) for answer_id in gone)
        self._went_well()

    def _went_well(self) -> None:
        db.session.execute(sa.update(Mirror).values(last_error=""))
        db.session.commit()

    def _record(self, trouble: str) -> None:
        trouble = f"{trouble[:460]} Trying again."
        self.app.logger.warning("mirror: %s", trouble)
        try:
            db.session.rollback()
            _row().last_error = trouble
            db.session.commit()
        except sa.exc.SQLAlchemyError:
            db.session.rollback()  # the database itself is the problem


def _row() -> Mirror:
    """The single row for this database's mirror."""
    row = db.session.scalar(sa.select(Mirror))
    if row is None:
        row = Mirror(id=1, project="", last_error="")
        db.session.add(row)
    return row
