"""The readers of a study: invite them, follow their progress, and act on a single reader."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence

import segno
from flask import abort, current_app, flash, g, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app import log
from quiz_app.database import commit_deletion, db
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import personal, responses_csv
from quiz_app.models import Reader
from quiz_app.researcher import WayBack, blueprint, by_field, forms, looking, saved
from quiz_app.researcher.letters import outgoing, reminded
from quiz_app.sittings import entry, returning, start
from quiz_app.study import deletion, letters, monitor, readers

# What was done to several readers at once.
TOLD = {
    "extend": "can answer until then",
    "revoke": "can no longer use their links; their answers stay",
    "give-back": "can use the same links again",
}


@blueprint.get("/studies/<study>/readers")
def list_readers() -> ResponseReturnValue:
    """Every reader, with their progress."""
    return _page()


def _page(faults: dict[str, str] | None = None) -> ResponseReturnValue:
    rows = monitor.progress(looking(), g.study)
    page = render_template(
        "researcher/readers.html",
        rows=rows,
        groups=Counter(row.group or "no group yet" for row in rows),
        by_open_link=readers.came_by_open_link(g.study),
        returning=returning.returning(looking(), g.study),
        reminders=returning.reminders(g.study),
        said=request.form,
        faults=faults or {},
    )
    return page, 422 if faults else 200


@blueprint.post("/studies/<study>/readers")
def invite_readers() -> ResponseReturnValue:
    """Invite everyone listed; only the page returned here shows their links."""
    try:
        lists = (request.form.get("pseudonyms", ""), _uploaded("file"))
        invited = [one for text in lists for one in readers.invitations(text, request.form.get("group", ""))]
        let_in = readers.invite_all(g.study, invited, actor=current_user.name)
    except InvalidInputError as faulty:
        db.session.rollback()
        return _page(by_field(faulty))
    db.session.commit()
    return _links([(reader.pseudonym, reader.group or "", reader.email, _link(token)) for reader, token in let_in])


def _uploaded(name: str) -> str:
    """The text of an uploaded list, in any encoding that spreadsheets use. Raises InvalidInputError."""
    file = request.files.get(name)
    data = file.read() if file else b""
    if b"\0" in data:
        raise InvalidInputError([f"{name}: not a text file; save the list as CSV"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # the encoding of spreadsheets on Windows


def _link(token: str) -> str:
    """A personal link under the address at which readers reach this server."""
    return readers.link(_base(), token)


def _base() -> str:
    return current_app.config["SETTINGS"].reached_at or request.url_root


def _links(rows: list[tuple[str, str, str | None, str]]) -> ResponseReturnValue:
    """The only page that shows these links: as a list, as CSV and as QR codes to print."""
    flash("These links are shown only once: save them before you leave this page.", "warn")
    written = [letters.invitation(g.study, name, email, link) for name, _, email, link in rows]
    heading = ("reader", "group", "email", "link", "subject", "message")
    lines = [heading, *((*row, letter.subject, letter.text) for row, letter in zip(rows, written, strict=True))]
    codes = {row[3]: segno.make_qr(row[3], error="m").svg_data_uri(scale=4, border=2) for row in rows}
    named = [(letter, f"{row[0]} {row[3]}") for row, letter in zip(rows, written, strict=True)]
    return render_template(
        "researcher/links.html",
        rows=list(zip(rows, written, strict=True)),
        codes=codes,
        out=outgoing("invitation", named),
        **_files(lines, written),
    )


def _files(lines: Sequence[tuple[str | None, ...]], written: list[letters.Letter]) -> dict[str, str]:
    """The files offered on a page with messages: a table for a mail merge, the messages, and the closing date."""
    table = "".join(map(responses_csv.line, lines)).encode()
    day = letters.calendar(g.study)
    return {
        "table": _data("text/csv", table),
        "messages": _data("application/zip", letters.as_files(written)) if any(one.to for one in written) else "",
        "calendar": _data("text/calendar", day) if day else "",
    }


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@blueprint.post("/studies/<study>/readers/selected")
def act_on_readers() -> ResponseReturnValue:
    """Remind several readers, extend their time, withdraw their links or let them work again: all of them or none."""
    numbers = dict.fromkeys(int(number) for number in request.form.getlist("reader") if forms.is_number(number))
    chosen = [_reader(number) for number in numbers]
    deed, reason = request.form.get("deed", ""), request.form.get("reason", "")
    if not chosen:
        raise InvalidInputError(["reader: select at least one reader"])
    if deed == "remind":
        return _reminders({reader.id: reader for reader in chosen})
    if deed not in TOLD:
        raise InvalidInputError([f"deed: {deed!r} is not one of remind, {', '.join(TOLD)}"])
    undo = _links_back(chosen) if deed == "revoke" else None
    for reader in chosen:
        if deed == "extend":
            readers.extend(reader, request.form.get("until", ""), reason, actor=current_user.name)
        elif deed == "revoke":
            readers.revoke(reader, reason, actor=current_user.name)
        else:
            readers.give_back(reader, actor=current_user.name)
    many = f"{len(chosen)} readers" if len(chosen) > 1 else chosen[0].pseudonym
    return saved("list_readers", f"{many} {TOLD[deed]}.", undo=undo)


def _links_back(chosen: Sequence[Reader]) -> WayBack | None:
    """The way back from withdrawing the links of these readers; none where one of them was withdrawn before."""
    if any(reader.revoked_at for reader in chosen):
        return None
    fields: dict[str, str | list[str]] = {"deed": "give-back", "reader": [str(reader.id) for reader in chosen]}
    return WayBack(url_for("researcher.act_on_readers"), fields)


def _reminders(chosen: dict[int, Reader]) -> ResponseReturnValue:
    named = reminded(chosen)
    written = [letter for letter, _ in named]
    if not written:
        raise InvalidInputError(
            [
                "reader: everyone you selected has finished, has withdrawn, "
                "has no valid link or must wait for the next part"
            ]
        )
    lines = [("reader", "email", "subject", "message")]
    lines += [(letter.reader, letter.to, letter.subject, letter.text) for letter in written]
    return render_template(
        "researcher/reminders.html",
        letters=written,
        left=len(chosen) - len(written),
        out=outgoing("reminder", named),
        **_files(lines, written),
    )


def _reader(number: int) -> Reader:
    """The reader of this study with this number; 404 if there is none."""
    session = looking() if request.method == "GET" else db.session()
    reader = session.get(Reader, number)
    return reader if reader is not None and reader.study_id == g.study.id else abort(404)


@blueprint.get("/studies/<study>/readers/<int:reader>")
def show_reader(reader: int) -> ResponseReturnValue:
    """One reader, and the possible actions."""
    found = _reader(reader)
    own = [question for question in entry.own_questions(found.study) if question.words in found.profile]
    return render_template("researcher/reader.html", reader=found, questions=own, told=entry.answered(found))


@blueprint.post("/studies/<study>/readers/<int:reader>/export")
def export_reader(reader: int) -> ResponseReturnValue:
    """Everything stored about the reader, at the reader's request. POST, because a viewer is not allowed to have it."""
    found = _reader(reader)
    file = io.BytesIO(personal.written(db.session(), found).encode())
    name = f"{found.study.slug}-{found.pseudonym}.json"
    log.record("reader-exported", study=found.study, actor=current_user.name, reader=found.pseudonym)
    db.session.commit()
    return send_file(file, mimetype="application/json", as_attachment=True, download_name=name)


