"""The numbers of a study: those published for PanoDiff-SR, and whole results where a study is not."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import EXAMPLE
from analysis.report.document import dump, text
from analysis.responses import Responses, load_csv, load_ratings

QUICK = Settings(bootstrap=200)

# FACTS.md, computed from the published raw responses: accuracy (fractional), TP/FN/FP/TN/unsure, accuracy without
# unsure, AUC, its DeLong standard error.
PUBLISHED = {
    "EC1": (0.6275, (74, 10, 35, 33, 48), 0.7039, 0.7399, 0.0339),
    "EC2": (0.6925, (71, 26, 25, 72, 6), 0.7371, 0.7925, 0.0303),
    "EC3": (0.6613, (85, 4, 29, 38, 44), 0.7885, 0.8480, 0.0250),
    "EP1": (0.6613, (87, 6, 12, 55, 40), 0.8875, 0.8871, 0.0232),
    "EP2": (0.7887, (86, 14, 16, 84, 0), 0.8500, 0.9120, 0.0187),
    "EP3": (0.6750, (78, 17, 30, 56, 19), 0.7403, 0.7971, 0.0303),
}
# FACTS.md: definitely fake ... definitely real, on the synthetic and on the real cases.
ANSWERS = {
    "EC1": ((40, 34, 16, 7, 3), (10, 25, 32, 20, 13)),
    "EC2": ((46, 25, 3, 22, 4), (6, 19, 3, 46, 26)),
    "EC3": ((40, 45, 11, 4, 0), (1, 28, 33, 38, 0)),
    "EP1": ((4, 83, 7, 6, 0), (0, 12, 33, 54, 1)),
    "EP2": ((53, 33, 0, 12, 2), (0, 16, 0, 44, 40)),
    "EP3": ((43, 35, 5, 14, 3), (4, 26, 14, 39, 17)),
}


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return measure(load_ratings(EXAMPLE), QUICK)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_figures_of_every_reader_are_met(results: dict[str, Any], name: str) -> None:
    reader = results["readers"][name]
    accuracy, hard, without, auc, se = PUBLISHED[name]
    confusion = {category: sum(parts.values()) for category, parts in reader["confusion"].items()}
    assert tuple(confusion[category] for category in ("TP", "FN", "FP", "TN", "unsure")) == hard
    assert reader["accuracy"]["fractional"]["value"] == pytest.approx(accuracy, abs=5e-5 + 1e-9)
    assert reader["accuracy"]["excluded"]["value"] == pytest.approx(without, abs=5e-5)
    assert reader["auc"]["value"] == pytest.approx(auc, abs=5.1e-5)
    assert reader["auc"]["se"] == pytest.approx(se, abs=5e-5)
    synthetic, real = ANSWERS[name]
    assert reader["levels"] == {"synthetic": list(synthetic[::-1]), "real": list(real[::-1])}


def test_the_published_means_are_met_under_every_rule(results: dict[str, Any]) -> None:
    means = {rule: estimate["value"] for rule, estimate in results["overall"]["accuracy"].items()}
    assert means == pytest.approx({"fractional": 0.6844, "excluded": 0.785, "wrong": 0.6825, "half": 0.748}, abs=6e-4)
    assert results["overall"]["accuracy"]["fractional"]["value"] == pytest.approx(0.6844, abs=5e-5)


def test_the_contract_of_the_results_holds(results: dict[str, Any]) -> None:
    assert results["format"] == 1
    assert set(results["overall"]["auc"]) >= {"value", "se", "df", "ci", "method"}
    assert set(results["agreement"]) >= {"fleiss_kappa", "krippendorff_alpha", "gwet_ac1", "cohen_kappa_pairs"}
    wanted = {"five_level", "three_level", "unsure_as_real", "unsure_as_synthetic"}
    assert set(results["agreement"]["fleiss_kappa"]) >= wanted
    for test in results["tests"]:
        assert set(test) >= {"name", "question", "statistic", "df", "p", "smallest_p", "method"}
    assert len(results["cases"]) == 200
    reader = results["readers"]["EC1"]
    assert {"sensitivity", "specificity", "precision", "auc", "dprime", "criterion"} <= set(reader)


def test_tests_over_readers_come_with_their_smallest_p_and_those_of_each_reader_with_both_corrections(
    results: dict[str, Any],
) -> None:
    mean = [test for test in results["tests"] if test["name"] == "mean accuracy"]
    assert [test["smallest_p"] for test in mean] == [None, 0.03125, 0.03125]
    assert "sign-flip" in mean[2]["method"]
    each = [test for test in results["tests"] if test.get("family")]
    assert len(each) == 6
    for test in each:
        assert test["p"] / 1.001 < test["benjamini_hochberg"] < test["holm"] * 1.001
        assert test["statistic"] == pytest.approx(
            (results["readers"][test["name"][7:]]["auc"]["value"] - 0.5)
            / results["readers"][test["name"][7:]]["auc"]["se"]
        )


def test_every_mean_leaves_out_the_same_readers_and_the_limitations_say_how_many(tmp_path: Path) -> None:
    levels = {f"A{i}": [1 + (i + k) % 3 + 2 * (k % 2) for k in range(12)] for i in range(3)}
    levels["B1"] = [1, 5, 2] + [None] * 9
    results = measure(ratings(tmp_path / "r.csv", levels, "rs" * 6), QUICK)
    without = {name: said for name, said in levels.items() if name != "B1"}
    rest = measure(ratings(tmp_path / "s.csv", without, "rs" * 6), QUICK)
    over_readers = [[test for test in found["tests"] if "readers" in test] for found in (results, rest)]
    assert len(over_readers[0]) > 10
    for one, other in zip(*over_readers, strict=True):
        assert one["p"] == pytest.approx(other["p"]), one["name"]
        assert (one["readers"], one["readers_left_out"]) == (3, 1)
    assert results["limitations"]["readers_without_figure"] == 1
    means = {m["method"]: m["value"] for m in results["overall"]["methods"] if "Obuchowski" in m["method"]}
    assert len(set(means.values())) == 2


def test_equivalence_to_chance_is_tested_over_readers_and_over_readers_and_cases(results: dict[str, Any]) -> None:
    found = [test for test in results["tests"] if "equivalence" in test["name"]]
    assert [test["question"].split(", on ")[1] for test in found] == ["these cases?", "other cases?"]
    assert all(test["p"] > 0.9 for test in found)


def test_agreement_is_told_by_class_group_and_certainty(results: dict[str, Any]) -> None:
    agreement = results["agreement"]
    assert set(agreement["by_class"]) == {"real", "synthetic"}
    assert set(agreement["by_group"]) == {"EC", "EP"}
    assert set(agreement["by_certainty"]) == {"full", "partial"}
    assert agreement["gwet_ac2"]["value"] > agreement["gwet_ac1"]["five_level"]["value"]


def test_a_reader_has_a_smooth_area_and_predictive_values_at_stated_prevalences(results: dict[str, Any]) -> None:
    reader = results["readers"]["EC1"]
    assert reader["binormal"]["value"] > reader["auc"]["value"]
    positive = [row["positive"]["value"] for row in reader["predictive_values"]]
    assert [row["prevalence"] for row in reader["predictive_values"]] == [0.5, 0.1, 0.01]
    assert positive == sorted(positive, reverse=True)


def test_readers_are_linked_to_a_detector_within_each_class_where_there_is_one(tmp_path: Path) -> None:
    example = load_ratings(EXAMPLE)
    assert measure(example, QUICK)["detector"] == {}
    levels = example.matrix("level").mean(axis=0)
    lines = [f"{case},{level}" for case, level in zip(example.case_names, levels, strict=True)]
    (tmp_path / "d.csv").write_text("\n".join(["case,value", *lines[1:]]))
    found = measure(example.with_detector(tmp_path / "d.csv"), QUICK)["detector"]
    assert [found[name]["value"] for name in ("real", "synthetic")] == pytest.approx([1, 1])
    assert sum(found[name]["left_out"] for name in found) == 1


def test_abilities_order_the_published_readers_as_their_accuracy_without_unsure_does(results: dict[str, Any]) -> None:
    names = list(results["readers"])
    ability = [results["abilities"][name]["value"] for name in names]
    accuracy = [results["readers"][name]["accuracy"]["excluded"]["value"] for name in names]
    assert np.argsort(ability)[-2:].tolist() == np.argsort(accuracy)[-2:].tolist()


def test_late_answers_counted_wrong_stand_beside_those_kept(tmp_path: Path) -> None:
    file = tmp_path / "late.csv"
    rows = [
        f"A,{case},{'synthetic' if case % 2 else 'real'},{5 if case % 2 else 1},{int(case < 4)}" for case in range(40)
    ]
    file.write_text("\n".join(["reader,case,truth,level,late", *rows]))
    reader = measure(load_csv(file), QUICK)["readers"]["A"]
    assert reader["accuracy"]["excluded"]["value"] == 1.0
    assert reader["accuracy_late_wrong"]["excluded"]["value"] == pytest.approx(0.9)


def test_one_order_for_all_readers_is_seen(results: dict[str, Any]) -> None:
    assert results["limitations"]["one_order"]


def test_the_same_input_and_seed_give_the_same_bytes() -> None:
    assert dump(measure(load_ratings(EXAMPLE), QUICK)) == dump(measure(load_ratings(EXAMPLE), QUICK))


def ratings(path: Path, levels: dict[str, list[Any]], truth: str) -> Responses:
    """A small study: `truth` has one letter a case, r or s; None is a case not answered."""
    names = list(levels)
    lines = [",".join(["case", "truth", *names])]
    for i, letter in enumerate(truth):
        said = ["" if levels[name][i] is None else str(levels[name][i]) for name in names]
        lines.append(",".join([f"c{i}", "real" if letter == "r" else "synthetic", *said]))
    path.write_text("\n".join(lines) + "\n")
    return load_ratings(path)


AWKWARD = {
    "one reader": ({"A1": [1, 2, 5, 4]}, "rrss"),
    "one class": ({"A1": [1, 2, 1, 3], "A2": [5, 2, 1, 1]}, "rrrr"),
    "all answers alike": ({"A1": [3, 3, 3, 3], "B1": [3, 3, 3, 3]}, "rrss"),
    "perfect separation": ({"A1": [1, 1, 5, 5], "B1": [1, 1, 5, 5]}, "rrss"),
    "an unfinished reader": ({"A1": [1, 2, 5, 4], "B1": [1, None, None, None]}, "rrss"),
    "no finished reader": ({"A1": [1, None, 5, None], "B1": [None, 2, None, 4]}, "rrss"),
    "no answer at all": ({"A1": [None] * 4, "B1": [None] * 4}, "rrss"),
    "three groups": ({"A1": [1, 2, 5, 4], "B1": [1, 3, 4, 4], "C1": [2, 2, 5, 1]}, "rrss"),
    "one case": ({"A1": [5], "B1": [4]}, "s"),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_study_gives_whole_results_with_reasons(tmp_path: Path, name: str) -> None:
    results = measure(ratings(tmp_path / "r.csv", *AWKWARD[name]), QUICK)
    again = json.loads(dump(results), parse_constant=lambda constant: pytest.fail(f"{constant} in results.json"))
    assert again["readers"].keys() == AWKWARD[name][0].keys()
    for path, estimate in estimates(again):
        assert estimate["value"] is not None or estimate.get("reason"), path


def estimates(entry: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every mapping below `entry` that is an estimate, with its path."""
    found = []
    if isinstance(entry, dict):
        if {"value", "method"} <= set(entry):
            found.append((path, entry))
        for key, below in entry.items():
            found += estimates(below, f"{path}/{key}")
    elif isinstance(entry, list):
        for i, below in enumerate(entry):
            found += estimates(below, f"{path}/{i}")
    return found


