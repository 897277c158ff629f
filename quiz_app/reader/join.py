"""The open link of a study: anyone who has it can register, up to the maximum, and gets a personal link."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import TooManyRequests

from quiz_app import panels
from quiz_app.database import db, fault, only_look
from quiz_app.errors import RefusedError
from quiz_app.security import csrf, limiter
from quiz_app.sittings import entry
from quiz_app.study import readers

blueprint = Blueprint("join", __name__, url_prefix="/join/<token>")
csrf.exempt(blueprint)  # like a reader's pages: there is no cookie to exploit


@blueprint.get("/")
def welcome(token: str) -> ResponseReturnValue:
    """Introduce the study, and offer to register."""
    only_look()
    study = readers.by_open_link(token)
    return render_template("reader/join.html", study=study, rules=study.rules)


@blueprint.post("/")
@limiter.limit(lambda: f"{current_app.config['SETTINGS'].joins_per_hour} per hour")
def register(token: str) -> ResponseReturnValue:
    """Register a new reader, and redirect to the personal link."""
    study = readers.by_open_link(token, hold=True)
    carried = panels.told(study.rules, request.args)
    for external_id in carried.values():
        entry.assert_new(study, external_id)
    personal = readers.register(study)
    db.session.commit()
    return redirect(panels.carrying(url_for("reader.start", token=personal), carried), code=303)


@blueprint.errorhandler(sa.exc.OperationalError)
@blueprint.errorhandler(sa.exc.InternalError)
@blueprint.errorhandler(sa.exc.TimeoutError)
def not_stored(error: sa.exc.SQLAlchemyError) -> ResponseReturnValue:
    """The database is missing, full or read-only: nobody was registered; try again."""
    db.session.rollback()
    current_app.logger.error("%s: not stored: %s", request.endpoint, fault(error))
    message = gettext("The server could not save this just now. Please try again in a moment.")
    return render_template("reader/message.html", message=message), 503


@blueprint.errorhandler(429)
def crowded(_error: TooManyRequests) -> ResponseReturnValue:
    """Nobody was registered: too many came from one address within an hour."""
    message = gettext("Too many people have joined from this network in the last hour. Please try again later.")
    return render_template("reader/message.html", message=message), 429


@blueprint.errorhandler(RefusedError)
def refuse(refused: RefusedError) -> ResponseReturnValue:
    """A page that says why."""
    db.session.rollback()
    return render_template("reader/message.html", message=gettext(str(refused))), refused.status
