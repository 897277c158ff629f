"""Plans with looks before the end: what is planned, decided, adjusted and simulated."""

import json

import numpy as np
import pytest

from analysis.planning import main
from analysis.planning.looks import plan, rows, simulate
from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics.estimate import Estimate
from analysis.statistics.stopping import adjust, decide, from_dict, measure


def test_information_is_what_the_model_says_of_each_look():
    looks = plan("auc", [3, 4, 6], [200])
    parts = RoeMetz().components(0.5, 200, "auc")
    variance = [(parts["reader"] + parts["error"] + (j - 1) * parts["cov2"]) / j for j in (3, 4, 6)]
    assert looks.planned.information == pytest.approx([variance[2] / one for one in variance])
    assert looks.cases == (200, 200, 200)
    assert plan("auc", [6], [60, 120]).readers == (6, 6)


def test_a_plan_comes_back_from_its_file():
    looks = plan("accuracy", [3, 6], [100], spending="pocock", futility=0.2, null=0.4)
    assert from_dict(json.loads(json.dumps(looks.as_dict()))) == looks


def test_a_look_decides_by_its_level_and_by_conditional_power():
    looks = plan("auc", [3, 4, 6], [200], futility=0.1)
    level = looks.planned.levels[1]
    assert decide(Estimate(0.7, p=level), 1, looks) == "efficacy"
    assert decide(Estimate(0.3, p=level), 1, looks) == "efficacy"
    assert decide(Estimate(0.6, p=level * 1.01), 1, looks) == "continue"
    assert decide(Estimate(0.5, p=0.9), 1, looks) == "futility"
    assert decide(Estimate(0.5, p=0.9), 2, looks) == "end"
    assert decide(Estimate(None), 0, looks) == "continue"
    perfect = measure(np.array([[1] * 20 + [5] * 20] * 3), [0] * 20 + [1] * 20, "auc", 0.5)
    assert (perfect.value, perfect.p) == (1, None)
    assert decide(perfect, 0, looks) == "continue"
    assert decide(Estimate(0.5, p=0.9), 1, plan("auc", [3, 4, 6], [200])) == "continue"


def test_null_studies_are_stopped_as_often_as_planned_and_estimates_lie_to_both_sides():
    found = simulate(plan("accuracy", [3, 4, 6], [60]), 0.5, studies=400)
    assert found.ci[0] <= 0.05 <= found.ci[1]
    assert 0.92 <= found.coverage <= 0.98
    assert sum(found.stops) == 400
    assert found.above == pytest.approx(0.5, abs=0.08)


def test_looks_that_stop_in_vain_need_fewer_readers():
    looks = plan("auc", [3, 4, 6], [60], futility=0.2)
    found = simulate(looks, 0.5, studies=60)
    assert sum(found.in_vain) > 30
    assert found.readers_mean < 5


def test_the_same_seed_gives_the_same_studies_however_they_are_spread():
    looks = plan("auc", [3, 6], [40])
    assert simulate(looks, 0.6, studies=110).as_dict() == simulate(looks, 0.6, studies=110, jobs=2).as_dict()


def test_an_early_stop_pulls_the_estimate_towards_the_null_and_a_first_look_alone_does_not():
    scores, truth = RoeMetz().draw(np.random.default_rng(1), 0.8, 6, 200, "auc")
    found = measure(to_levels(scores), truth, "auc", 0.5)
    looks = plan("auc", [3, 4, 6], [200], spending="pocock")
    after = adjust(found, 2, looks)
    assert 0.5 < after.value < found.value
    alone = adjust(found, 0, plan("auc", [6], [200]))
    assert alone.value == pytest.approx(found.value)
    assert alone.ci[0] <= found.ci[0] < found.ci[1] <= alone.ci[1]
    assert alone.p == pytest.approx(found.p)
    assert adjust(Estimate(0.6, reason="one reader"), 0, looks).reason == "one reader"
    assert adjust(Estimate(0.5, p=1.0), 0, looks).ci is None


def test_the_command_prints_the_looks_and_writes_them(tmp_path, capsys):
    given = ["auc", "0.7", "--looks", "--readers", "3", "4", "6", "--cases", "60", "--simulate", "20", "--out"]
    assert main([*given, str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "3 looks, obrien-fleming spending of alpha 0.05" in said
    assert "type I error" in said
    kept = json.loads((tmp_path / "looks.json").read_text())
    assert [look["readers"] for look in kept["looks"]] == [3, 4, 6]
    assert from_dict(kept) == plan("auc", [3, 4, 6], [60])
    assert rows(from_dict(kept), 0.7)[-1]["power"] > 0.5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"readers": [2, 4], "cases": [100]}, "three or more at every look, got 2 at look 1"),
        ({"readers": [3, 4, 6], "cases": [50, 100]}, "cases: expected 1 number or 3"),
        ({"readers": [4, 3], "cases": [100]}, "expected more readers or cases at each"),
        ({"readers": [3, 4], "cases": [100], "futility": 2}, "futility: expected a conditional power"),
        ({"readers": [], "cases": [100]}, "expected a number for each look"),
        ({"readers": [3], "cases": [100], "null": 1}, "null: expected a number between 0 and 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_name(given, words):
    with pytest.raises(ValueError, match=words):
        plan("auc", **given)


@pytest.mark.parametrize("spoilt", [{}, {"looks": 3}, {"looks": [{}]}, []])
def test_a_file_of_something_else_is_refused(spoilt):
    with pytest.raises(ValueError, match="looks: expected"):
        from_dict(spoilt)


@pytest.mark.parametrize("arguments", [["kappa", "0.2", "--looks"], ["auc", "0.6", "--looks", "--margin", "0.1"]])
def test_the_command_refuses_looks_where_there_are_none(arguments, capsys):
    assert main(arguments) == 2
    assert "expected the end point auc or accuracy" in (err := capsys.readouterr().err) or "--margin" in err
