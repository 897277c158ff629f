"""Send invitations and reminders by e-mail, in a separate process: in batches, each message at most once.

The page with the messages sends the name of the batch, so that pressing the button twice starts only one. The batch's
folder contains no address and no link: messages reach the process through its standard input, and the outcome of each
is in the log.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app import background, clock, log
from quiz_app.background import Tell, Work
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.mail import Line, MailServer, UndeliveredError
from quiz_app.models import Event, Reader, Study
from quiz_app.settings import Settings
from quiz_app.study.letters import Letter

KINDS = ("invitation", "reminder")
SENT, NOT_SENT = "letter-sent", "letter-not-sent"
ABOUT = "batch.json"
NAME = re.compile(r"[0-9a-f]{32}")
MOST_OF_A_REASON = 300  # characters


@dataclass(frozen=True)
class Outcome:
    """The outcome of the message to a reader; `sent` is None if nothing is recorded (yet)."""

    number: int
    reader: str
    sent: bool | None
    why: str


@dataclass(frozen=True)
class Batch:
    """The state of a batch of messages."""

    kind: str
    work: Work
    outcomes: list[Outcome]

    def count(self, sent: bool | None) -> int:
        """The number of messages with this outcome."""
        return sum(one.sent is sent for one in self.outcomes)


def home(instance: Path, study: Study) -> Path:
    """The folder for the batches of a study."""
    return instance / "mail" / f"{study.id}-{study.slug}"


def send(
    settings: Settings, server: MailServer, study: Study, name: str, kind: str, letters: Sequence[Letter], *, actor: str
) -> bool:
    """Start the batch with this name; commits. Returns False and does nothing if it was started before.

    Raises InvalidInputError if there is no message with an address, or the name or kind is not valid.
    """
    if not NAME.fullmatch(name) or kind not in KINDS:
        raise InvalidInputError(["batch: this page is out of date; go back to the readers and begin again"])
    if not letters or not all(letter.to for letter in letters):
        raise InvalidInputError(["letter: expected readers with an e-mail address"])
    folder = home(settings.instance, study) / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    named = {reader.pseudonym: reader.id for reader in study.readers}
    about = {"kind": kind, "readers": [named[letter.reader] for letter in letters]}
    (folder / ABOUT).write_text(json.dumps(about), "utf-8")
    background.tell(folder, "making", 0.0, f"0 of {len(letters)}")
    log.record("letters-begun", study=study, actor=actor, what=kind, letters=len(letters))
    slug = study.slug
    db.session.commit()  # from here on, the other process writes
    told = {"server": asdict(server), "kind": kind, "actor": actor, "letters": [asdict(letter) for letter in letters]}
    background.start(
        "quiz_app.study.mailing", folder, slug,
        instance=settings.instance, database_url=settings.database_url, told=json.dumps(told),
    )  # fmt: skip
    return True


def find(session: Session, instance: Path, study: Study, name: str) -> Batch | None:
    """The batch with this name and the outcome of each message, except for deleted readers; None if there is none."""
    folder = home(instance, study) / name
    work = background.find(folder) if NAME.fullmatch(name) else None
    if work is None:
        return None
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    lines = sa.select(Event).where(Event.study_id == study.id, Event.kind.in_((SENT, NOT_SENT)))
    lines = lines.where(Event.details["batch"].as_string() == name)
    told = {event.details.get("reader"): event for event in session.scalars(lines)}
    readers = session.scalars(sa.select(Reader).where(Reader.id.in_(about["readers"])).order_by(Reader.id))
    outcomes = []
    for reader in readers:
        event = told.get(reader.pseudonym)
        sent, why = (event.kind == SENT, event.details.get("reason", "")) if event else (None, "")
        outcomes.append(Outcome(reader.id, reader.pseudonym, sent, why))
    return Batch(about["kind"], work, outcomes)


def message_of(letter: Letter, sender: str) -> EmailMessage:
    """A letter as an e-mail message. Raises ValueError for characters that no header can contain."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, letter.to, letter.subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2])
    message.set_content(letter.text)
    return message


def post(
    study: Study,
    name: str,
    server: MailServer,
    kind: str,
    letters: Sequence[Letter],
    *,
    actor: str,
    progress: Tell,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send every message in turn, at the rate set for the server, and record the outcome; commits each one.

    If the server accepts no messages at all, the remaining ones are recorded as not sent, with the reason. Readers
    deleted meanwhile get no message, and no record names them.
    """
    study_id = study.id
    db.session.commit()  # hold no locks while waiting for a mail server
    line, over = Line(server, sleep), ""
    for number, letter in enumerate(letters):
        if number and not over:
            sleep(server.pause_s)
        reader = _reader(study_id, letter.reader)
        if reader is None:
            continue
        why = over or ("the link was withdrawn, or the reader left" if reader.revoked_at or reader.withdrawn_at else "")
        try:
            if not why:
                line.deliver(message_of(letter, server.sender), letter.to)
        except UndeliveredError as undelivered:
            # The log is exported and must not name anybody; a server may write the address in its own way.
            why = re.sub(re.escape(letter.to), "the address", str(undelivered), flags=re.IGNORECASE)[:MOST_OF_A_REASON]
            over = why if undelivered.for_all else ""
        except ValueError as unfit:
            why = f"the message cannot be written: {unfit}"
        about: dict[str, Any] = {"reader": letter.reader, "what": kind, "batch": name} | (
            {"reason": why} if why else {}
        )
        log.record(NOT_SENT if why else SENT, study=study, actor=actor, **about)
        db.session.commit()
        progress((number + 1) / len(letters), f"{number + 1} of {len(letters)}")
    line.close()


def _reader(study_id: int, pseudonym: str) -> Reader | None:
    """The current state of the reader, because a large batch takes time; None if they were deleted."""
    with reading() as session:
        return session.scalar(sa.select(Reader).filter_by(study_id=study_id, pseudonym=pseudonym))


def _work(folder: Path, slug: str) -> None:
    """Send the messages read from standard input: the work of the process."""
    from quiz_app import create_app

    told = json.load(sys.stdin)
    app = create_app()
    with app.app_context(), background.working(folder) as progress:
        study = db.session.scalars(sa.select(Study).filter_by(slug=slug)).one()
        letters = [Letter(**letter) for letter in told["letters"]]
        server = MailServer(**told["server"])
        post(study, folder.name, server, told["kind"], letters, actor=told["actor"], progress=progress)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), sys.argv[2])
