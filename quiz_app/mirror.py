"""A copy of every answer in Firestore, behind the reader's back: an outbox, and a worker that empties it.

An answer and its outbox row are stored in one transaction, so that what was acknowledged is sent, some time. The worker
sends in order, at least once, each answer under its own id: sending twice does no harm. It holds no transaction while
it talks to Firestore, so that a slow or absent Firestore delays nobody. Of several workers one at a time sends.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import Session

from quiz_app.database import db, reading
from quiz_app.models import Answer, Mirror, Outgoing
from quiz_app.settings import Settings
from quiz_app.study import clock
from quiz_app.study.export import DICTIONARY

FORMAT = 1
COLLECTION = "discern_answers"
BATCH = 100
TIMEOUT_S = 20.0
HELD = timedelta(seconds=60)  # how long a worker that died keeps the others waiting
IDLE_S, LONGEST_WAIT_S = 1.0, 60.0

# The answers with these ids, or all, as the export tells them. A case is shown once in a trial.
_DOCUMENTS = """
SELECT answer.id AS id, {columns}
FROM answer
JOIN trial_case ON trial_case.id = answer.trial_case_id
JOIN trial ON trial.id = trial_case.trial_id
JOIN "case" ON "case".id = trial_case.case_id
JOIN responses ON responses.trial = trial.token AND responses."case" = "case".name
              AND COALESCE(responses.criterion, '') = answer.criterion
{where}
ORDER BY answer.id
"""


class MirrorError(Exception):
    """The mirror cannot go on; the message says why, and the next step."""


@sa.event.listens_for(Answer, "after_insert")
def _enqueue(_mapper: Any, connection: sa.Connection, answer: Answer) -> None:
    """Whatever stores an answer also queues it, in the same transaction."""
    if current_app.config["SETTINGS"].firestore_credentials:
        connection.execute(sa.insert(Outgoing).values(answer_id=answer.id, queued_at=clock.now()))


def documents(session: Session, ids: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The answers with these ids, or all, as they stand in Firestore: the columns of the export, `id` and `format`.

    Previews are no answers and are left out. Nothing here names a person.
    """
    columns = ", ".join(f'responses."{name}"' for name in DICTIONARY)
    query = sa.text(_DOCUMENTS.format(columns=columns, where="" if ids is None else "WHERE answer.id IN :ids"))
    if ids is not None:
        query = query.bindparams(sa.bindparam("ids", list(ids), expanding=True))
    for row in session.execute(query).mappings():
        yield dict(row) | {"format": FORMAT}


def digest(document: dict[str, Any]) -> str:
    """SHA-256 of a document, the same before and after its journey."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def project_of(settings: Settings) -> str:
    """The Firebase project that the credentials are for. Raises MirrorError."""
    path = Path(settings.firestore_credentials)
    try:
        return str(json.loads(path.read_text("utf-8"))["project_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MirrorError(
            f"firestore_credentials: {path} is not the JSON file of a service account ({type(error).__name__}); make "
            "one in the Firebase console under Project settings, Service accounts."
        ) from error


def connect(settings: Settings) -> Any:
    """A client of the Firestore of the credentials' project. Raises MirrorError."""
    if not settings.firestore_credentials:
        raise MirrorError("There is no mirror: set firestore_credentials to the JSON file of a service account.")
    project = project_of(settings)
    try:
        import firebase_admin
        from firebase_admin import credentials, firestore
    except ImportError:
        raise MirrorError("firebase-admin is not installed: run pip install 'discern[cloud]'.") from None
    try:
        certificate = credentials.Certificate(settings.firestore_credentials)
    except ValueError as error:
        raise MirrorError(f"firestore_credentials: {settings.firestore_credentials}: {error}") from error
    return firestore.client(firebase_admin.initialize_app(certificate, name=f"{project}-{secrets.token_hex(4)}"))


def stored(client: Any, collection: str = COLLECTION) -> Iterator[dict[str, Any]]:
    """Every document of the collection. Raises MirrorError."""
    try:
        for document in client.collection(collection).stream(retry=None, timeout=10 * TIMEOUT_S):
            yield document.to_dict()
    except Exception as error:
        raise MirrorError(sentence(error)) from error


