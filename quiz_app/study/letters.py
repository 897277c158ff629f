"""Messages from a researcher to readers: an invitation with the personal link, a reminder, a calendar entry."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import quote

from quiz_app import clock
from quiz_app.models import Reader, Study
from quiz_app.study.monitor import Progress

FINISHED = ("finished", "revoked", "withdrawn")  # readers who get no reminder


@dataclass(frozen=True)
class Letter:
    """A message to one reader; `to` is empty if no address is known."""

    reader: str
    to: str
    subject: str
    text: str

    @property
    def mailto(self) -> str:
        """The address that opens the message in a mail program."""
        return f"mailto:{quote(self.to)}?subject={quote(self.subject)}&body={quote(self.text)}"


def invitation(study: Study, reader: str, email: str | None, link: str) -> Letter:
    """The message with a reader's personal link."""
    text = (
        f"Dear colleague,\n\nYou are invited to take part in the study \u201c{study.title}\u201d. You will look at "
        f"radiographs in your browser. Please use your personal link, and do not pass it on:\n\n{link}\n\n"
        f"{_until(study)}You can stop at any time and continue later with the same link.\n\nThank you for your help."
    )
    return Letter(reader, email or "", f"Invitation: {study.title}", text)


def reminder(study: Study, row: Progress, reader: Reader) -> Letter:
    """The message to a reader who has not begun or not finished, with their own closing date if they have one."""
    title = f"the study \u201c{study.title}\u201d"
    if row.state == "between":
        state = f"You have finished one part of {title}, and another part is waiting for you"
    elif row.answered:
        state = f"You have answered {row.answered} of {row.total} cases of {title}"
    else:
        state = f"You were invited to take part in {title} and have not started yet"
    back = "; it takes you back to where you stopped" if row.answered else ""
    text = (
        f"Dear colleague,\n\n{state}. Please use the personal link in your invitation{back}. "
        f"If you cannot find it, write to me and I will send you a new one.\n\n{_until(study, reader)}"
        "Thank you for your help."
    )
    return Letter(row.reader, reader.email or "", f"Reminder: {study.title}", text)


def _closing(study: Study, reader: Reader | None = None) -> datetime | None:
    closing = (reader.closes_at if reader else None) or study.rules.closing
    return closing.astimezone(UTC) if closing else None


def _until(study: Study, reader: Reader | None = None) -> str:
    closing = _closing(study, reader)
    if closing is None:
        return ""
    whom = "for you " if reader and reader.closes_at else ""
    return f"The study is open {whom}until {clock.dated(closing)}, {closing:%H:%M} UTC. "


def as_files(letters: Sequence[Letter]) -> bytes:
    """A zip with one .eml file for each message with an address, which mail programs can open and send."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for letter in letters:
            if not letter.to:
                continue
            message = EmailMessage(policy=SMTP)
            message["To"], message["Subject"], message["X-Unsent"] = letter.to, letter.subject, "1"
            message.set_content(letter.text)
            out.writestr(f"{letter.reader}.eml", bytes(message))
    return buffer.getvalue()


def calendar(study: Study) -> bytes | None:
    """The closing date as an iCalendar file (RFC 5545), with an alarm two days before; None for a study without one."""
    closing = _closing(study)
    if closing is None:
        return None
    title = study.title.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Discern//Study//EN", "BEGIN:VEVENT",
        f"UID:{study.slug}-{study.seed}@discern", f"DTSTAMP:{clock.now():%Y%m%dT%H%M%SZ}",
        f"DTSTART:{closing - timedelta(hours=1):%Y%m%dT%H%M%SZ}", f"DTEND:{closing:%Y%m%dT%H%M%SZ}",
        f"SUMMARY:Last hour to finish: {title}", "BEGIN:VALARM", "ACTION:DISPLAY",
        f"DESCRIPTION:{title} closes in two days", "TRIGGER:-P2D", "END:VALARM", "END:VEVENT", "END:VCALENDAR",
    ]  # fmt: skip
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line)).encode()


def _folded(line: str) -> list[str]:
    """A line in parts of at most 75 bytes; all but the first begin with a space."""
    parts: list[str] = []
    part = ""
    for letter in line:
        if len((part + letter).encode()) > 75:
            parts.append(part)
            part = " "
        part += letter
    return [*parts, part]
