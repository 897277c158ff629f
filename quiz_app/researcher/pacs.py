"""Images from the hospital's archive: search, choose how many, fetch, pause and continue. Then like any upload."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from generation.pacs import MODALITIES
from quiz_app import log
from quiz_app.errors import InvalidInputError
from quiz_app.pools import fetching, intake
from quiz_app.researcher import blueprint, by_field, pools, saved


@blueprint.get("/pacs")
def search_form() -> ResponseReturnValue:
    """The search form, and earlier searches that are not a pool yet."""
    return _form({})


def _form(faults: dict[str, str]) -> ResponseReturnValue:
    missing = ""
    try:
        fetching.archive(pools.settings())
    except InvalidInputError as faulty:
        [missing] = faulty.faults
    page = render_template(
        "researcher/pacs.html",
        missing=missing,
        faults=faults,
        said=request.values,
        modalities=MODALITIES,
        unfinished=fetching.unfinished(pools.settings().instance),
    )
    return page, 422 if faults else 200


@blueprint.post("/pacs")
def search() -> ResponseReturnValue:
    """Start a search of the archive."""
    try:
        asked = fetching.query(request.form)
    except InvalidInputError as faulty:
        return _form(by_field(faulty))
    name = fetching.begin(pools.settings(), asked)
    log.record("pacs-searched", actor=current_user.name, work=name, query=asdict(asked))
    return saved("show_intake", name=name)


def _folder(name: str, *states: str) -> Path:
    """The folder of a search or fetch in one of these states; 404 if there is none, 409 in other states."""
    work, folder = pools.coming(name), intake.home(pools.settings().instance) / name
    if work.state not in states or not (fetching.is_at_work(folder) or fetching.is_interrupted(folder, work)):
        abort(409)
    return folder


@blueprint.post("/pools/coming/<name>/fetch")
def fetch(name: str) -> ResponseReturnValue:
    """Fetch the images found."""
    _folder(name, "asking")
    try:
        limit = fetching.fetch(pools.settings(), name, request.form.get("limit", ""), request.form)
    except InvalidInputError as faulty:
        return pools.choosing(name, by_field(faulty))
    log.record("pacs-fetched", actor=current_user.name, work=name, images=limit)
    return saved("show_intake", name=name)


@blueprint.post("/pools/coming/<name>/pause")
def pause(name: str) -> ResponseReturnValue:
    """Pause searching or fetching."""
    fetching.pause(_folder(name, "making"))
    return redirect(url_for("researcher.show_intake", name=name), code=303)


@blueprint.post("/pools/coming/<name>/resume")
def resume(name: str) -> ResponseReturnValue:
    """Continue where it stopped."""
    _folder(name, "failed", "stopped")
    fetching.resume(pools.settings(), name)
    return redirect(url_for("researcher.show_intake", name=name), code=303)


@blueprint.post("/pools/coming/<name>/discard")
def discard(name: str) -> ResponseReturnValue:
    """Remove what was found and fetched."""
    _folder(name, "asking", "failed", "stopped")
    intake.stop(pools.settings().instance, name)
    return redirect(url_for("researcher.search_form"), code=303)
