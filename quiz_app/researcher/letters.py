"""E-mails that the desk sends itself, if a mail server is set: start a batch, and see the outcome of each e-mail."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence

from flask import abort, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app import mail
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Reader
from quiz_app.researcher import blueprint, forms, looking
from quiz_app.sittings import returning
from quiz_app.study import letters, mailing, monitor, readers


def outgoing(kind: str, written: Sequence[tuple[letters.Letter, str]]) -> dict[str, object] | None:
    """What a page with messages needs in order to offer to send them; None without a mail server or an address.

    written: each message, with what identifies it in the form: a reader's number, or pseudonym and link.
    """
    server = mail.server_of(current_app.config["SETTINGS"])
    named = [name for letter, name in written if letter.to]
    if server is None or not named:
        return None
    left = len(written) - len(named)
    return {"kind": kind, "batch": secrets.token_hex(16), "sender": server.sender, "named": named, "left": left}


def reminded(chosen: dict[int, Reader]) -> list[tuple[letters.Letter, str]]:
    """The reminders for the chosen readers, by number, who have something to do now; each with its reader's number."""
    held = {one.id for one in returning.returning(db.session(), g.study) if not one.may_come}
    rows = [row for row in monitor.progress(db.session(), g.study) if row.id in chosen.keys() - held]
    due = [row for row in rows if row.state not in letters.FINISHED]
    return [(letters.reminder(g.study, row, chosen[row.id]), str(row.id)) for row in due]


@blueprint.post("/studies/<study>/letters")
def send_letters() -> ResponseReturnValue:
    """Send invitations or reminders; if the button is pressed twice, they are still sent once."""
    settings = current_app.config["SETTINGS"]
    server = mail.server_of(settings)
    if server is None:
        raise InvalidInputError(["smtp_host: no mail server is set; copy the messages, or open them in a mail program"])
    kind, name = request.form.get("kind", ""), request.form.get("batch", "")
    named = list(dict.fromkeys(request.form.getlist("letter")))
    written = [_invitation(one) for one in named] if kind == "invitation" else _reminders(named)
    if not mailing.send(settings, server, g.study, name, kind, written, actor=current_user.name):
        db.session.rollback()  # the batch is running, and writes
    return redirect(url_for("researcher.show_letters", batch=name), code=303)


def _invitation(named: str) -> letters.Letter:
    """The invitation with the link shown on the previous page. Raises InvalidInputError if the link does not work."""
    pseudonym, _, link = named.partition(" ")
    token = link.rstrip("/").rpartition("/")[2]
    reader = db.session.query(Reader).filter_by(study_id=g.study.id, pseudonym=pseudonym).one_or_none()
    if reader is None or not hmac.compare_digest(reader.token_hash, readers.hashed(token)) or reader.revoked_at:
        raise InvalidInputError([f"letter: the link of {pseudonym[:80]!r} has changed; create a new one and send that"])
    address = current_app.config["SETTINGS"].reached_at or request.url_root
    return letters.invitation(g.study, reader.pseudonym, reader.email, readers.link(address, token))


def _reminders(named: Sequence[str]) -> list[letters.Letter]:
    """Reminders for the named readers who still have something to do; not for readers who have finished meanwhile."""
    numbers = [int(one) for one in named if forms.is_number(one)]
    found = db.session.query(Reader).filter(Reader.study_id == g.study.id, Reader.id.in_(numbers))
    return [letter for letter, _ in reminded({reader.id: reader for reader in found}) if letter.to]


def _batch(name: str) -> mailing.Batch:
    found = mailing.find(looking(), current_app.config["SETTINGS"].instance, g.study, name)
    return found if found is not None else abort(404)


@blueprint.get("/studies/<study>/letters/<batch>")
def show_letters(batch: str) -> ResponseReturnValue:
    """The outcome of each e-mail in a batch."""
    return render_template("researcher/letters.html", batch=_batch(batch), name=batch)


@blueprint.get("/studies/<study>/letters/<batch>.json")
def letters_status(batch: str) -> ResponseReturnValue:
    """The progress of a batch."""
    return _batch(batch).work.told()
