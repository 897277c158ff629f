"""The pre-flight page of a study."""

from __future__ import annotations

from flask import current_app, g, render_template, request
from flask.typing import ResponseReturnValue

from quiz_app import background
from quiz_app.researcher import blueprint, cancelled, looking, saved
from quiz_app.study import preflight


@blueprint.get("/studies/<study>/preflight")
def show_preflight() -> ResponseReturnValue:
    """Whether the study can open, and if not, why."""
    settings = current_app.config["SETTINGS"]
    return render_template(
        "researcher/preflight.html",
        checks=preflight.checks(looking(), g.study, settings, secure=request.is_secure),
        work=background.find(preflight.home(looking(), g.study, settings)),
    )


@blueprint.get("/studies/<study>/preflight.json")
def preflight_status() -> ResponseReturnValue:
    """The progress of the audit."""
    work = background.find(preflight.home(looking(), g.study, current_app.config["SETTINGS"]))
    return (work or background.Work("none")).told()


@blueprint.post("/studies/<study>/preflight")
def look_at_pool() -> ResponseReturnValue:
    """Start an audit of the pool in the background."""
    preflight.look(looking(), g.study, current_app.config["SETTINGS"])
    return saved("show_preflight")


@blueprint.post("/studies/<study>/preflight/cancel")
def cancel_audit() -> ResponseReturnValue:
    """Stop the audit of the pool; nothing is kept."""
    return cancelled(preflight.home(looking(), g.study, current_app.config["SETTINGS"]), "show_preflight")
