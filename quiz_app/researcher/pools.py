"""Pools: list them, upload images, view them, leave a case out."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from flask import abort, current_app, redirect, render_template, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from PIL import Image
from werkzeug.datastructures import FileStorage

import generation.pool
from quiz_app import background, storage
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Pool, Study
from quiz_app.pools import fetching, images, importing, intake, survey, thumbnails
from quiz_app.pools.wishes import COMPARISONS, Choices, Wishes
from quiz_app.researcher import WayBack, blueprint, by_field, cancelled, looking, saved, uploads
from quiz_app.settings import Settings

THUMBNAIL = (320, 320)


def settings() -> Settings:
    """The settings of this application."""
    return current_app.config["SETTINGS"]


@blueprint.get("/pools/")
def list_pools() -> ResponseReturnValue:
    """Every pool, and the form to upload another."""
    return _page({})


def _page(faults: dict[str, str]) -> ResponseReturnValue:
    counted = (
        sa.select(Pool, sa.func.count(Case.id), sa.func.count(Case.excluded))
        .outerjoin(Case)
        .group_by(Pool.id)
        .order_by(Pool.id.desc())
    )
    rows = looking().execute(counted).all()
    page = render_template("researcher/pools.html", rows=rows, faults=faults, said=request.form, usual=Wishes(""))
    return page, 422 if faults else 200


@blueprint.post("/pools/")
@uploads
def bring_pool() -> ResponseReturnValue:
    """Accept an uploaded zip and start making a pool of it."""
    file = request.files.get("file")
    try:
        wishes = Wishes.from_form(request.form.to_dict())
        if not file:
            raise InvalidInputError(["file: choose a file"])
    except InvalidInputError as faulty:
        return _page(by_field(faulty) | ({} if file else {"file": "choose a file"}))
    with saved_upload(file, intake.home(settings().instance)) as upload:
        name = intake.begin(settings(), upload, wishes)
    return redirect(url_for("researcher.show_intake", name=name), code=303)


@contextmanager
def saved_upload(file: FileStorage, home: Path) -> Iterator[Path]:
    """The uploaded file in the folder `home`, from where it can be moved."""
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        file.save(Path(folder) / "upload.zip")
        yield Path(folder) / "upload.zip"


def coming(name: str) -> background.Work:
    """The state of an upload or a fetch; 404 if it does not exist."""
    folder = intake.home(settings().instance)
    return (background.find(folder / name) if name.isalnum() else None) or abort(404)


@blueprint.get("/pools/coming/<name>")
def show_intake(name: str) -> ResponseReturnValue:
    """The progress of an upload, and its result."""
    work, folder = coming(name), intake.home(settings().instance) / name
    from_archive = fetching.is_at_work(folder) or fetching.is_interrupted(folder, work)
    if work.state == "asking":
        return choosing(name, {}) if from_archive else _asking(name, work, {})
    made = json.loads((folder / intake.NOTES).read_text("utf-8")) if work.state == "done" else None
    return render_template(
        "researcher/intake.html",
        name=name,
        work=work,
        made=made,
        hidden=made is not None and _is_read_blindly(made["pool"]),
        from_archive=from_archive,
        fetched=fetching.progress(folder) if from_archive else (0, 0),
    )


def choosing(name: str, faults: dict[str, str]) -> ResponseReturnValue:
    """What a search of the archive found, and the choice of how many images to fetch."""
    found = fetching.Found.load(intake.home(settings().instance) / name)
    page = render_template(
        "researcher/pacs_found.html",
        name=name,
        found=found,
        most=fetching.MOST,
        faults=faults,
        said=request.form,
        usual=Wishes(""),
    )
    return page, 422 if faults else 200


def _asking(name: str, work: background.Work, faults: dict[str, str]) -> ResponseReturnValue:
    folder = intake.home(settings().instance) / name
    found, wishes = survey.load(folder), intake.asked(folder)
    chosen = {n: request.form.get(f"class-{n}") or one.guess for n, one in enumerate(found.folders)}
    page = render_template(
        "researcher/survey.html",
        name=name,
        work=work,
        found=found,
        chosen=chosen,
        compared=wishes.sets == COMPARISONS,
        lacking=intake.lacking(folder, found, {n: one for n, one in chosen.items() if one in generation.pool.TRUTHS}),
        faults=faults,
        said=request.form,
        most_framed=survey.MOST_FRAMED,
    )
    return page, 422 if faults else 200


@blueprint.post("/pools/coming/<name>")
def answer_intake(name: str) -> ResponseReturnValue:
    """Accept the answers about an upload: which class each folder belongs to, and what to do with bad files."""
    work = _surveyed(name)
    if "stop" in request.form:
        intake.stop(settings().instance, name)
    else:
        try:
            folder = intake.home(settings().instance) / name
            found, sets = survey.load(folder), intake.asked(folder).sets
            intake.answer(settings(), name, Choices.from_form(request.form, found, sets))
        except InvalidInputError as faulty:
            return _asking(name, work, by_field(faulty))
    return redirect(url_for("researcher.show_intake", name=name), code=303)


def _surveyed(name: str) -> background.Work:
    """An upload that awaits answers about its folders; 409 for one that does not."""
    work = coming(name)
    if work.state != "asking" or not (intake.home(settings().instance) / name / survey.FILE).exists():
        abort(409)
    return work


@blueprint.post("/pools/coming/<name>/more")
@uploads
def add_images(name: str) -> ResponseReturnValue:
    """Add images to an upload that awaits answers, such as synthetic images to those from the archive."""
    work = _surveyed(name)
    file = request.files.get("file")
    if not file:
        return _asking(name, work, {"file": "choose a file"})
    with saved_upload(file, intake.home(settings().instance)) as upload:
        intake.add(settings(), name, upload)
    return redirect(url_for("researcher.show_intake", name=name), code=303)


@blueprint.get("/pools/coming/<name>/seen/<int:folder>-<int:number>.png")
def seen_image(name: str, folder: int, number: int) -> ResponseReturnValue:
    """A thumbnail from an uploaded folder, while its upload awaits answers."""
    if coming(name).state != "asking":
        abort(404)
    return send_from_directory(intake.home(settings().instance) / name / survey.SEEN, f"{folder}-{number}.png")


@blueprint.get("/pools/coming/<name>/seen/text-<int:number>.png")
def framed_image(name: str, number: int) -> ResponseReturnValue:
    """A thumbnail of an image with the text framed, while its upload awaits answers."""
    if coming(name).state != "asking":
        abort(404)
    return send_from_directory(intake.home(settings().instance) / name / survey.SEEN, f"text-{number}.png")


@blueprint.post("/pools/coming/<name>/cancel")
def cancel_intake(name: str) -> ResponseReturnValue:
    """Stop making a pool of an upload and remove its files. A search or fetch is paused instead."""
    work, folder = coming(name), intake.home(settings().instance) / name
    if work.state == "making" and fetching.is_at_work(folder):
        abort(409)
    return cancelled(folder, "show_intake", name=name)


def _is_read_blindly(slug: str) -> bool:
    """Whether this pool is used by an opened study whose truth must not be seen yet."""
    opened = sa.select(Study).where(Study.pool.has(slug=slug), Study.opened_at.isnot(None))
    return any(study.blinded for study in looking().scalars(opened))


@blueprint.get("/pools/coming/<name>.json")
def intake_status(name: str) -> ResponseReturnValue:
    """The progress of an upload, for the waiting page."""
    return coming(name).told()


@blueprint.get("/pools/coming/<name>/<int:number>-<side>.png")
def specimen(name: str, number: int, side: str) -> ResponseReturnValue:
    """A thumbnail of an uploaded image: the original, or the image that readers get."""
    folder = intake.home(settings().instance) / name
    if coming(name).state == "done" and _is_read_blindly(
        json.loads((folder / intake.NOTES).read_text("utf-8"))["pool"]
    ):
        abort(403)
    folder /= intake.SPECIMENS
    return send_from_directory(folder, thumbnails.name(number, side))


@blueprint.get("/pools/<slug>/")
def show_pool(slug: str) -> ResponseReturnValue:
    """The images, without their truth."""
    pool = looking().scalar(sa.select(Pool).filter_by(slug=slug)) or abort(404)
    upload = intake.of_pool(settings().instance, slug)
    return render_template("researcher/pool.html", pool=pool, upload=upload)


@blueprint.get("/pools/<slug>/picture.png")
def picture(slug: str) -> ResponseReturnValue:
    """A thumbnail for the pool: the case whose stored name, which is random, comes first."""
    first = sa.select(Case).where(Case.pool.has(slug=slug), Case.excluded.is_(None)).order_by(Case.stored).limit(1)
    return _thumbnail(looking().scalar(first) or abort(404))


@blueprint.get("/pools/<slug>/cases/<int:case>.png")
def thumbnail(slug: str, case: int) -> ResponseReturnValue:
    """A thumbnail of a case, as its readers get it."""
    return _thumbnail(looking().scalar(sa.select(Case).where(Case.id == case, Case.pool.has(slug=slug))) or abort(404))


@blueprint.get("/pools/<slug>/cases/<int:case>/whole.png")
def whole_image(slug: str, case: int) -> ResponseReturnValue:
    """A case as its readers get it, at full size."""
    found = looking().scalar(sa.select(Case).where(Case.id == case, Case.pool.has(slug=slug))) or abort(404)
    headers = {"Cache-Control": "private, max-age=3600"}
    data = storage.read(settings().images, found.stored)
    return current_app.response_class(data, mimetype="image/png", headers=headers)


def _thumbnail(case: Case) -> ResponseReturnValue:
    with Image.open(io.BytesIO(storage.read(settings().images, case.stored))) as image:
        image.thumbnail(THUMBNAIL)
        small = images.encoded(image)
    headers = {"Cache-Control": "private, max-age=3600"}
    return current_app.response_class(small, mimetype="image/png", headers=headers)


@blueprint.post("/pools/<slug>/cases/<int:case>/exclude")
def exclude_case(slug: str, case: int) -> ResponseReturnValue:
    """Leave a case out, or include it again."""
    found = db.session.scalar(sa.select(Case).where(Case.id == case, Case.pool.has(slug=slug))) or abort(404)
    before = found.excluded or ""
    importing.exclude(found, request.form.get("reason", ""), actor=current_user.name)
    undo = WayBack(url_for("researcher.exclude_case", slug=slug, case=case), {"reason": before})
    said = f"{found.name} is {'left out' if found.excluded else 'included again'}."
    return saved("show_pool", said, undo=undo, slug=slug)
