"""What a researcher meets: studies, pools, readers, the monitor, exports and the report.

Every address needs log-in but the one where one logs in. Addresses under `/studies/<study>/` find their study here,
with its 404 and 403: looking needs the role of a viewer, writing that of a collaborator, and what a view marks with
`@owner_only` that of the owner. Looking never begins a transaction that holds up a reader's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, current_app, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import RateLimitExceeded
from flask_login import LoginManager, current_user
from markupsafe import Markup
from sqlalchemy.orm import Session

from quiz_app import background, clock
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.models import Researcher, Study
from quiz_app.study import history, researchers

blueprint = Blueprint("researcher", __name__, url_prefix="/researcher")
login = LoginManager()
login.login_view = "researcher.log_in"
login.login_message = ""
blueprint.record_once(lambda state: login.init_app(state.app))

MOST = 2**31 - 1  # the largest number of a row

_OWNER_ONLY: set[str] = set()
_UPLOADS: set[str] = set()


def owner_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view of a study that only its owner may use."""
    _OWNER_ONLY.add(f"researcher.{view.__name__}")
    return view


def uploads(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view that takes whole files, up to `max_upload_mb`."""
    _UPLOADS.add(f"researcher.{view.__name__}")
    return view


@login.user_loader
def load(remembered: str) -> Researcher | None:
    """The researcher of a session, unless the password has changed since."""
    number = remembered.partition("-")[0]
    with reading() as session:
        researcher = session.get(Researcher, int(number)) if number.isdecimal() else None
        if researcher is not None:
            session.expunge(researcher)
    return researcher if researcher is not None and researcher.get_id() == remembered else None


def looking() -> Session:
    """The session of a request that only looks; it lasts as long as the request."""
    if "looking" not in g:
        g.looking = Session(current_app.extensions["discern.looking"])
    return g.looking


@blueprint.teardown_request
def look_away(_error: BaseException | None) -> None:
    """Give the connection back."""
    if "looking" in g:
        g.pop("looking").close()


@blueprint.url_value_preprocessor
def take_study(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """The study named in the address is found by `let_in`; views get it as `g.study`.

    A number beyond those of the database names nothing. Only who is logged in may upload much.
    """
    g.study_slug = (values or {}).pop("study", None)
    if any(isinstance(value, int) and value > MOST for value in (values or {}).values()):
        abort(404)
    if endpoint in _UPLOADS and current_user.is_authenticated:
        request.max_content_length = current_app.config["SETTINGS"].max_upload_mb * 2**20


@blueprint.url_defaults
def keep_study(endpoint: str, values: dict[str, Any]) -> None:
    """Addresses made within a study's pages stay within it."""
    if g.get("study_slug") and current_app.url_map.is_endpoint_expecting(endpoint, "study"):
        values.setdefault("study", g.study_slug)


@blueprint.before_request
def let_in() -> ResponseReturnValue | None:
    """Log-in, and for a study the role that is needed."""
    if request.endpoint == login.login_view:
        return None
    if not current_user.is_authenticated:
        return login.unauthorized()
    if g.study_slug is not None:
        writing = request.method != "GET"
        session = db.session() if writing else looking()
        g.study = session.scalar(sa.select(Study).filter_by(slug=g.study_slug)) or abort(404)
        g.role = researchers.role(session, current_user, g.study)
        needed = "owner" if request.endpoint in _OWNER_ONLY else "collaborator" if writing else "viewer"
        if not researchers.may(g.role, needed):
            abort(403)
    return None


@blueprint.errorhandler(InvalidInputError)
def tell_faults(faulty: InvalidInputError) -> ResponseReturnValue:
    """Nothing was saved; say everything that was wrong."""
    db.session.rollback()
    return _message("Nothing was changed", faulty.faults, 422)


@blueprint.errorhandler(403)
def forbid(_error: Exception) -> ResponseReturnValue:
    """Somebody else's study, or more than one's role allows."""
    return _message("You do not have permission", ["Ask the owner of the study to add you to its team."], 403)


@blueprint.errorhandler(404)
def miss(_error: Exception) -> ResponseReturnValue:
    """No such study, pool or reader."""
    return _message("Page not found", [], 404)


@blueprint.errorhandler(413)
def take_less(_error: Exception) -> ResponseReturnValue:
    """More was sent than is taken here."""
    most = (request.max_content_length or 0) / 2**20
    return _message("Upload too large", [f"One upload can have at most {most:g} MB. Nothing was saved."], 413)


@blueprint.errorhandler(RateLimitExceeded)
def slow_down(error: RateLimitExceeded) -> ResponseReturnValue:
    """Too many attempts to log in."""
    return _message("Too many attempts", [f"The limit is {error.description}. Please wait, then try again."], 429)


def _message(heading: str, lines: list[str], status: int) -> ResponseReturnValue:
    return render_template("researcher/message.html", heading=heading, lines=lines), status


def saved(endpoint: str, said: str = "", **values: Any) -> ResponseReturnValue:
    """Commit, say what was done, and go on to the page at `endpoint`."""
    db.session.commit()
    if said:
        flash(said)
    return redirect(url_for(f"researcher.{endpoint}", **values), code=303)


def cancelled(folder: Path, endpoint: str, **values: Any) -> ResponseReturnValue:
    """Cancel the work in `folder`, say what became of it, and go on to the page at `endpoint`."""
    db.session.rollback()  # no reader's answer waits for a transaction of this request while the work ends
    done = background.cancel(folder)
    said = "Cancelled. Nothing was kept." if done else "Not cancelled: the work had already ended, or is about to."
    return saved(endpoint, said, **values)


def by_field(faulty: InvalidInputError) -> dict[str, str]:
    """The faults of a form, all of a field under its name."""
    found: dict[str, str] = {}
    for field, _, fault in (line.partition(": ") for line in faulty.faults):
        found[field] = f"{found[field]}; {fault}" if field in found else fault
    return found


def me() -> Researcher:
    """The researcher who is logged in, in the session that writes."""
    return db.session.get_one(Researcher, current_user.id)


@blueprint.app_template_filter("moment")
def moment(at: datetime | None) -> str:
    """A moment in UTC, which the page's script shows in the time zone of whoever looks; a dash for none."""
    if at is None:
        return "–"
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M} UTC</time>').format(at.isoformat(timespec="seconds"), at)


blueprint.add_app_template_filter(history.sentence, "sentence")
blueprint.add_app_template_filter(clock.dated, "dated")


from quiz_app.researcher import (  # noqa: E402, F401  (they add their views)
    account,
    exports,
    letters,
    pacs,
    people,
    planning,
    pools,
    preflight,
    readers,
    results,
    studies,
)