@blueprint.post("/studies/<study>/readers/<int:reader>/correct")
def correct_reader(reader: int) -> ResponseReturnValue:
    """Correct what is stored about the reader."""
    entry.correct(_reader(reader), request.form, actor=current_user.name)
    return saved("show_reader", "The reader's details were corrected.", reader=reader)


@blueprint.post("/studies/<study>/readers/<int:reader>/revoke")
def revoke_reader(reader: int) -> ResponseReturnValue:
    """Withdraw a link; the answers are kept."""
    found = _reader(reader)
    undo = _links_back([found])
    readers.revoke(found, request.form.get("reason", ""), actor=current_user.name)
    return saved("list_readers", f"The link of {found.pseudonym} no longer works. The answers stay.", undo=undo)


@blueprint.post("/studies/<study>/readers/<int:reader>/renew")
def renew_reader(reader: int) -> ResponseReturnValue:
    """Create a new link for a reader who has lost theirs."""
    found = _reader(reader)
    token = readers.renew(found, actor=current_user.name)
    db.session.commit()
    return _links([(found.pseudonym, found.group or "", found.email, _link(token))])


@blueprint.post("/studies/<study>/readers/<int:reader>/extend")
def extend_reader(reader: int) -> ResponseReturnValue:
    """Set a closing date for this reader."""
    said = request.form
    readers.extend(_reader(reader), said.get("until", ""), said.get("reason", ""), actor=current_user.name)
    return saved("show_reader", "The reader can answer until then.", reader=reader)


@blueprint.post("/studies/<study>/readers/<int:reader>/reset")
def reset_reader(reader: int) -> ResponseReturnValue:
    """Let a reader start again."""
    start.reset(_reader(reader), request.form.get("reason", ""), actor=current_user.name)
    return saved("show_reader", "The reader can start again. The earlier answers stay on record.", reader=reader)


@blueprint.post("/studies/<study>/readers/<int:reader>/delete")
def delete_reader(reader: int) -> ResponseReturnValue:
    """Delete everything the reader gave, on request."""
    instance = current_app.config["SETTINGS"].instance
    reason = request.form.get("reason", "")
    certificate = deletion.delete_reader(_reader(reader), reason, instance, actor=current_user.name)
    commit_deletion()
    file = _data("text/plain;charset=utf-8", certificate.encode())
    return render_template("researcher/certificate.html", certificate=certificate, file=file)


@blueprint.post("/studies/<study>/open-link")
def offer_open_link() -> ResponseReturnValue:
    """Create one link for many readers."""
    token = readers.offer_open_link(g.study, request.form.get("cap", ""), actor=current_user.name)
    db.session.commit()
    link = _base().rstrip("/") + url_for("join.welcome", token=token)
    return _links([("open link", f"for up to {g.study.open_cap} readers", None, link)])


@blueprint.post("/studies/<study>/open-link/withdraw")
def withdraw_open_link() -> ResponseReturnValue:
    """Withdraw the open link."""
    readers.withdraw_open_link(g.study, actor=current_user.name)
    return saved("list_readers", "The open link no longer works. Readers who registered with it stay.")
