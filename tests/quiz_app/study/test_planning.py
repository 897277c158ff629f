"""Planning in the browser: results by formula and by simulation, and the draft made from the plan."""

import time as clock_of_the_machine

import pytest

from analysis.planning import power, simulate, smallest_readers
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Study
from quiz_app.study import planning

PLAN = "/researcher/plan"


def test_the_page_gives_the_numbers_of_the_formula(owner):
    page = owner.get(f"{PLAN}?measure=auc&value=0.65&readers=5&cases=100").text
    own = power("auc", 0.65, 5, 100)
    assert f"<dd>{100 * own.value:.0f} %</dd>" in page
    assert f"<dd>{own.extra['half_width']:.3f}</dd>" in page
    assert f"<dd>{smallest_readers('auc', 0.65, 100).value}</dd>" in page
    more = power("auc", 0.65, 6, 100)
    assert f"6 readers: power {more.value:.2f}" in page
    assert f"has a power of {100 * own.value:.0f} % to show a difference from chance" in page.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (planning.Wish("accuracy", 0.5, 0.1, 12, 400), "differ from chance by less than 0.1"),
        (planning.Wish("kappa", 0.3, None, 6, 100), "6 readers will each judge 100 cases"),
        (planning.Wish("quartet", 0.4, None, 6, 60), "judge 60 quartets. If"),
    ],
)
def test_every_measure_has_its_words(wish, words):
    plan = planning.reckon(wish)
    assert words in planning.paragraph(wish, plan)
    assert plan.by_readers[0][0] >= 2
    assert wish.cases in [size for size, _ in plan.by_cases] or wish.cases % 50
    assert [found for _, found in plan.by_readers] == sorted(found for _, found in plan.by_readers)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"measure": "x"}, "measure"),
        ({"value": "much"}, "value"),
        ({"value": "1.5"}, "value"),
        ({"readers": "1"}, "readers"),
        ({"readers": "2.5"}, "readers"),
        ({"cases": "0"}, "cases"),
        ({"margin": "2"}, "margin"),
        ({"target": "1"}, "target"),
    ],
)
def test_what_cannot_be_planned_is_told_by_field(owner, said, field):
    with pytest.raises(InvalidInputError, match=f"{field}: "):
        planning.asked(said)
    page = owner.get(PLAN, query_string=said)
    assert page.status_code == 422
    assert f'id="{field}-fault"' in page.text
    assert owner.post(f"{PLAN}/simulate", data=said).status_code == 422


def test_a_simulation_runs_beside_the_page_and_agrees(app, owner, monkeypatch):
    said = {"measure": "accuracy", "value": "0.7", "readers": "4", "cases": "40"}
    assert owner.get(f"{PLAN}/status.json", query_string=said).get_json()["state"] == "none"
    assert owner.post(f"{PLAN}/simulate", data=said).headers["Location"].startswith(PLAN)
    assert owner.get(PLAN, query_string=said | {"endpoint": "x", "_anchor": "y"}).status_code == 200
    shares = []
    while (told := owner.get(f"{PLAN}/status.json", query_string=said).get_json())["state"] == "making":
        shares.append(told["share"])
        clock_of_the_machine.sleep(0.1)
    assert told["state"] == "done", told
    assert shares == sorted(shares)
    found = planning.simulated(app.config["SETTINGS"], planning.asked(said))
    steps = [simulate("accuracy", 0.7, 4, 40, studies=50, seed=seed).value for seed in range(20)]
    assert found["power"] == pytest.approx(sum(steps) / 20)
    assert 0.9 < found["coverage"] < 1
    page = owner.get(PLAN, query_string=said).text
    assert f"the power was {100 * found['power']:.0f} %" in page


def test_a_draft_follows_from_the_plan(owner):
    page = owner.get("/researcher/studies/new?cases=8").text
    assert 'name="cases"' in page
    said = {"title": "Planned", "pool": "noise", "preset": "panodiff", "cases": "8"}
    assert owner.post("/researcher/studies/new", data=said).status_code == 303
    assert db.session.query(Study).one().rules.cases == 8
    for wrong in ("many", "9" * 5000):
        assert owner.post("/researcher/studies/new", data=said | {"cases": wrong, "slug": "x"}).status_code == 422
