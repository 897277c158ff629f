"""Measurements of staircases: known thresholds, errors, reversals, groups, and awkward studies."""

import json
from importlib.resources import files

import jsonschema
import numpy as np
import pandas as pd
import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.designs.staircase import threshold
from analysis.planning.staircases import Staircases
from analysis.responses import load_frame
from tests.analysis.staircases import study

WIDE = Staircases(jitter_ms=150, reader_sd=0.15)  # exposures that spread tell more of the curve


def measured(table, **settings):
    return measure(load_frame(table), Settings(bootstrap=100, **settings))


@pytest.fixture(scope="module")
def table():
    return study(readers=6, cases=200, seed=4, model=WIDE)


@pytest.fixture(scope="module")
def results(table):
    return measured(table)


def test_a_known_threshold_is_found_by_every_method(results):
    overall = results["overall"]
    assert overall["threshold_ms"]["value"] == pytest.approx(350, rel=0.15)
    assert overall["threshold_ms"]["ci"][0] < 350 < overall["threshold_ms"]["ci"][1]
    assert len(overall["methods"]) == 4
    for method in overall["methods"]:
        assert method["value"] == pytest.approx(350, rel=0.2)
    for reader in results["readers"].values():
        assert 200 < reader["threshold_ms"]["value"] < 600
        assert 200 < reader["reversals"]["value"] < 600


def test_errors_are_counted_by_truth(table, results):
    wrong = (table["answer"] != table["truth"]).astype(int)
    for name in ("real", "synthetic"):
        counted = results["overall"]["errors"][name]
        assert counted["k"] == int(wrong[table["truth"] == name].sum())
        assert counted["n"] == int((table["truth"] == name).sum())
        own = table[(table["reader"] == "R2") & (table["truth"] == name)]
        assert results["readers"]["R2"]["errors"][name]["value"] == pytest.approx(
            (own["answer"] != own["truth"]).mean()
        )
    points = results["overall"]["curve"]
    assert sum(point["n"] for point in points) == len(table)
    assert sum(point["k"] for point in points) == len(table) - wrong.sum()


def test_a_lean_to_one_answer_is_found():
    leaning = measured(study(readers=6, cases=120, lean=0.4, seed=1))
    assert leaning["tests"][0]["p"] < 0.05
    assert leaning["tests"][0]["value"] > 0.1
    assert leaning["readers"]["R1"]["criterion"] > 0.1  # calls images real


def test_groups_with_other_thresholds_are_told_apart():
    found = measured(study(readers=10, cases=150, ratio=2.0, seed=3, model=WIDE))["groups"]
    assert found["ratio"]["first"] == "old"
    assert found["ratio"]["value"] == pytest.approx(0.5, rel=0.25)
    assert found["ratio"]["ci"][1] < 1
    assert found["members"]["new"]["threshold_ms"]["value"] > 1.4 * found["members"]["old"]["threshold_ms"]["value"]


def test_reversals_are_where_a_staircase_turns_and_staircases_are_kept_apart():
    rows = pd.DataFrame(
        {"block": [1] * 8, "correct": [1, 0, 1, 0, 1, 0, 0, 1], "exposure_ms": [100.0] * 5 + [200, 300, 400]}
    )
    found = threshold.reversals(rows)
    assert found["n"] == 2  # six turns, four left out
    assert found["value"] == pytest.approx((200 * 400) ** 0.5)
    assert threshold.reversals(rows.assign(block=range(8)))["reason"]


def without(table, column, which):
    table = table.astype(object)
    table.loc[which, column] = ""
    return table


BASE = study(2, 24, seed=2)
AWKWARD = {
    "one reader": BASE[BASE["reader"] == "R1"],
    "one answer": BASE.iloc[:1],
    "no exposure": without(BASE, "value", slice(None)),
    "some exposures": without(BASE, "value", [0, 5, 6]),
    "no answer": without(without(without(BASE, "level", slice(None)), "answer", slice(None)), "certainty", slice(None)),
    "all right": BASE.assign(
        answer=BASE["truth"], certainty="full", level=BASE["truth"].map({"real": 1, "synthetic": 5})
    ),
    "all one exposure": BASE.assign(value=250),
    "no positions, no times": BASE.drop(columns=["position", "response_ms", "block"]),
    "one class": BASE[BASE["truth"] == "real"],
    "unsure": BASE.assign(answer="unsure", certainty="", level=3),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_studies_keep_to_the_schema(name):
    published = json.loads((files("analysis.report") / "results.schema.json").read_text("utf-8"))
    results = measured(AWKWARD[name])
    faults = jsonschema.Draft202012Validator(published).iter_errors(results)
    assert [f"{fault.json_path}: {fault.message}" for fault in faults] == []
    assert results["design"] == "staircase"


def test_what_is_missing_is_named():
    assert measured(AWKWARD["no exposure"])["overall"]["threshold_ms"]["reason"] == "no exposure was measured"
    seen = measured(AWKWARD["some exposures"])["limitations"]
    assert seen["unmeasured"] == 3
    assert measured(AWKWARD["unsure"])["limitations"]["unsure"] == len(BASE)
    assert "does not rise" in measured(AWKWARD["all right"])["readers"]["R1"]["threshold_ms"]["reason"]
    assert "one level" in measured(AWKWARD["all one exposure"])["readers"]["R1"]["threshold_ms"]["reason"]


def test_one_measured_reader_speaks_of_that_reader_alone():
    table = without(BASE, "value", BASE["reader"] != "R1")
    results = measured(table)
    found = results["overall"]
    assert found["measured"] == 1
    own = results["readers"]["R1"]["threshold_ms"]["value"]
    assert results["limitations"]["readers_without_threshold"] == int(own is None)  # R2 has no exposure to rise with
    reaches = [method["speaks_of"] for method in found["methods"]]
    assert reaches == ["other answers of this reader", "other cases, this reader", threshold.NEITHER]


def test_practice_and_earlier_sittings_count_nowhere(table, results):
    practice = table.iloc[:20].assign(is_training=1, value=5, trial="p")
    again = table[table["reader"] == "R1"].assign(sitting=0, value=999, trial="old")
    more = measured(pd.concat([table, practice, again], ignore_index=True))
    assert more["overall"]["threshold_ms"] == results["overall"]["threshold_ms"]
    assert more["study"]["excluded"]["training"] == 20
    assert np.isfinite(more["overall"]["exposures"]["most"])
