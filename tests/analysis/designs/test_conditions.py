"""Studies with conditions: published data through the whole analysis, and known differences found again."""

import numpy as np
import pandas as pd
import pytest

from analysis.designs import conditions
from analysis.designs.common import Settings, plain
from analysis.designs.conditions.course import points_to
from analysis.designs.measure import measure
from analysis.responses import load_csv
from tests.analysis.crossovers import files, rows, study

QUICK = Settings(bootstrap=50)


def published(shared, folder, name):
    """A published study of two modalities as one of ours, every second reader the other way about."""
    table = pd.read_csv(shared / "oracles" / "data" / f"{name}.csv")
    made = []
    for row in table.itertuples():
        turned = row.reader % 2
        period = 1 + (row.treatment - 1 + turned) % 2
        made.append(
            {
                "study": name,
                "reader": f"R{row.reader}",
                "case": f"c{row.case}",
                "truth": ("real", "synthetic")[row.truth],
            }
            | {"sitting": period, "trial": f"{period}-{row.case}", "level": row.rating, "period": period}
            | {"condition": f"treatment {row.treatment}"}
        )
    both = files(folder, made)
    return load_csv(both.responses, both.conditions)


@pytest.mark.parametrize(
    ("number", "name", "block"), [("08", "VanDyke", "rrrc_jackknife_full"), ("09", "Franken", "jackknife")]
)
def test_published_differences_come_out_of_the_whole_analysis(shared, oracle, tmp_path, number, name, block):
    expected = oracle(number)["expected"]
    found = plain(conditions.measure(published(shared, tmp_path, name), QUICK))
    difference = next(line for line in found["differences"] if line["figure"] == "auc")
    theirs, test = expected[block]["diffs"][0], expected[block]["F"][0]
    assert (difference["condition"], difference["against"]) == ("treatment 2", "treatment 1")
    assert difference["method"].endswith("Welch's critical values")  # of so few readers; Hillis' stand beside it
    difference = difference["methods"][1]
    assert (difference["value"], difference["se"]) == pytest.approx((-theirs["Estimate"], theirs["StdErr"]), abs=1e-8)
    assert (difference["p"], difference["df"]) == pytest.approx((test["p-value"], test["df2"]), rel=1e-6)
    each = [found["readers"][f"R{r + 1}"]["figures"] for r in range(len(expected["reader_auc"][0]))]
    for treatment, areas in enumerate(expected["reader_auc"], start=1):
        own = [reader[f"treatment {treatment}"]["auc"]["value"] for reader in each]
        assert own == pytest.approx(areas, abs=1e-8)
    worse = [reader["differences"][0]["worse"] for reader in found["readers"].values()]
    assert worse == [b < a for a, b in zip(*expected["reader_auc"], strict=True)]


@pytest.mark.parametrize(
    ("by", "told", "rest"), [("same", ("within", "same"), "alone"), ("split", ("within", "split"), None)]
)
def test_a_known_difference_is_found_within_readers(tmp_path, by, told, rest):
    found = plain(conditions.measure(study(tmp_path, readers=8, cases=60, helps=1.5, by=by, seed=3), QUICK))
    assert (found["by"], found["cases"], found["rest"]) == (*told, rest)
    assert found["sequences"] == {"alone>hinted": 4, "hinted>alone": 4}
    by_figure = {line["figure"]: line for line in found["differences"]}
    assert by_figure["auc"]["ci"][0] > 0
    assert by_figure["accuracy"]["ci"][0] > 0
    assert by_figure["brier"]["ci"][1] < 0
    own = [line for reader in found["readers"].values() for line in reader["differences"]]
    assert len(own) == 8 * 3
    assert all(line["worse"] == (line["value"] * (-1 if line["figure"] == "brier" else 1) < 0) for line in own)
    values = [method["value"] for method in by_figure["accuracy"]["methods"]]
    assert values == pytest.approx([by_figure["accuracy"]["value"]] * len(values), abs=0.02)
    assert found["crossover"]["accuracy"]["condition"]["ci"][0] > 0
    assert found["times"]["ratios"]["hinted, against alone"]["value"] == pytest.approx(np.exp(-0.3), abs=0.08)
    assert found["model"]["odds_ratios"]["hinted, against alone"]["ci"][0] > 1


def test_between_readers_groups_are_nested(tmp_path):
    found = plain(conditions.measure(study(tmp_path, readers=12, cases=60, helps=2, by="between"), QUICK))
    assert (found["by"], found["cases"], found["rest"], found["crossover"]) == ("between", None, None, None)
    accuracy = next(line for line in found["differences"] if line["figure"] == "accuracy")
    assert accuracy["ci"][0] > 0
    assert accuracy["method"].startswith("nested Obuchowski-Rockette")
    assert [method["value"] for method in accuracy["methods"]] == pytest.approx([accuracy["value"]] * 3)
    assert "each further period" not in found["model"]["odds_ratios"]


def test_three_conditions_are_compared_in_pairs_and_corrected(tmp_path):
    names = ("alone", "hinted", "both")
    found = plain(conditions.measure(study(tmp_path, readers=6, cases=40, names=names), QUICK))
    accuracy = [line for line in found["differences"] if line["figure"] == "accuracy"]
    assert [(line["condition"], line["against"]) for line in accuracy] == [
        ("both", "alone"),
        ("hinted", "alone"),
        ("hinted", "both"),
    ]
    assert all(line["holm"] >= line["p"] for line in accuracy)
    assert found["joint"]["accuracy"]["df1"] == 2
    assert "more than two conditions" in found["crossover"]["reason"]
    assert {"after hinted", "after both"} <= found["model"]["odds_ratios"].keys()


