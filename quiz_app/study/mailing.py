"""Invitations and reminders sent by e-mail, in a process of their own: a batch at a time, each letter at most once.

A batch has a name that the page with its letters brings along: who presses twice begins one batch. Its folder is told
no address and no link: letters reach the process through its standard input, and what became of each is in the log.
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
    """What became of the letter to a reader; `sent` is None while, or where, nothing is on record."""

    number: int
    reader: str
    sent: bool | None
    why: str


@dataclass(frozen=True)
class Batch:
    """A batch of letters as it stands."""

    kind: str
    work: Work
    outcomes: list[Outcome]

    def count(self, sent: bool | None) -> int:
        """How many letters have this outcome."""
        return sum(one.sent is sent for one in self.outcomes)


def home(instance: Path, study: Study) -> Path:
    """The folder of the batches of a study."""
    return instance / "mail" / f"{study.id}-{study.slug}"


def send(
    settings: Settings, server: MailServer, study: Study, name: str, kind: str, letters: Sequence[Letter], *, actor: str
) -> bool:
    """Begin the batch called `name`; commits. False, and nothing happens, where it has been begun before.

    Raises InvalidInputError where there is no letter with an address, or the name or kind is none.
    """
    if not NAME.fullmatch(name) or kind not in KINDS:
        raise InvalidInputError(["batch: this page is out of date; go back to the readers and begin again"])
    if not letters or not all(letter.to for letter in letters):
        raise InvalidInputError(["letter: readers with an e-mail address are expected"])
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
    db.session.commit()  # from here on the other process writes
    told = {"server": asdict(server), "kind": kind, "actor": actor, "letters": [asdict(letter) for letter in letters]}
    background.start(
        "quiz_app.study.mailing", folder, slug,
        instance=settings.instance, database_url=settings.database_url, told=json.dumps(told),
    )  # fmt: skip
    return True


def find(session: Session, instance: Path, study: Study, name: str) -> Batch | None:
    """The batch called `name`, with what became of each letter; None where there is none. Deleted readers are gone."""
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
    """A letter as it goes out. Raises ValueError for what no header may hold."""
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
    """Send every letter in turn, at the rate of the server, and put on record what became of it; commits each.

    Where the server takes none at all, the others are put on record as not sent, with the reason. Who was deleted
    meanwhile gets none, and no record names them.
    """
    study_id = study.id
    db.session.commit()  # nothing is held while a mail server is waited for
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
            # The log is handed over, and names nobody; a server may write the address in its own way.
            why = re.sub(re.escape(letter.to), "the address", str(undelivered), flags=re.IGNORECASE)[:MOST_OF_A_REASON]
            over = why if undelivered.for_all else ""
        except ValueError as unfit:
            why = f"the letter cannot be written: {unfit}"
        about: dict[str, Any] = {"reader": letter.reader, "what": kind, "batch": name} | (
            {"reason": why} if why else {}
        )
        log.record(NOT_SENT if why else SENT, study=study, actor=actor, **about)
        db.session.commit()
        progress((number + 1) / len(letters), f"{number + 1} of {len(letters)}")
    line.close()


def _reader(study_id: int, pseudonym: str) -> Reader | None:
    """The reader as they are now: a large batch takes its time. None where they were deleted."""
    with reading() as session:
        return session.scalar(sa.select(Reader).filter_by(study_id=study_id, pseudonym=pseudonym))


def _work(folder: Path, slug: str) -> None:
    """Send the letters that standard input brings: what the process does."""
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
