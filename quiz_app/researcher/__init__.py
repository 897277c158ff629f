"""The researcher's desk: studies, pools, readers, the monitor, exports and the report.

Every address except the log-in page requires log-in. Addresses under `/studies/<study>/` find their study here, with
404 and 403: reading requires the role of a viewer, writing that of a collaborator, and views marked `@owner_only` that
of the owner. Reading never begins a transaction that delays a reader's answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
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

MOST = 2**31 - 1  # the largest row number

_OWNER_ONLY: set[str] = set()
_UPLOADS: set[str] = set()


def owner_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view of a study that only its owner can use."""
    _OWNER_ONLY.add(f"researcher.{view.__name__}")
    return view


def uploads(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view that accepts files of up to `max_upload_mb`."""
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
    """The session of a read-only request; it lasts as long as the request."""
    if "looking" not in g:
        g.looking = Session(current_app.extensions["discern.looking"])
    return g.looking


@blueprint.teardown_request
def look_away(_error: BaseException | None) -> None:
    """Return the connection."""
    if "looking" in g:
        g.pop("looking").close()


@blueprint.url_value_preprocessor
def take_study(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Take the study named in the address; `let_in` finds it, and views get it as `g.study`.

    Numbers too large for the database are not found. Only users who are logged in may make large uploads.
    """
    g.study_slug = (values or {}).pop("study", None)
    if any(isinstance(value, int) and value > MOST for value in (values or {}).values()):
        abort(404)
    if endpoint in _UPLOADS and current_user.is_authenticated:
        request.max_content_length = current_app.config["SETTINGS"].max_upload_mb * 2**20


@blueprint.url_defaults
def keep_study(endpoint: str, values: dict[str, Any]) -> None:
    """Add the study to addresses created in its pages."""
    if g.get("study_slug") and current_app.url_map.is_endpoint_expecting(endpoint, "study"):
        values.setdefault("study", g.study_slug)


@blueprint.before_request
def let_in() -> ResponseReturnValue | None:
    """Require log-in and, for a study, the role that is needed."""
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
    """Nothing was saved; list everything that was wrong."""
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
    """More was sent than is accepted here."""
    most = (request.max_content_length or 0) / 2**20
    return _message("Upload too large", [f"One upload can have at most {most:g} MB. Nothing was saved."], 413)


@blueprint.errorhandler(RateLimitExceeded)
def slow_down(error: RateLimitExceeded) -> ResponseReturnValue:
    """Too many attempts to log in."""
    return _message("Too many attempts", [f"The limit is {error.description}. Please wait, then try again."], 429)


def _message(heading: str, lines: list[str], status: int) -> ResponseReturnValue:
    return render_template("researcher/message.html", heading=heading, lines=lines), status


MOST_UNDONE = 2000  # bytes of a form behind "Undo": it is stored in the session cookie, which is limited to 4,096


@dataclass(frozen=True)
class WayBack:
    """The form behind an "Undo" button: it restores exactly the state before, and is logged like any other action."""

    address: str
    fields: dict[str, str | list[str]]


def saved(endpoint: str, said: str = "", *, undo: WayBack | None = None, **values: Any) -> ResponseReturnValue:
    """Commit, say what was done, offer to undo it if `undo` says how (and is small), and redirect to `endpoint`."""
    db.session.commit()
    if said:
        small = undo is not None and len(json.dumps(asdict(undo))) <= MOST_UNDONE
        message: Any = {"said": said, "undo": asdict(undo)} if undo and small else said
        flash(message)  # stored as JSON in the session
    return redirect(url_for(f"researcher.{endpoint}", **values), code=303)


def cancelled(folder: Path, endpoint: str, **values: Any) -> ResponseReturnValue:
    """Cancel the work in `folder`, say what happened, and redirect to the page at `endpoint`."""
    db.session.rollback()  # so that no reader's answer waits for this request's transaction while the work ends
    done = background.cancel(folder)
    said = "Cancelled. Nothing was kept." if done else "Not cancelled: the work had already ended, or is about to."
    return saved(endpoint, said, **values)


def by_field(faulty: InvalidInputError) -> dict[str, str]:
    """The problems in a form, by field."""
    found: dict[str, str] = {}
    for field, _, fault in (line.partition(": ") for line in faulty.faults):
        found[field] = f"{found[field]}; {fault}" if field in found else fault
    return found


def me() -> Researcher:
    """The researcher who is logged in, in the writing session."""
    return db.session.get_one(Researcher, current_user.id)


@blueprint.app_template_filter("moment")
def moment(at: datetime | None) -> str:
    """A time in UTC, which the page's script shows in the viewer's time zone; a dash for None."""
    if at is None:
        return "–"
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M} UTC</time>').format(at.isoformat(timespec="seconds"), at)


blueprint.add_app_template_filter(history.sentence, "sentence")
blueprint.add_app_template_filter(clock.dated, "dated")


from quiz_app.researcher import (  # noqa: E402, F401  (they add their views)
    account,
    archives,
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
