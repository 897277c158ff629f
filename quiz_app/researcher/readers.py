"""The readers of a study: invite them, see who is how far, and what can be done for one of them."""

from __future__ import annotations

import base64
import io
from collections import Counter

import segno
from flask import abort, current_app, flash, g, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app import log
from quiz_app.database import commit_deletion, db
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import personal, responses_csv
from quiz_app.models import Reader
from quiz_app.researcher import blueprint, by_field, looking, saved
from quiz_app.sittings import entry, returning, start
from quiz_app.study import deletion, monitor, readers


@blueprint.get("/studies/<study>/readers")
def list_readers() -> ResponseReturnValue:
    """Who is how far."""
    return _page()


def _page(faults: dict[str, str] | None = None) -> ResponseReturnValue:
    rows = monitor.progress(looking(), g.study)
    page = render_template(
        "researcher/readers.html",
        rows=rows,
        groups=Counter(row.group or "not said yet" for row in rows),
        by_open_link=readers.came_by_open_link(g.study),
        returning=returning.returning(looking(), g.study),
        reminders=returning.reminders(g.study),
        said=request.form,
        faults=faults or {},
    )
    return page, 422 if faults else 200


@blueprint.post("/studies/<study>/readers")
def invite_readers() -> ResponseReturnValue:
    """Invite everyone named; the page that answers is the only one that shows their links."""
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
    """The text of an uploaded list, as spreadsheets write it. Raises InvalidInputError."""
    file = request.files.get(name)
    data = file.read() if file else b""
    if b"\0" in data:
        raise InvalidInputError([f"{name}: is not a text file; save the list as CSV"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # what a spreadsheet on Windows writes


def _link(token: str) -> str:
    """A personal link under the address at which readers reach this server."""
    return readers.link(_base(), token)


def _base() -> str:
    return current_app.config["SETTINGS"].reached_at or request.url_root


def _links(rows: list[tuple[str, str, str | None, str]]) -> ResponseReturnValue:
    """The one page that shows these links: as a list, as CSV, as QR codes to print."""
    flash("These links are shown only now: keep them before you leave this page.", "warn")
    table = "".join(map(responses_csv.line, [("reader", "group", "email", "link"), *rows]))
    data = base64.b64encode(table.encode()).decode()
    codes = {row[3]: segno.make_qr(row[3], error="m").svg_data_uri(scale=4, border=2) for row in rows}
    return render_template("researcher/links.html", rows=rows, codes=codes, table=f"data:text/csv;base64,{data}")


def _reader(number: int) -> Reader:
    """The reader of this study with this number, or 404."""
    session = looking() if request.method == "GET" else db.session()
    reader = session.get(Reader, number)
    return reader if reader is not None and reader.study_id == g.study.id else abort(404)


@blueprint.get("/studies/<study>/readers/<int:reader>")
def show_reader(reader: int) -> ResponseReturnValue:
    """One reader, and what can be done."""
    found = _reader(reader)
    own = [question for question in entry.own_questions(found.study) if question.words in found.profile]
    return render_template("researcher/reader.html", reader=found, questions=own, told=entry.answered(found))


@blueprint.post("/studies/<study>/readers/<int:reader>/export")
def export_reader(reader: int) -> ResponseReturnValue:
    """All that is stored about the reader, for the reader who asks for it. A viewer may not have it: hence POST."""
    found = _reader(reader)
    file = io.BytesIO(personal.written(db.session(), found).encode())
    name = f"{found.study.slug}-{found.pseudonym}.json"
    log.record("reader-exported", study=found.study, actor=current_user.name, reader=found.pseudonym)
    db.session.commit()
    return send_file(file, mimetype="application/json", as_attachment=True, download_name=name)


@blueprint.post("/studies/<study>/readers/<int:reader>/correct")
def correct_reader(reader: int) -> ResponseReturnValue:
    """What is stored about the reader is put right."""
    entry.correct(_reader(reader), request.form, actor=current_user.name)
    return saved("show_reader", "What is stored about the reader was changed.", reader=reader)


@blueprint.post("/studies/<study>/readers/<int:reader>/revoke")
def revoke_reader(reader: int) -> ResponseReturnValue:
    """Withdraw a link; the answers stay."""
    found = _reader(reader)
    readers.revoke(found, request.form.get("reason", ""), actor=current_user.name)
    return saved("list_readers", f"The link of {found.pseudonym} opens nothing from now on; the answers stay.")


@blueprint.post("/studies/<study>/readers/<int:reader>/renew")
def renew_reader(reader: int) -> ResponseReturnValue:
    """A new link for one who has lost theirs."""
    found = _reader(reader)
    token = readers.renew(found, actor=current_user.name)
    db.session.commit()
    return _links([(found.pseudonym, found.group or "", found.email, _link(token))])


@blueprint.post("/studies/<study>/readers/<int:reader>/extend")
def extend_reader(reader: int) -> ResponseReturnValue:
    """A closing date of the reader's own."""
    said = request.form
    readers.extend(_reader(reader), said.get("until", ""), said.get("reason", ""), actor=current_user.name)
    return saved("show_reader", "The reader may come until then.", reader=reader)


@blueprint.post("/studies/<study>/readers/<int:reader>/reset")
def reset_reader(reader: int) -> ResponseReturnValue:
    """Begin anew."""
    start.reset(_reader(reader), request.form.get("reason", ""), actor=current_user.name)
    return saved("show_reader", "The reader begins anew; the earlier answers stay on record.", reader=reader)


@blueprint.post("/studies/<study>/readers/<int:reader>/delete")
def delete_reader(reader: int) -> ResponseReturnValue:
    """Everything the reader gave, on request."""
    instance = current_app.config["SETTINGS"].instance
    reason = request.form.get("reason", "")
    certificate = deletion.delete_reader(_reader(reader), reason, instance, actor=current_user.name)
    commit_deletion()
    data = base64.b64encode(certificate.encode()).decode()
    return render_template(
        "researcher/certificate.html", certificate=certificate, file=f"data:text/plain;charset=utf-8;base64,{data}"
    )


@blueprint.post("/studies/<study>/open-link")
def offer_open_link() -> ResponseReturnValue:
    """One link for many."""
    token = readers.offer_open_link(g.study, request.form.get("cap", ""), actor=current_user.name)
    db.session.commit()
    link = _base().rstrip("/") + url_for("join.welcome", token=token)
    return _links([("open link", f"for up to {g.study.open_cap} readers", None, link)])


@blueprint.post("/studies/<study>/open-link/withdraw")
def withdraw_open_link() -> ResponseReturnValue:
    """Nobody else comes in by it."""
    readers.withdraw_open_link(g.study, actor=current_user.name)
    return saved("list_readers", "The open link opens nothing from now on; who came by it stays.")