def sentence(error: Exception) -> str:
    """What Firestore or its credentials did not like, and the next step."""
    from google.api_core import exceptions
    from google.auth.exceptions import RefreshError, TransportError

    words = str(error)
    if "iat" in words and "exp" in words:
        return "Google refuses the time of this machine: set its clock."
    if isinstance(error, RefreshError | exceptions.Unauthenticated):
        return "Google does not accept the key, it may have been revoked: make a new one in the Firebase console."
    if isinstance(error, exceptions.PermissionDenied):
        return "The service account may not write here: give it the role Cloud Datastore User in this project."
    if isinstance(error, exceptions.NotFound):
        return "The project has no Firestore database: create one in the Firebase console."
    if isinstance(error, exceptions.ResourceExhausted):
        return "The quota of the Firebase project is used up; it is tried again."
    if isinstance(error, TransportError | exceptions.ServiceUnavailable | exceptions.DeadlineExceeded):
        return "Firestore cannot be reached; it is tried again."
    return f"Firestore: {type(error).__name__}: {words[:300]}"


def status(session: Session) -> dict[str, Any]:
    """How the mirror does: answers waiting, how long the oldest has waited, the last trouble (empty = none)."""
    waiting, oldest = session.execute(
        sa.select(sa.func.count(), sa.func.min(Outgoing.queued_at)).where(Outgoing.sent_at.is_(None))
    ).one()
    sent = session.scalar(sa.select(sa.func.count()).where(Outgoing.sent_at.is_not(None)))
    trouble = session.scalar(sa.select(Mirror.last_error))
    return {
        "sent": sent,
        "waiting": waiting,
        "lag_s": round((clock.now() - oldest).total_seconds(), 1) if oldest else 0.0,
        "last_error": trouble or "",
    }


class Worker:
    """Empties the outbox of `app`'s database, until stopped."""

    def __init__(self, app: Flask) -> None:
        self.app, self.name = app, secrets.token_hex(8)
        self.client: Any = None

    def start(self) -> None:
        """Work in a thread beside the server."""
        threading.Thread(target=self.run, name="mirror", daemon=True).start()

    def run(self, stop: threading.Event | None = None) -> None:
        """Send what waits, as it comes; after a failure wait, longer each time."""
        stop, failed, began = stop or threading.Event(), 0, False
        wait = 0.0
        while not stop.wait(wait):
            with self.app.app_context():
                try:
                    if not began:
                        self.begin()
                        began = True
                    wait = 0.0 if self.send() == BATCH else IDLE_S  # a full batch has more behind it
                    failed = 0
                except Exception as error:
                    failed += 1
                    wait = min(IDLE_S * 2**failed, LONGEST_WAIT_S)
                    self._record(str(error) if isinstance(error, MirrorError) else sentence(error))
                finally:
                    db.session.remove()
        with self.app.app_context():
            self._let_go()

    def begin(self) -> None:
        """Take up the work: the credentials must be of the project known to the database, and answers that were given
        while there was no mirror are queued. Raises MirrorError."""
        self.client = connect(self.app.config["SETTINGS"])
        project = project_of(self.app.config["SETTINGS"])
        mirror = db.session.scalar(sa.select(Mirror))
        if mirror is None:
            db.session.add(Mirror(id=1, project=project, last_error=""))
        elif mirror.project != project:
            raise MirrorError(
                f"The credentials are of project {project}, but this database is mirrored to {mirror.project}: use "
                "credentials of that project."
            )
        queued = sa.select(Outgoing.answer_id)
        missing = db.session.scalars(sa.select(Answer.id).where(Answer.id.not_in(queued)).order_by(Answer.id)).all()
        db.session.add_all(Outgoing(answer_id=answer_id, queued_at=clock.now()) for answer_id in missing)
        db.session.commit()

    def send(self) -> int:
        """Send the answers that have waited longest. Returns how many; 0 when none waits or another worker is at it."""
        with reading() as session:
            waiting = session.scalars(
                sa.select(Outgoing.answer_id).where(Outgoing.sent_at.is_(None)).order_by(Outgoing.id).limit(BATCH)
            ).all()
            if not waiting:
                return 0
            found = list(documents(session, waiting))
        if not self._hold():
            return 0
        batch = self.client.batch()
        for document in found:
            batch.set(self.client.collection(COLLECTION).document(document["id"]), document)
        batch.commit(retry=None, timeout=TIMEOUT_S)
        self._sent(waiting)
        return len(waiting)

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

    def _sent(self, ids: Iterable[str]) -> None:
        db.session.execute(sa.update(Outgoing).where(Outgoing.answer_id.in_(ids)).values(sent_at=clock.now()))
        db.session.execute(sa.update(Mirror).values(last_error=""))
        db.session.commit()

    def _record(self, trouble: str) -> None:
        self.app.logger.warning("mirror: %s", trouble)
        try:
            db.session.rollback()
            db.session.execute(sa.update(Mirror).values(last_error=trouble[:500]))
            db.session.commit()
        except sa.exc.SQLAlchemyError:
            db.session.rollback()  # the database itself is the trouble
