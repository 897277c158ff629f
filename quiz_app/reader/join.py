"""The open link of a study: whoever has it may register, up to the cap, and gets a personal link."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from quiz_app.database import db, only_look
from quiz_app.errors import RefusedError
from quiz_app.security import csrf, limiter
from quiz_app.study import readers

blueprint = Blueprint("join", __name__, url_prefix="/join/<token>")
csrf.exempt(blueprint)  # as a reader's pages: there is no cookie to ride on


@blueprint.get("/")
def welcome(token: str) -> ResponseReturnValue:
    """What the study is, and the way in."""
    only_look()
    study = readers.by_open_link(token)
    return render_template("reader/join.html", study=study, rules=study.rules)


@blueprint.post("/")
@limiter.limit("300 per hour")
def register(token: str) -> ResponseReturnValue:
    """A new reader, sent on to a personal link."""
    personal = readers.register(readers.by_open_link(token, hold=True))
    db.session.commit()
    return redirect(url_for("reader.start", token=personal), code=303)


@blueprint.errorhandler(RefusedError)
def refuse(refused: RefusedError) -> ResponseReturnValue:
    """A page that says why."""
    db.session.rollback()
    return render_template("reader/message.html", message=gettext(str(refused))), refused.status