def test_practice_and_repeats_are_left_out_and_counted(tmp_path: Path) -> None:
    header = "reader,sitting,case,truth,level,is_training,is_repeat\n"
    rows = "A,2,c1,real,1,0,0\nA,2,c2,synthetic,5,0,0\nA,2,c1,real,5,0,1\nA,2,p1,real,5,1,0\n"
    rows += "A,1,c1,real,5,0,0\nA,1,c1,real,5,0,1\nA,1,p1,real,5,1,0\n"
    (tmp_path / "r.csv").write_text(header + rows)
    results = measure(load_csv(tmp_path / "r.csv"), QUICK)
    assert results["readers"]["A"]["n"] == 2
    assert results["readers"]["A"]["accuracy"]["fractional"]["value"] == 1
    assert results["study"]["excluded"] == {"training": 2, "repeats": 1, "superseded": 2}


def test_the_readers_fooled_by_a_case_are_counted_from_its_levels(results: dict[str, Any]) -> None:
    for case in results["cases"]:
        said = np.array(list(case["levels"].values()))
        wrong = said < 3 if case["truth"] == "synthetic" else said > 3
        assert case["wrong"] == wrong.sum()


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    published = json.loads((files("analysis.report") / "results.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    return jsonschema.Draft202012Validator(published)


def test_the_results_keep_to_the_published_schema(results: dict[str, Any], schema: Any, tmp_path: Path) -> None:
    assert [error.json_path + ": " + error.message for error in schema.iter_errors(results)] == []
    for name, (levels, truth) in AWKWARD.items():
        awkward = measure(ratings(tmp_path / "r.csv", levels, truth), QUICK)
        assert [f"{name} {error.json_path}: {error.message}" for error in schema.iter_errors(awkward)] == []


def test_the_schema_refuses_a_value_that_is_missing_without_a_reason(results: dict[str, Any], schema: Any) -> None:
    broken = json.loads(dump(results))
    broken["overall"]["auc"] = {"value": None}
    assert [error.json_path for error in schema.iter_errors(broken)] == ["$.overall.auc"]


def test_with_three_readers_the_means_are_led_by_welchs_interval_and_the_usual_one_stands_beside_it() -> None:
    whole = load_ratings(EXAMPLE)
    three = replace(whole, table=whole.table[whole.table["reader"].isin(["EC1", "EC2", "EC3"])])
    found = measure(three, QUICK)
    assert found["limitations"]["interval"] == "welch"
    methods = [one["method"] for one in found["overall"]["methods"] if one["figure"] == "auc"]
    assert methods[0] == found["overall"]["auc"]["method"]
    assert [method.split(" readers")[0] for method in methods[:2]] == [
        "Obuchowski-Rockette with Welch's critical values,",
        "Obuchowski-Rockette (jackknife),",
    ]
    assert "Welch's critical values" in text(found, "methods")
    assert "93 to 97 % of simulated studies" in text(found, "limitations")


def test_methods_name_the_critical_values_that_were_used() -> None:
    whole = load_ratings(EXAMPLE)
    six = measure(whole, QUICK)
    assert six["groups"]["members"]["EC"]["auc"]["method"].startswith("Obuchowski-Rockette with Welch's")
    assert "Hillis' degrees of freedom (" in text(six, "methods")
    assert "(in groups of three to five readers Welch's critical values" in text(six, "methods")
    few = whole.table["reader"].isin(["EC1", "EC2", "EP1"]) & whole.table["case"].isin(list(whole.cases)[:16])
    found = measure(replace(whole, table=whole.table[few]), QUICK)
    assert found["limitations"]["interval"] == "none"
    assert found["overall"]["auc"]["method"].startswith("Obuchowski-Rockette with Welch's")
    assert "Hillis' degrees of freedom" not in text(found, "methods")
