"""The measures of comparisons, on studies whose truth is known."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from scipy import stats

from analysis.designs.common import Settings, clustered
from analysis.designs.comparison import judged
from analysis.designs.comparison.trials import points
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


def test_against_several_methods_every_answer_counts_once_and_chance_is_one_in_so_many():
    table = study(readers=5, cases=24, methods=("a", "b", "c"), ties=0.1, seed=1)
    found = measured(table)
    said = table[table["criterion"] == "clearer"].pivot_table("value", ["reader", "trial"], "source", aggfunc="first")
    best = said == "better"
    one = best.sum(axis=1) == 1
    counts = [int((best["a"] & one).sum()), int((~one).sum()), int((~best["a"] & one).sum())]
    preferred = found["criteria"]["clearer"]["preference"]
    assert [preferred[word] for word in ("better", "same", "worse")] == counts
    assert sum(counts) == 5 * 24
    assert preferred["p"] == pytest.approx(stats.binomtest(counts[0], counts[0] + counts[2], 1 / 3).pvalue)
    assert (preferred["second"], preferred["chance"]) == (None, pytest.approx(1 / 3))
    readers = [reader["preferences"]["clearer"] for reader in found["readers"].values()]
    assert sum(reader["better"] + reader["worse"] for reader in readers) == counts[0] + counts[2]


def test_where_methods_are_alike_the_first_is_not_put_ahead_or_behind_by_the_test():
    p = [judged.first_ahead(np.random.default_rng(seed).random((6, 20, 4)))["p"] for seed in range(200)]
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.09


def test_near_answers_on_a_scale_agree_in_part():
    rows = study(readers=3, cases=20, criteria={"sharpness": "scale"})
    near = rows["case"].str[1:3].astype(int) % 4 + 1 + (rows["reader"] == "R2")
    far = near.where(near > 1, 5)
    close, apart = (measured(rows.assign(value=said))["agreement"]["sharpness"] for said in (near, far))
    assert close["percent_agreement"]["value"] == apart["percent_agreement"]["value"]
    assert close["krippendorff_alpha"]["value"] > apart["krippendorff_alpha"]["value"] + 0.1
    assert close["gwet_ac2"]["value"] > apart["gwet_ac2"]["value"] + 0.1
    assert not {"gwet_ac1", "fleiss_kappa"} & set(close)


def test_the_points_of_a_scale_are_those_of_the_studys_settings_where_they_are_known():
    loaded = load_frame(study(readers=3, cases=6, criteria={"sharpness": "scale"}))
    lines = [
        "sharpness: scale 7: How sharp is it?",
        "noise: yes/no: Is there noise?",
        "[da]",
        "sharpness: scale 7: Skarp?",
    ]
    known = replace(loaded, study=loaded.study | {"settings": {"criteria": lines}})
    assert points(known) == {"sharpness": 7}
    assert measure(known, Settings(bootstrap=50))["criteria"]["sharpness"]["answers"] == list("1234567")
    assert measure(loaded, Settings(bootstrap=50))["criteria"]["sharpness"]["answers"] == ["2", "3"]


def test_images_are_counted_at_every_place_where_they_stood():
    table = study(readers=4, cases=12, reference=True, criteria={"report": "choice"})
    moved = table.assign(place=table["place"].map({3: 1, 1: 2, 2: 3}))  # the reference stands first
    found, before = measured(moved)["places"]["report"], measured(table)["places"]["report"]
    assert found["places"] == [2, 3]
    assert found["counts"] == before["counts"]
    assert (sum(found["counts"]), found["p"]) == (48, pytest.approx(before["p"]))


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
    narrow, wide = (clustered(credits).ci for credits in (alike, apart))
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
