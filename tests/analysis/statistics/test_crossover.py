"""Condition, period and carry-over of a crossover; two conditions by the bootstrap in pairs."""

import numpy as np
import pytest

from analysis.statistics.crossover import contrast, two_periods
from analysis.statistics.mrmc import compare_groups, obuchowski_rockette, ustatistics
from analysis.statistics.readings import as_readings, figures
from analysis.statistics.resampling import paired_bootstrap
from tests.analysis.rated import mrmcaov

TRUTH = np.arange(40) % 2


@pytest.mark.parametrize(("data", "sizes"), [("VanDyke", (2, 2)), ("VanDyke", (3, 2)), ("Franken", (2, 2))])
def test_a_contrast_of_two_groups_is_the_nested_test_of_published_data(shared, data, sizes):
    scores, truth = mrmcaov(shared, data)
    scores = scores[0][: sum(sizes)]
    groups = ["one"] * sizes[0] + ["two"] * sizes[1]
    found = figures(as_readings(scores, truth), "auc", "jackknife")
    ours = contrast(found.value[0], found.influence[0], groups, {"one": 1, "two": -1})
    nested = compare_groups(scores, truth, groups)
    assert (ours.value, ours.se, ours.p, ours.df) == pytest.approx((nested.value, nested.se, nested.p, nested.df))


def test_cases_that_are_hard_for_one_group_widen_its_contrast():
    rng = np.random.default_rng(3)
    hard = np.repeat(rng.normal(0, 0.2, (2, TRUTH.size)), 3, axis=0)
    scores = np.clip(0.5 + hard + rng.normal(0, 0.1, hard.shape), 0, 1)
    found = figures(as_readings(scores, TRUTH, "accuracy"), "accuracy", "jackknife")
    ours = contrast(found.value[0], found.influence[0], ["a"] * 3 + ["b"] * 3, {"a": 1, "b": -1})
    nested = compare_groups(scores, TRUTH, ["a"] * 3 + ["b"] * 3, endpoint="accuracy")
    assert (ours.value, ours.se, ours.p, ours.df) == pytest.approx((nested.value, nested.se, nested.p, nested.df))
    assert ours.df > 4


def credits(cells):
    """Periods x readers x cases of credits near these means, no two readers alike."""
    rng = np.random.default_rng(1)
    wiggle = rng.normal(0, 0.02, (*np.shape(cells), TRUTH.size))
    wiggle -= wiggle.mean(axis=2, keepdims=True)
    return np.asarray(cells, dtype=float)[..., None] + wiggle


def test_condition_period_and_carry_over_are_told_apart():
    base, condition, period, left = 0.4, 0.10, 0.05, 0.08
    # The second condition first: what it left behind raises the second period.
    cells = [
        [base, base, base + condition, base + condition],
        [base + condition + period] * 2 + [base + period + left] * 2,
    ]
    found = two_periods(credits(cells), TRUTH, [0, 0, 1, 1], endpoint="accuracy")
    assert found.carry_over.value == pytest.approx(-left)
    assert found.condition.value == pytest.approx(condition - left / 2)
    assert found.period.value == pytest.approx(period + left / 2)
    assert found.condition.p < 0.01


def test_unequal_sequences_do_not_mix_the_period_into_the_condition():
    cells = [[0.4, 0.4, 0.4, 0.6, 0.6], [0.7, 0.7, 0.7, 0.5, 0.5]]
    scores = credits(cells)
    found = two_periods(scores, TRUTH, [0, 0, 0, 1, 1], endpoint="accuracy")
    assert found.condition.value == pytest.approx(0.2)
    assert found.period.value == pytest.approx(0.1)
    swapped = [np.where(np.arange(5)[:, None] < 3, scores[p], scores[1 - p]) for p in (1, 0)]
    assert obuchowski_rockette(swapped, TRUTH, endpoint="accuracy").value == pytest.approx(0.22)


