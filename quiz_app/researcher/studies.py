"""Studies: list, create, set up, preview, open, close, copy."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from flask import current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from quiz_app import clock
from quiz_app.caching import FRESH_S, cache
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archiving, mirror, restoring
from quiz_app.models import Event, Pool
from quiz_app.researcher import WayBack, blueprint, by_field, forms, looking, me, owner_only, saved
from quiz_app.sittings import returning
from quiz_app.study import conditions, guide, hints, history, lifecycle, looks, monitor, plan, readers, researchers

LATEST = 6  # events on the overview


@blueprint.get("/")
def list_studies() -> ResponseReturnValue:
    """Every study in which the researcher has a role; `?away` lists those that were archived."""
    away = "away" in request.args
    for work in (archiving, restoring):  # visits to the desk remove expired files
        work.sweep(current_app.config["SETTINGS"].instance)
    rows = [
        (study, role, monitor.summary(monitor.progress(looking(), study)))
        for study, role in researchers.studies(looking(), current_user)
        if (study.archived_at is not None) == away
    ]
    return render_template("researcher/studies.html", rows=rows, away=away, pools=_pools())


@blueprint.route("/studies/new", methods=["GET", "POST"])
def new_study() -> ResponseReturnValue:
    """Create a draft from a preset on an imported pool."""
    faults: dict[str, str] = {}
    if request.method == "POST":
        try:
            return _create()
        except InvalidInputError as faulty:
            db.session.rollback()
            faults = by_field(faulty)
    page = render_template(
        "researcher/new_study.html", pools=_pools(), presets=lifecycle.PRESETS, said=request.values, faults=faults
    )
    return page, 422 if faults else 200


def _pools() -> Sequence[Pool]:
    return looking().scalars(sa.select(Pool).order_by(Pool.id.desc())).all()


def _create() -> ResponseReturnValue:
    said = request.form
    cases = said.get("cases", "").strip()
    study = lifecycle.create(
        said.get("title", ""),
        db.session.scalar(sa.select(Pool).filter_by(slug=said.get("pool", ""))),
        slug=said.get("slug", "").strip(),
        preset=said.get("preset", ""),
        settings={"cases": int(cases) if forms.is_number(cases) else cases[:80]} if cases else None,
        owner=me(),
    )
    return saved("show_study", "Draft created. Readers can start once you open the study.", study=study.slug)


@blueprint.post("/studies/new/plan")
def make_from_plan() -> ResponseReturnValue:
    """Create a draft from an uploaded plan."""
    file = request.files.get("plan")
    try:
        text = file.read().decode("utf-8-sig") if file else ""
    except UnicodeDecodeError:
        raise InvalidInputError(["file: not a UTF-8 text file; save it as UTF-8 and try again"]) from None
    study = plan.make(text, pool=request.form.get("pool", ""), slug=request.form.get("slug", "").strip(), owner=me())
    return saved("show_study", "Draft created from the plan.", study=study.slug)


@blueprint.get("/studies/<study>/plan.toml")
def download_plan() -> ResponseReturnValue:
    """Everything needed to create the study again, for a publication or another installation."""
    headers = {"Content-Disposition": f'attachment; filename="{g.study.slug}.toml"'}
    return current_app.response_class(plan.dump(g.study), mimetype="application/toml", headers=headers)


@blueprint.route("/studies/<study>/settings", methods=["GET", "POST"])
def study_settings() -> ResponseReturnValue:
    """The form with every setting."""
    faults: dict[str, str] = {}
    if request.method == "POST":
        try:
            said, title = forms.settings(request.form, g.study.rules), request.form.get("title")
            changed = lifecycle.change(g.study, said, title=title, actor=current_user.name)
            return saved("study_settings", f"Saved: {', '.join(changed)}." if changed else "Nothing has changed.")
        except InvalidInputError as faulty:
            db.session.rollback()
            faults = by_field(faulty)
    frozen = g.study.state == "closed" or lifecycle.answers(g.study) > 0
    page = render_template(
        "researcher/settings.html",
        sections=forms.sections(g.study.rules, request.form if faults else None),
        faults=faults,
        open_fields=lifecycle.CHANGEABLE_ANY_TIME if frozen else None,
        shows_hints=bool(g.study.hints or conditions.showing_hints(g.study.rules)),
    )
    return page, 422 if faults else 200


@blueprint.post("/studies/<study>/hints")
def upload_hints() -> ResponseReturnValue:
    """Upload a CSV file with hints for the cases; no answers are affected."""
    file = request.files.get("hints")
    try:
        text = file.read().decode("utf-8-sig") if file and file.filename else ""
    except UnicodeDecodeError:
        raise InvalidInputError([f"{file and file.filename}: not a UTF-8 file; save the table as CSV UTF-8"]) from None
    if not text:
        raise InvalidInputError(["hints: no file was chosen"])
    count = hints.bring(g.study, text, name=file.filename or "hints.csv", actor=current_user.name)  # type: ignore[union-attr]
    return saved("study_settings", f"{count} hints were saved with the study.")


@blueprint.post("/studies/<study>/preview")
def preview_study() -> ResponseReturnValue:
    """Take the study like a reader; the answers do not count."""
    token = readers.preview(g.study, actor=current_user.name)
    db.session.commit()
    return redirect(url_for("reader.start", token=token), code=303)


@blueprint.post("/studies/<study>/copy")
def copy_study() -> ResponseReturnValue:
    """Create a draft with the same pool and settings, without the readers."""
    twin = lifecycle.copy(g.study, owner=me())
    return saved("show_study", "Copy created. It is a draft without readers.", study=twin.slug)


@blueprint.get("/studies/<study>/")
def show_study() -> ResponseReturnValue:
    """The study as a list of steps, with the next one as a button."""
    planned = looks.listed(looking(), g.study) if g.study.state != "draft" else []
    rows, days = monitor.progress(looking(), g.study), guide.answers_by_day(looking(), g.study)
    latest = sa.select(Event).where(Event.study_id == g.study.id, Event.kind.notin_(history.MINOR))
    return render_template(
        "researcher/study.html",
        summary=monitor.summary(rows),
        may_come=sum(one.may_come for one in returning.returning(looking(), g.study)),
        steps=guide.steps(looking(), g.study, rows, current_app.config["SETTINGS"], days),
        days=days,
        events=looking().scalars(latest.order_by(Event.id.desc()).limit(LATEST)).all(),
        looks=planned,
        due=looks.due(planned) if g.study.state == "open" else None,
        reasons=lifecycle.may_not_open(g.study) if g.study.state == "draft" else [],
    )


@blueprint.get("/studies/<study>/live")
def watch_study() -> ResponseReturnValue:
    """Who is reading, their progress and pace, and what is unusual; `?part` requests only the part that updates."""
    part = _moving_part()
    return part if "part" in request.args else render_template("researcher/live.html", part=part)


# The same for everyone who may view this study. It contains no truth; pages from before and after unblinding are
# cached separately.
@cache.cached(timeout=FRESH_S, make_cache_key=lambda: f"live-{g.study.id}-{'blinded' if g.study.blinded else 'open'}")
def _moving_part() -> str:
    rows = monitor.progress(looking(), g.study)
    mirrored = mirror.status(looking()) if current_app.config["SETTINGS"].firestore_credentials else None
    exposures = monitor.exposures(looking(), g.study)
    return render_template(
        "researcher/live_part.html",
        rows=rows,
        summary=monitor.summary(rows),
        mirrored=mirrored,
        exposures=exposures,
        now=clock.now(),
    )


@blueprint.post("/studies/<study>/open")
def open_study() -> ResponseReturnValue:
    """Open the study: readers can begin."""
    lifecycle.open_study(g.study, actor=current_user.name)
    return saved("show_study", "The study is open. Readers with a link can start.")


@blueprint.post("/studies/<study>/close")
def close_study() -> ResponseReturnValue:
    """Close the study: readers can no longer answer."""
    lifecycle.close(g.study, actor=current_user.name)
    return saved("show_study", "The study is closed. Readers can no longer answer.")


@blueprint.post("/studies/<study>/looks")
@owner_only
def take_look() -> ResponseReturnValue:
    """Take the next planned look, which only says whether to stop or continue."""
    said = looks.take(current_app.config["SETTINGS"], g.study, actor=current_user.name)
    return saved("show_study", said)


@blueprint.post("/studies/<study>/reopen")
@owner_only
def reopen_study() -> ResponseReturnValue:
    """Let readers answer again, for a reason."""
    lifecycle.reopen(g.study, request.form.get("reason", ""), actor=current_user.name)
    return saved(
        "show_study", "The study is open again. The log and every report will state that the truth was visible before."
    )


@blueprint.post("/studies/<study>/put-away")
def put_away_study() -> ResponseReturnValue:
    """Archive a closed study, or unarchive it."""
    away = request.form.get("away") == "yes"
    lifecycle.put_away(g.study, away=away, actor=current_user.name)
    undo = WayBack(url_for("researcher.put_away_study"), {"away": "no"}) if away else None
    return saved(
        "list_studies", f"{g.study.title} is {'archived' if away else 'back in the list of studies'}.", undo=undo
    )
