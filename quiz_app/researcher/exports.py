"""Downloads: the answers, and everything as one zip; also uploading and downloading the registration."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator

from flask import abort, current_app, g, request, send_file, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app import log
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import export, responses_csv
from quiz_app.researcher import blueprint, looking, owner_only, saved
from quiz_app.study import registering


def _csv(lines: Iterator[str], name: str) -> ResponseReturnValue:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return current_app.response_class(stream_with_context(lines), mimetype="text/csv", headers=headers)


def _named(name: str) -> str:
    """`name`, for a file of this study; records that it was downloaded, and by whom."""
    name = f"{g.study.slug}{name}"
    log.record("handed-over", study=g.study, actor=current_user.name, file=name)
    db.session.commit()
    return name


@blueprint.get("/studies/<study>/responses.csv")
def responses() -> ResponseReturnValue:
    """Every answer of the study, one row each; while the study is blinded, without the truth."""
    slug, blinded = g.study.slug, g.study.blinded

    def lines() -> Iterator[str]:
        with reading() as session:
            yield from responses_csv.lines(session, slug, blinded=blinded)

    return _csv(lines(), _named(f"-responses{'-blinded' if blinded else ''}.csv"))


@blueprint.get("/studies/<study>/responses.dictionary.csv")
def dictionary() -> ResponseReturnValue:
    """The meaning of the columns."""
    return _csv(responses_csv.dictionary(), f"{g.study.slug}-responses.dictionary.csv")


@blueprint.get("/studies/<study>/everything.zip")
def everything() -> ResponseReturnValue:
    """Responses, readers, cases, events and settings, and files for other software, in one zip."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  (send_file closes it)
    export.write(looking(), g.study, file)
    file.seek(0)
    name = _named(f"{'-blinded' if g.study.blinded else ''}.zip")
    return send_file(file, mimetype="application/zip", as_attachment=True, download_name=name)


@blueprint.post("/studies/<study>/register")
@owner_only
def register_study() -> ResponseReturnValue:
    """Store an uploaded registration with the study."""
    file = request.files.get("registration")
    try:
        text = file.read().decode("utf-8-sig") if file else ""
    except UnicodeDecodeError:
        raise InvalidInputError(["file: not a UTF-8 text file; save it as UTF-8 and try again"]) from None
    registering.register(g.study, text, actor=current_user.name)
    return saved("show_study", "Registration saved. Every report will state how far the study followed it.")


@blueprint.get("/studies/<study>/registration.json")
def download_registration() -> ResponseReturnValue:
    """The registration as uploaded."""
    if g.study.registration is None:
        abort(404)
    text = json.dumps(g.study.registration, indent=1, ensure_ascii=False) + "\n"
    headers = {"Content-Disposition": f'attachment; filename="{g.study.slug}-registration.json"'}
    return current_app.response_class(text, mimetype="application/json", headers=headers)
