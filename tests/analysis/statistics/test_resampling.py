"""The crossed bootstrap against its exact limit and against a plain loop; seeds, missing readings, edges."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics import resampling, roc
from analysis.statistics.mrmc import compare_groups, obuchowski_rockette
from analysis.statistics.resampling import crossed_bootstrap, crossed_limit
from analysis.statistics.scoring import RULES, credits
from tests.analysis.rated import imrmc


def test_the_limit_is_what_imrmc_says(shared, oracle):
    case = oracle("15")
    scores, truth = imrmc(shared, "imrmc_R2")
    found = crossed_limit(scores[0], truth)
    assert found.value == pytest.approx(case["expected"]["auc"])
    assert found.variance == pytest.approx(case["expected"]["var_limit"], abs=case["tolerance"]["var_limit"])
    bootstrap = crossed_bootstrap(scores[0], truth, replicates=10_000, seed=1)
    assert bootstrap.se == pytest.approx(case["expected"]["se_limit"], rel=case["tolerance"]["mc_se_rel"])
    assert bootstrap.ci == pytest.approx(case["expected"]["mc_percentile_ci95"], abs=0.01)


@pytest.mark.parametrize("statistic", ["auc", "accuracy", "sensitivity", "specificity"])
def test_the_bootstrap_comes_near_its_limit_on_the_published_study(published, statistic):
    found = crossed_bootstrap(published.levels, published.truth, statistic, replicates=20_000)
    scores = published.levels
    if statistic != "auc":
        scores = [credits(row, published.truth) for row in published.levels]
    limit = crossed_limit(scores, published.truth, endpoint=statistic)
    assert found.value == pytest.approx(limit.value)
    assert found.se == pytest.approx(limit.se, rel=0.02)


def plain_loop(levels, truth, rng, replicates):
    """One replicate at a time, every reader's area by definition: the matrix form must have the same distribution."""
    positive, negative = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
    out = []
    for _ in range(replicates):
        readers = rng.integers(len(levels), size=len(levels))
        first, second = rng.choice(positive, positive.size), rng.choice(negative, negative.size)
        gaps = levels[readers][:, first][:, :, None] - levels[readers][:, second][:, None, :]
        seen = ~np.isnan(gaps)
        with np.errstate(invalid="ignore"):
            area = np.where(seen, (gaps > 0) + (gaps == 0) / 2, 0).sum(axis=(1, 2)) / seen.sum(axis=(1, 2))
        out.append(np.nanmean(area))
    return np.array(out)


@pytest.mark.parametrize("kind", ["levels", "continuous"])
def test_missing_readings_are_resampled_as_a_plain_loop_does(kind):
    rng = np.random.default_rng(5)
    truth = np.repeat([0, 1], 15)
    scores = rng.normal(size=(4, 30)) + truth
    scores = np.clip(np.round(scores) + 3, 1, 5) if kind == "levels" else scores
    scores[rng.random(scores.shape) < 0.3] = np.nan
    found = crossed_bootstrap(scores, truth, replicates=20_000)
    loop = plain_loop(scores, truth, rng, 4000)
    assert found.value == pytest.approx(np.mean([roc.auc(row, truth).value for row in scores]))
    assert found.se == pytest.approx(loop.std(), rel=0.05)
    assert found.ci == pytest.approx(np.quantile(loop, (0.025, 0.975)), abs=0.015)


def test_both_forms_of_the_area_give_the_same_replicates(monkeypatch, published):
    by_levels = crossed_bootstrap(published.levels, published.truth, replicates=600, seed=7)
    monkeypatch.setattr(resampling, "FEW_LEVELS", 0)
    by_pairs = crossed_bootstrap(published.levels, published.truth, replicates=600, seed=7)
    assert by_pairs.se == pytest.approx(by_levels.se)
    assert by_pairs.ci == pytest.approx(by_levels.ci)


def test_a_seed_means_one_result(published):
    draw = [crossed_bootstrap(published.levels, published.truth, replicates=700, seed=seed).ci for seed in (1, 1, 2)]
    assert draw[0] == draw[1]
    assert draw[0] != draw[2]


@pytest.mark.parametrize("rule", RULES)
def test_accuracy_follows_the_rule_that_is_named(published, rule):
    found = crossed_bootstrap(published.levels, published.truth, "accuracy", replicates=500, rule=rule)
    expected = {"fractional": 0.6844, "excluded": 0.785, "wrong": 0.6825, "half": 0.748}[rule]  # FACTS.md
    assert found.value == pytest.approx(expected, abs=5e-4)
    assert found.rule == rule
    given_credits = [credits(row, published.truth, rule) for row in published.levels]
    same = crossed_bootstrap(given_credits, published.truth, "accuracy", replicates=500, rule=None)
    assert same.ci == pytest.approx(found.ci)


