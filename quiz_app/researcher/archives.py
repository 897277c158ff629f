"""The archive of a study: create it, download it, and restore a study. Creating and restoring run in the background."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from flask import abort, current_app, g, redirect, render_template, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app import background, log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archiving, restoring
from quiz_app.models import Study
from quiz_app.researcher import blueprint, cancelled, looking, owner_only, saved, uploads
from quiz_app.researcher.pools import saved_upload
from quiz_app.settings import Settings


def _settings() -> Settings:
    return current_app.config["SETTINGS"]


@blueprint.get("/studies/<study>/archive")
@owner_only
def show_archive() -> ResponseReturnValue:
    """The current archive, and the button for a new one. It contains the truth, so there is none before the close."""
    instance = _settings().instance
    archiving.sweep(instance)
    return render_template(
        "researcher/archive.html",
        now=archiving.key(looking(), instance, g.study),
        kept=archiving.kept(instance, g.study),
        hours=archiving.KEPT.total_seconds() / 3600,
    )


@blueprint.post("/studies/<study>/archive")
@owner_only
def make_archive() -> ResponseReturnValue:
    """Start creating the archive of the current study in the background."""
    if g.study.blinded:
        abort(403)
    archiving.sweep(_settings().instance)
    archiving.make(_settings(), g.study, archiving.key(looking(), _settings().instance, g.study))
    return saved("show_archive")


def _archive(key: str) -> archiving.Made:
    """The archive of this study with this key; 403 while the study is blinded, 404 if there is none."""
    if g.study.blinded:
        abort(403)
    archiving.sweep(_settings().instance)
    found = [made for made in archiving.kept(_settings().instance, g.study) if made.key == key]
    return found[0] if found else abort(404)


@blueprint.get("/studies/<study>/archive/<key>.json")
@owner_only
def archive_status(key: str) -> ResponseReturnValue:
    """The progress of an archive."""
    return _archive(key).work.told()


@blueprint.post("/studies/<study>/archive/<key>/cancel")
@owner_only
def cancel_archive(key: str) -> ResponseReturnValue:
    """Stop creating an archive; nothing is kept."""
    return cancelled(archiving.home(_settings().instance, g.study) / _archive(key).key, "show_archive")


@blueprint.get("/studies/<study>/archive/<key>.zip")
@owner_only
def download_archive(key: str) -> ResponseReturnValue:
    """The file of an archive; the download is recorded."""
    made = _archive(key)
    if made.work.state != "done":
        abort(404)
    folder, name = archiving.home(_settings().instance, g.study) / made.key, f"{g.study.slug}-archive.zip"
    response = send_from_directory(folder, archiving.NAME, as_attachment=True, download_name=name)
    log.record("handed-over", study=g.study, actor=current_user.name, file=name)
    db.session.commit()
    return response


@blueprint.post("/studies/new/archive")
@uploads
def restore_archive() -> ResponseReturnValue:
    """Accept an uploaded archive and start restoring its study."""
    file, home = request.files.get("archive"), restoring.home(_settings().instance, current_user)
    restoring.sweep(_settings().instance)
    if not file:
        raise InvalidInputError(["archive: choose a file"])
    with saved_upload(file, home) as upload:
        name = restoring.begin(_settings(), upload, current_user)
    return redirect(url_for("researcher.show_restoring", name=name), code=303)


def _restoring(name: str) -> tuple[Path, background.Work]:
    """The state of an archive that this researcher has uploaded; 404 if it does not exist."""
    folder = restoring.home(_settings().instance, current_user) / name
    return folder, (background.find(folder) if name.isalnum() else None) or abort(404)


@blueprint.get("/restoring/<name>")
def show_restoring(name: str) -> ResponseReturnValue:
    """The progress of restoring, and its result."""
    folder, work = _restoring(name)
    slug = restoring.restored(folder) if work.state == "done" else ""
    study = looking().scalar(sa.select(Study).filter_by(slug=slug))
    return render_template("researcher/restoring.html", name=name, work=work, restored=study)


@blueprint.get("/restoring/<name>.json")
def restoring_status(name: str) -> ResponseReturnValue:
    """The progress of restoring, for the waiting page."""
    return _restoring(name)[1].told()


@blueprint.post("/restoring/<name>/cancel")
def cancel_restoring(name: str) -> ResponseReturnValue:
    """Stop restoring; nothing is kept, and the uploaded file is removed."""
    return cancelled(_restoring(name)[0], "show_restoring", name=name)