def test_a_difference_by_sequence_generalises_over_cases_too():
    rng = np.random.default_rng(2)
    cases = rng.normal(0, 0.1, TRUTH.size)  # all readers find the same cases easier in the second condition
    scores = np.clip(credits([[0.4, 0.41, 0.5, 0.51], [0.5, 0.51, 0.4, 0.41]]), 0, 1)
    for period, readers in ((1, slice(0, 2)), (0, slice(2, 4))):
        scores[period, readers] = np.clip(scores[period, readers] + cases, 0, 1)
    ours = two_periods(scores, TRUTH, [0, 0, 1, 1], endpoint="accuracy").condition
    assert ours.se > cases.std() / np.sqrt(TRUTH.size) * 0.8


def test_one_reader_of_a_sequence_gives_a_reason():
    found = two_periods(credits([[0.4, 0.4, 0.5], [0.5, 0.6, 0.4]]), TRUTH, [0, 0, 1], endpoint="accuracy")
    assert [one.value for one in found] == [None] * 3
    assert "two readers" in found.condition.reason


@pytest.mark.parametrize(
    ("scores", "swapped", "message"),
    [(np.ones((3, 2, 4)), [0, 1], "expected 2 periods"), (np.ones((2, 2, 4)), [0], "swapped: expected 2")],
)
def test_what_is_no_crossover_is_refused(scores, swapped, message):
    with pytest.raises(ValueError, match=message):
        two_periods(scores, [0, 0, 1, 1], swapped)


def test_influence_of_other_readers_is_refused():
    with pytest.raises(ValueError, match="influence: expected a row"):
        contrast([0.5, 0.6], np.ones((3, 4)), ["a", "b"], {"a": 1, "b": -1})


@pytest.mark.parametrize("data", ["VanDyke", "Franken"])
def test_the_bootstrap_in_pairs_tends_to_its_limit(shared, data):
    scores, truth = mrmcaov(shared, data)
    found, limit = paired_bootstrap(*scores, truth, replicates=2000), ustatistics(scores, truth, estimator="mle")
    assert found.value == pytest.approx(limit.value)
    assert found.se == pytest.approx(limit.se, rel=0.06)
    assert found.ci[0] < limit.value < found.ci[1]


def test_the_bootstrap_in_pairs_takes_one_draw_for_both_conditions(published):
    found = paired_bootstrap(published.levels, published.levels, published.truth, replicates=50)
    assert (found.value, found.se, found.ci) == (0.0, 0.0, None)
    assert "nothing varies" in found.reason


def test_a_reader_who_lacks_a_condition_is_left_out_of_the_pairs(published):
    other = published.levels.copy()
    other[0] = np.nan
    found = paired_bootstrap(published.levels, other, published.truth, "auc", replicates=50)
    assert (found.readers, found.left_out, found.value) == (5, 1, 0.0)
    alone = paired_bootstrap(published.levels[:1], published.levels[:1], published.truth, replicates=50)
    assert "one reader" in alone.reason
    with pytest.raises(ValueError, match="second: expected"):
        paired_bootstrap(published.levels, published.levels[1:], published.truth)
    assert paired_bootstrap(other[:1], other[:1], published.truth).reason.startswith("no reader has a figure")


@pytest.mark.parametrize("lacking", [0, 1])
def test_means_of_credits_have_the_same_limit_whether_or_not_the_same_cases_were_read(lacking):
    rng = np.random.default_rng(4)
    scores = np.clip(0.5 + rng.normal(0, 0.1, (2, 5, 1)) + rng.normal(0, 0.2, (2, 5, TRUTH.size)), 0, 1)
    scores[lacking:, 0, :6] = np.nan
    found = paired_bootstrap(*scores, TRUTH, "accuracy", replicates=4000)
    own = np.nanmean(scores, axis=2)
    assert found.value == pytest.approx((own[0] - own[1]).mean())
    if not lacking:
        limit = ustatistics(scores, TRUTH, endpoint="accuracy", estimator="mle")
        assert found.se == pytest.approx(limit.se, rel=0.06)
