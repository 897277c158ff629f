"""The measures of comparisons, on studies whose truth is known."""

import json

import jsonschema
import numpy as np
import pytest

from analysis.designs.common import Settings
from analysis.designs.comparison import judged
from analysis.designs.measure import measure
from analysis.report import files
from analysis.responses import load_frame
from analysis.statistics import preference
from tests.analysis.comparisons import study


def measured(table):
    return measure(load_frame(table), Settings(bootstrap=50))


@pytest.fixture(scope="module")
def schema():
    return jsonschema.Draft202012Validator(json.loads(files.SCHEMA.read_text("utf-8")))


@pytest.fixture(scope="module")
def results():
    return measured(study(readers=6, cases=30, ties=0.1, seed=3))


def test_the_preference_is_counted_from_the_rows(results):
    table = study(readers=6, cases=30, ties=0.1, seed=3)
    said = table[(table["criterion"] == "clearer") & (table["source"] == "model A")]["value"]
    found = results["criteria"]["clearer"]["preference"]
    assert [found[word] for word in ("better", "same", "worse")] == [
        (said == word).sum() for word in ("better", "same", "worse")
    ]
    share = (said == "better").sum() / (said != "same").sum()
    assert found["value"] == pytest.approx(share)
    halves = ((said == "better") + 0.5 * (said == "same")).mean()
    assert found["clustered"]["value"] == pytest.approx(halves)
    assert found["clustered"]["ci"][0] < 0.7 < found["clustered"]["ci"][1]


def test_kinds_are_told_from_the_answers(results):
    kinds = {name: one["kind"] for name, one in results["criteria"].items()}
    assert kinds == {"clearer": "better", "nodule": "yes-no", "sharpness": "scale", "report": "choice"}
    assert "mean" in results["criteria"]["sharpness"]["methods"]["model A"]


def test_strengths_of_several_methods_are_those_of_bradley_and_terry():
    found = measured(study(readers=5, cases=24, methods=("a", "b", "c"), ties=0.1, seed=1))["criteria"]["clearer"]
    alone = preference.bradley_terry(found["wins"], found["ties"])
    assert [one["strength"] for one in found["methods"].values()] == pytest.approx(alone.strength.tolist())
    assert sum(one["strength"] for one in found["methods"].values()) == pytest.approx(0, abs=1e-9)
    for one in found["methods"].values():
        assert one["clustered"]["se"] >= one["se"] - 1e-12
    assert [(pair["first"], pair["second"]) for pair in found["pairs"]] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found["preference"]["second"] is None
    assert found["preference"]["better"] == found["pairs"][0]["better"] + found["pairs"][1]["better"]


def test_a_method_that_was_never_beaten_has_no_strength_however_many_ties():
    table = study(4, 20, share=1 - 1e-12, ties=0.5, seed=2, criteria={"clearer": "better"})
    found = measured(table)
    assert found["criteria"]["clearer"]["preference"]["worse"] == 0
    assert found["criteria"]["clearer"]["preference"]["same"] > 0
    assert "not finite" in found["criteria"]["clearer"]["methods"]["model A"]["reason"]
    assert found["limitations"]["unbounded"] == ["clearer"]


def test_readers_who_lean_apart_widen_the_interval_that_speaks_of_other_readers():
    alike = np.tile([1.0, 1.0, 1.0, 0.0], (6, 10))
    apart = np.array([[1.0] * 40, [1.0] * 40, [1.0] * 40, [1.0] * 40, [0.0] * 40, [0.5] * 40])
    narrow, wide = (judged.clustered(credits).ci for credits in (alike, apart))
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_agreement_takes_no_image_twice_where_one_answer_follows_from_the_other(results):
    assert results["agreement"]["clearer"]["subjects"] == 30
    assert results["agreement"]["nodule"]["subjects"] == 60
    beside = measured(study(readers=3, cases=6, reference=True))
    assert beside["agreement"]["clearer"]["subjects"] == 12


def emptied(table, columns, rows=None):
    table = table.astype(dict.fromkeys(columns, object))
    table.loc[table.index if rows is None else rows, columns] = ""
    return table


AWKWARD = {
    "as it should be": study(3, 6),
    "four methods and a reference": study(3, 6, methods=("a", "b", "c", "d"), reference=True),
    "one reader": study(1, 6),
    "one case": study(3, 1),
    "one trial": study(1, 1),
    "always preferred": study(3, 6, share=1 - 1e-12),
    "all ties": study(3, 6, ties=1.0, criteria={"clearer": "better"}),
    "no times": emptied(study(3, 6), ["response_ms"]),
    "no places": emptied(study(3, 6), ["place"]),
    "no answer": emptied(study(3, 6), ["criterion", "value"]).drop_duplicates(["reader", "trial", "case"]),
    "an unfinished reader": study(3, 6).query("reader != 'R1' or trial in ('t0-0', 't0-1')"),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_studies_are_measured_and_keep_to_the_schema(name, schema):
    found = measured(AWKWARD[name])
    assert [f"{error.json_path}: {error.message}" for error in schema.iter_errors(found)] == []