def test_groups_are_resampled_within(published):
    groups = [name[:2] for name in published.readers]
    found = crossed_bootstrap(published.levels, published.truth, replicates=20_000, groups=groups)
    nested = compare_groups(published.levels, published.truth, groups)
    assert found.value == pytest.approx(nested.value)
    limits = [crossed_limit(published.levels[side], published.truth) for side in (slice(0, 3), slice(3, 6))]
    # The same cases are drawn for both groups, so the difference varies less than two studies of three readers would.
    assert found.se < np.hypot(limits[0].se, limits[1].se)
    assert found.groups == ["EC", "EP"]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 5), min_size=10, max_size=10), min_size=2, max_size=4))
def test_swapping_the_class_names_mirrors_the_interval(rows):
    scores, truth = np.array(rows, float), np.array([0, 1] * 5)
    found = crossed_bootstrap(scores, truth, replicates=200)
    mirrored = crossed_bootstrap(6 - scores, truth, replicates=200)
    assert found.value == pytest.approx(1 - mirrored.value)
    if found.ci is not None:
        assert found.ci == pytest.approx((1 - mirrored.ci[1], 1 - mirrored.ci[0]))


@pytest.mark.parametrize(
    ("scores", "truth"),
    [([[1, 2, 3]] * 2, [1, 1, 1]), ([[np.nan] * 4] * 2, [0, 0, 1, 1]), (np.empty((0, 4)), [0, 0, 1, 1])],
)
def test_without_a_class_there_is_a_reason(scores, truth):
    found = crossed_bootstrap(scores, truth, replicates=50)
    assert (found.value, found.ci) == (None, None)
    assert "no reader" in found.reason
    json.dumps(found.as_dict())


def test_replicates_without_a_figure_are_counted():
    levels = np.array([[1, 2, np.nan, np.nan, 5, 4, np.nan, np.nan], [2, 1, np.nan, np.nan, 4, 5, np.nan, np.nan]])
    found = crossed_bootstrap(levels, [0, 0, 0, 0, 1, 1, 1, 1], replicates=5000)
    # Neither class lost: (1 - (1/2)^4)^2 of the replicates.
    assert found.undefined_replicates == pytest.approx(5000 * (1 - (15 / 16) ** 2), abs=100)
    assert found.value == 1.0


def test_constant_answers_give_their_value_and_no_interval():
    constant = crossed_bootstrap(np.full((3, 200), 3.0), np.repeat([0, 1], 100), replicates=100)
    assert (constant.value, constant.se, constant.ci, constant.p) == (0.5, 0.0, None, None)


def test_ten_thousand_readers_are_no_trouble():
    rng = np.random.default_rng(13)
    truth = np.repeat([0, 1], 10)
    levels = np.clip(rng.integers(1, 6, (10_000, 20)) + truth, 1, 5)
    found = crossed_bootstrap(levels, truth, replicates=500)
    assert found.readers == 10_000
    assert found.se == pytest.approx(crossed_limit(levels, truth).se, rel=0.2)


def test_bad_input_is_named(published):
    with pytest.raises(ValueError, match="statistic: expected one of auc, accuracy"):
        crossed_bootstrap(published.levels, published.truth, "kappa")
    with pytest.raises(ValueError, match="replicates: expected 2 or more"):
        crossed_bootstrap(published.levels, published.truth, replicates=0)
    with pytest.raises(ValueError, match="readers x cases"):
        crossed_bootstrap(published.levels[None], published.truth)


def test_a_reader_with_too_few_cases_of_a_class_is_left_out_as_the_other_methods_do(published):
    levels = np.where(np.arange(200) < 3, published.levels, np.nan)
    levels[1:] = published.levels[1:]
    for statistic, scores in (("auc", levels), ("accuracy", [credits(row, published.truth) for row in levels])):
        found = crossed_bootstrap(levels, published.truth, statistic, replicates=100)
        model = obuchowski_rockette(scores, published.truth, endpoint=statistic)
        assert (found.value, found.left_out) == (pytest.approx(model.value), 1), statistic
        assert found.value == pytest.approx(crossed_bootstrap(levels[1:], published.truth, statistic, 100).value)


def test_of_one_reader_nothing_is_said_of_others(published):
    for found in (
        crossed_bootstrap(published.levels[:1], published.truth, replicates=100),
        crossed_limit(published.levels[:1], published.truth),
        crossed_bootstrap(published.levels[:3], published.truth, replicates=100, groups=["a", "b", "b"]),
    ):
        assert (found.se, found.ci, found.p) == (None, None, None)
        assert "one reader" in found.reason
        assert found.value is not None


def test_replicates_that_are_all_alike_give_no_interval():
    found = crossed_bootstrap([[1, 1, 5, 5]] * 3, [0, 0, 1, 1], replicates=100)
    assert (found.value, found.ci, found.p) == (1.0, None, None)
    assert "are equal" in found.reason
