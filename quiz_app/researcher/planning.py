"""Plan a study: how many readers and cases, what more of them would gain, and the text for the ethics application."""

from __future__ import annotations

from typing import Any

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from quiz_app import background
from quiz_app.errors import InvalidInputError
from quiz_app.researcher import blueprint, by_field, cancelled
from quiz_app.settings import Settings
from quiz_app.study import planning


def _settings() -> Settings:
    return current_app.config["SETTINGS"]


@blueprint.get("/plan")
def plan_study() -> ResponseReturnValue:
    """The form, and its result."""
    faults, page = {}, {}
    try:
        wish = planning.asked(request.args)
        plan = planning.reckon(wish)
        page = {"plan": plan, "wish": wish, "paragraph": planning.paragraph(wish, plan)}
        page |= {"work": background.find(planning.home(_settings(), wish))}
        page |= {"simulated": planning.simulated(_settings(), wish), "status": _address(wish)}
    except InvalidInputError as faulty:
        faults = by_field(faulty)
    usual = planning.Wish()
    shown = render_template(
        "researcher/plan.html", measures=planning.MEASURES, said=request.args, usual=usual, faults=faults, **page
    )
    return shown, 422 if faults else 200


@blueprint.post("/plan/simulate")
def simulate_plan() -> ResponseReturnValue:
    """Check the plan with simulated studies, in the background."""
    wish = planning.asked(request.form)
    planning.simulate(_settings(), wish)
    return redirect(url_for("researcher.plan_study", **_address(wish)), code=303)


@blueprint.post("/plan/cancel")
def cancel_simulation() -> ResponseReturnValue:
    """Stop simulating a plan; nothing of it is kept."""
    wish = planning.asked(request.form)
    return cancelled(planning.home(_settings(), wish), "plan_study", **_address(wish))


def _address(wish: planning.Wish) -> dict[str, Any]:
    """The fields of a wish as the query of an address."""
    return {name: value for name, value in vars(wish).items() if value is not None}


@blueprint.get("/plan/status.json")
def plan_status() -> ResponseReturnValue:
    """The progress of a simulation."""
    work = background.find(planning.home(_settings(), planning.asked(request.args)))
    return work.told() if work else {"state": "none", "share": 0.0, "what": ""}