def test_a_period_is_told_from_a_condition(tmp_path):
    found = plain(conditions.measure(study(tmp_path, readers=12, cases=80, helps=0, later=1.5, seed=5), QUICK))
    effects = found["crossover"]["accuracy"]
    assert effects["period"]["ci"][0] > 0
    assert effects["condition"]["ci"][0] < 0 < effects["condition"]["ci"][1]
    assert found["model"]["odds_ratios"]["each further period"]["ci"][0] > 1


def test_groups_and_hints_have_differences_of_their_own(tmp_path):
    found = plain(conditions.measure(study(tmp_path, readers=8, cases=40, right_hints=0.7), QUICK))
    assert {name: one["n"] for name, one in found["groups"]["members"].items()} == {"A": 4, "B": 4}
    assert [line["figure"] for line in found["groups"]["interaction"]] == ["auc", "accuracy", "brier"]
    counts = found["hints"]["conditions"]["hinted"]
    assert counts["right"] + counts["wrong"] == 40
    by_hint = {line["hint"]: line for line in found["hints"]["differences"]}
    gap = by_hint["right"]["value"] - by_hint["wrong"]["value"]
    assert by_hint["right less wrong"]["value"] == pytest.approx(gap)
    whole = next(line["value"] for line in found["differences"] if line["figure"] == "accuracy")
    parts = sum(counts[side] / 40 * by_hint[side]["value"] for side in ("right", "wrong"))
    assert parts == pytest.approx(whole)


@pytest.mark.parametrize(
    ("hint", "points"),
    [
        *[("0.9", 1), ("83 %", 1), ("Synthetic", 1), ("0,1", 0), ("12%", 0), ("real: no seam", 0)],
        *[("0.5", None), ("see the left edge", None), ("7", None), ("real or synthetic?", None)],
    ],
)
def test_a_hint_points_to_a_class_or_to_none(hint, points):
    assert points_to(hint) == points


def test_one_condition_and_none_have_nothing_to_compare(tmp_path):
    alone = [row for row in rows(readers=2, cases=6) if row["condition"] == "alone"]
    both = files(tmp_path, alone)
    assert "needs two conditions" in conditions.measure(load_csv(both.responses, both.conditions), QUICK)["reason"]
    assert conditions.measure(load_csv(both.responses), QUICK) is None


@pytest.mark.parametrize("unanswered", [("hinted",), ("alone", "hinted")])
def test_a_condition_under_which_time_always_ran_out_is_not_compared(tmp_path, unanswered):
    made = [row | ({"level": ""} if row["condition"] in unanswered else {}) for row in rows(readers=3, cases=12)]
    both = files(tmp_path, made)
    found = conditions.measure(load_csv(both.responses, both.conditions), QUICK)
    assert found["reason"] == "a difference needs two conditions, and there are answers under fewer"


def test_every_other_figure_is_of_the_first_condition_where_cases_were_read_again(tmp_path):
    whole = measure(study(tmp_path, readers=3, cases=20), QUICK)
    made = [row for row in rows(readers=3, cases=20) if row["condition"] == "alone"]
    first = measure(load_csv(files(tmp_path, made).responses), QUICK)
    assert whole["overall"]["auc"] == first["overall"]["auc"]
    assert whole["conditions"]["rest"] == "alone"


@pytest.mark.parametrize(
    ("by", "readers", "interval", "leads"),
    [
        *[("same", 2, "none", False), ("same", 3, "welch", True), ("same", 6, "hillis", False)],
        *[("between", 4, "welch", True), ("between", 8, "hillis", False)],
    ],
)
def test_few_readers_have_intervals_that_hold_or_are_said_not_to(tmp_path, by, readers, interval, leads):
    found = plain(conditions.measure(study(tmp_path, readers=readers, cases=40, by=by), QUICK))
    assert found["interval"] == interval
    lines = [line for line in found["differences"] if line["figure"] == "auc"]
    assert ["Welch" in line["method"] for line in lines] == [leads]
    assert sum(method["method"] in lines[0]["method"] for method in lines[0]["methods"]) == 1 + leads


def test_no_interval_reaches_beyond_what_a_difference_can_be(tmp_path):
    found = plain(conditions.measure(study(tmp_path, readers=2, cases=8, seed=1), QUICK))
    told = [method for line in found["differences"] for method in line["methods"]]
    told += [line for reader in found["readers"].values() for line in reader["differences"]]
    told += [line for line in found["hints"]["differences"] if line["hint"] != "right less wrong"]
    limits = [limit for one in told if one.get("ci") for limit in one["ci"]]
    assert (min(limits), max(limits)) == (-1, 1)
    alone = [one["ci"] for name in found["names"] for one in list(found["figures"][name].values())[1:] if one.get("ci")]
    assert all(0 <= low <= high <= 1 for low, high in alone)


def test_split_cases_have_no_u_statistics_beside_them(tmp_path):
    found = plain(conditions.measure(study(tmp_path, readers=6, cases=40, by="split"), QUICK))
    assert not [one for one in found["differences"][0]["methods"] if one["method"].startswith("U-stat")]
