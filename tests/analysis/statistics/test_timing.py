"""Times and what time does to accuracy: known effects are found, absent ones are not, and little data says so."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from analysis.statistics import timing
from analysis.statistics.trials import NEEDED, trials


def study(seed=1, readers=6, cases=200, **effects):
    """Responses with known effects on log time (`slow_*`, `faster`) and accuracy (`learning`, `rest`)."""
    random = np.random.Generator(np.random.PCG64(seed))
    tables = []
    pace, hard = random.normal(0, 0.3, readers), random.normal(0, 0.2, cases)
    for reader in range(readers):
        case = random.permutation(cases)
        position, synthetic = np.arange(1, cases + 1), case % 2 == 1
        block = (position - 1) // 25 + 1
        fresh = (position - 1) % 25 < 5
        chance = 0.7 + effects.get("learning", 0) * (position - cases / 2) / 100 + effects.get("rest", 0) * fresh
        right = random.random(cases) < np.clip(chance, 0, 1)
        full = random.random(cases) < 0.4
        toward = np.where(right, np.where(full, 5, 4), np.where(full, 1, 2))
        unsure = random.random(cases) < 0.1
        level = np.where(unsure, 3, np.where(synthetic, toward, 6 - toward)).astype(float)
        log_ms = 8.5 + pace[reader] + hard[case] + random.normal(0, 0.3, cases)
        log_ms += effects.get("slow_wrong", 0) * (~right & ~unsure) + effects.get("slow_partial", 0) * (~full & ~unsure)
        log_ms += effects.get("slow_synthetic", 0) * synthetic - effects.get("faster", 0) * position / 100
        tables.append(
            pd.DataFrame(
                {
                    "reader": f"R{reader}",
                    "case": [f"c{number}" for number in case],
                    "truth": np.where(synthetic, "synthetic", "real"),
                    "level": level,
                    "response_ms": np.exp(log_ms),
                    "position": position,
                    "block": block,
                    "late": np.exp(log_ms) > 12_000,
                    "is_training": False,
                    "is_repeat": False,
                    "zoom_max": np.where(random.random(cases) < 0.3, 2.0, 1.0),
                    "windowed": random.random(cases) < 0.2,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


KNOWN = {"slow_wrong": 0.25, "slow_partial": 0.15, "slow_synthetic": 0.1, "faster": 0.1, "learning": 0.12}


@pytest.fixture(scope="module")
def known():
    return study(**KNOWN)


def test_time_effects_are_found_in_both_ways(known):
    by_reader, (model, spread) = timing.time_effects(known), timing.mixed_model(known)
    truth = {
        ("wrong_to_right", "wrong"): 0.25,
        ("partial_to_full", "partial"): 0.15,
        ("synthetic_to_real", "synthetic"): 0.1,
        ("per_100_trials", "per_100_trials"): -0.1,
    }
    for (name, column), effect in truth.items():
        for found in (by_reader[name], model[column]):
            assert found.ci[0] < math.exp(effect) < found.ci[1]
            assert found.p < 0.05
    assert spread["residual"] == pytest.approx(0.3, rel=0.05)
    assert spread["case"] == pytest.approx(0.2, rel=0.2)


def test_learning_is_found_and_its_size_is_right(known):
    found = timing.accuracy_effects(known, "excluded")["per_100_trials"]
    assert found.ci[0] < 0.12 < found.ci[1]
    assert found.p < 0.05
    assert found.readers == 6


def test_absent_effects_are_rejected_as_often_as_promised():
    p_values = {"time": [], "accuracy": []}
    for seed in range(60):
        quiet = study(seed=100 + seed, cases=80)
        p_values["time"] += [timing.time_effects(quiet)[name].p for name in ("zoomed", "after_break", "per_100_trials")]
        accuracy = timing.accuracy_effects(quiet, "half")
        p_values["accuracy"] += [accuracy[name].p for name in ("windowed", "after_break", "per_doubling_of_time")]
    for values in p_values.values():
        assert np.mean(np.array(values) < 0.05) < 0.1


def test_a_class_that_comes_late_in_the_order_is_not_taken_for_fatigue():
    rows = study(cases=100)
    # Synthetic cases all in the second half, and always missed: fatigue only if truth is forgotten.
    rows["truth"] = np.where(rows["position"] > 50, "synthetic", "real")
    rows["level"] = np.where(np.arange(len(rows)) % 7 == 0, 2.0, 1.0)
    found = timing.accuracy_effects(rows, "excluded")["per_100_trials"]
    assert found.value == pytest.approx(0, abs=1e-9)


def test_the_gain_of_a_doubled_time_has_its_size():
    rows = study(seed=11, cases=400)
    random = np.random.Generator(np.random.PCG64(1))
    doublings = random.uniform(-1, 1, len(rows))
    rows["response_ms"] = 4000 * 2.0**doublings
    toward = np.where(random.random(len(rows)) < 0.6 + 0.3 * doublings, 5, 1)
    rows["level"] = np.where(rows["truth"] == "synthetic", toward, 6 - toward).astype(float)
    found = timing.accuracy_effects(rows)["per_doubling_of_time"]
    assert found.ci[0] < 0.3 < found.ci[1]
    assert found.value == pytest.approx(0.3, abs=0.06)


def test_rest_after_a_break_is_found():
    found = timing.accuracy_effects(study(seed=3, readers=12, rest=0.2), "excluded")["after_break"]
    assert found.ci[0] < 0.2 < found.ci[1]
    assert found.p < 0.05
    assert found.trials <= 12 * 7 * 10


@pytest.mark.parametrize("n", [6, 7, 15, 16, 100])
def test_the_interval_of_a_median_covers_and_no_narrower_one_does(n):
    values = np.arange(1.0, n + 1)
    low, high = timing.median_interval(values).ci
    k = int(low)
    assert high == n + 1 - k
    assert 1 - 2 * binom.cdf(k - 1, n, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(k, n, 0.5) < 0.95


def test_medians_are_split_as_they_say(known):
    found = timing.medians(known)
    decided = known[known["level"] != 3]
    wrong = (decided["level"] > 3) != (decided["truth"] == "synthetic")
    assert found["correctness"]["wrong"].value == pytest.approx(decided["response_ms"][wrong].median())
    assert found["certainty"]["partial"].value == pytest.approx(
        known["response_ms"][known["level"].isin([2, 4])].median()
    )
    assert found["answer"]["unsure"].n == (known["level"] == 3).sum()
    assert found["reader"]["R3"].value == pytest.approx(known.groupby("reader")["response_ms"].median()["R3"])
    assert sum(one.n for one in found["truth"].values()) == found["all"]["all"].n == len(known)


def test_late_shares_and_viewer_use_are_counted(known):
    late = timing.late_shares(known)
    assert late["all"]["all"].value == pytest.approx(known["late"].mean())
    assert late["reader"]["R0"].k == known["late"][known["reader"] == "R0"].sum()
    used = timing.viewer_use(known)
    assert used["zoomed"]["all"].value == pytest.approx((known["zoom_max"] > 1).mean())
    assert used["windowed"]["R5"].value == pytest.approx(known["windowed"][known["reader"] == "R5"].mean())


def test_the_curve_over_positions_shows_the_learning(known):
    rows = timing.over_position(known, parts=4, rule="excluded")
    assert [row["n"] for row in rows] == [300] * 4
    assert rows[-1]["accuracy"].value > rows[0]["accuracy"].value
    assert rows[-1]["median_ms"].value < rows[0]["median_ms"].value


def test_the_speed_accuracy_curve_is_cut_reader_by_reader():
    rows = study(seed=5)
    # Slow readers are right, fast ones wrong; within a reader time does not matter.
    slow = rows["reader"].isin(["R0", "R1", "R2"])
    rows.loc[slow, "response_ms"] *= 10
    toward = np.where(slow, 5, 1)
    rows["level"] = np.where(rows["truth"] == "synthetic", toward, 6 - toward).astype(float)
    found = timing.speed_accuracy(rows, parts=5)
    assert [row["accuracy"].value for row in found] == pytest.approx([0.5] * 5, abs=0.06)
    assert [row["part"] for row in found] == [1, 2, 3, 4, 5]


def test_order_of_rows_and_names_of_readers_do_not_matter(known):
    shuffled = known.sample(frac=1, random_state=4).assign(reader=lambda rows: "Z" + rows["reader"])
    for effects in (timing.time_effects, timing.accuracy_effects):
        one, other = effects(known), effects(shuffled)
        for name, found in one.items():
            assert other[name].value == pytest.approx(found.value)
            assert other[name].p == pytest.approx(found.p)


def test_what_is_left_out_is_counted_by_reason(known):
    rows = known.copy()
    rows.loc[:9, "is_training"] = True
    rows.loc[5:14, "is_repeat"] = True
    rows.loc[20:21, "level"] = np.nan
    rows.loc[30:32, "response_ms"] = [np.nan, 0, -5]
    found = trials(rows)
    assert found.left_out == {"practice": 10, "repeats": 5, "unanswered": 2, "without_time": 3}
    assert found.ms.size == len(rows) - 20


def test_one_reader_has_the_standard_error_of_his_own_trials():
    alone = study(seed=7, readers=1, slow_wrong=0.4)
    found = timing.time_effects(alone)["wrong_to_right"]
    assert found.method.endswith("one reader's slope, t 95% interval over trials")
    # The same as ordinary least squares with a class intercept.
    decided = alone[alone["level"] != 3]
    synthetic = (decided["truth"] == "synthetic").to_numpy()
    wrong = (decided["level"] > 3).to_numpy() != synthetic
    design = np.c_[np.ones(len(decided)), synthetic, wrong].astype(float)
    y = np.log(decided["response_ms"].to_numpy())
    beta, left_over, *_ = np.linalg.lstsq(design, y, rcond=None)
    se = math.sqrt(left_over[0] / (len(y) - 3) * np.linalg.inv(design.T @ design)[2, 2])
    assert (math.log(found.value), found.log_se) == pytest.approx((beta[2], se))


@pytest.mark.parametrize(
    "rows",
    [
        study(readers=1, cases=1),
        study(readers=2, cases=3),
        study(readers=3, cases=40).assign(level=5.0),
        study(readers=3, cases=40).assign(truth="real"),
        study(readers=3, cases=40).assign(response_ms=3000.0),
        study(readers=3, cases=40).assign(level=np.nan),
        study(readers=3, cases=40)[["reader", "case", "truth", "level", "response_ms"]],
        study(readers=3, cases=40).iloc[:0],
    ],
    ids=["one trial", "three cases", "one answer", "one class", "one time", "no answer", "no order", "no rows"],
)
def test_little_or_uniform_data_give_numbers_or_reasons_and_no_warning(rows):
    model, _ = timing.mixed_model(rows)
    found = [*timing.time_effects(rows).values(), *timing.accuracy_effects(rows).values(), *model.values()]
    for split in (timing.medians(rows), timing.late_shares(rows), timing.viewer_use(rows)):
        found += [one for part in split.values() for one in part.values()]
    for row in [*timing.over_position(rows), *timing.speed_accuracy(rows)]:
        found += [row["accuracy"], row["median_ms"]]
    assert all(one.value is not None or one.reason for one in found)
    assert all(one.value is None or math.isfinite(one.value) for one in found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.drop(columns="truth"), "missing: truth"),
        (lambda rows: rows.assign(truth="maybe"), "expected real or synthetic, got 'maybe'"),
        (lambda rows: rows.assign(response_ms="soon"), "expected numbers, got 'soon'"),
    ],
)
def test_impossible_input_is_refused(known, change, words):
    with pytest.raises(ValueError, match=words):
        timing.medians(change(known))


def test_late_shares_are_unknown_where_nobody_recorded_them():
    rows = pd.DataFrame([("A", c, c % 2, 1 + c % 5, 900.0, None) for c in range(8)], columns=[*NEEDED, "late"])
    assert timing.late_shares(rows)["all"]["all"].reason == "it is not known which answers were late"
    assert timing.late_shares(rows.drop(columns="late"))["truth"]["real"].value is None
