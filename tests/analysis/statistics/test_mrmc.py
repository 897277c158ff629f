"""Obuchowski-Rockette against the Iowa program, MRMCaov and RJafroc; nested groups; properties; edges."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from analysis.statistics import roc
from analysis.statistics.estimate import Estimate
from analysis.statistics.mrmc import compare_groups, equivalence, obuchowski_rockette, ustatistics
from tests.analysis.rated import imrmc, mrmcaov

NAMES = {"Error": "error", "Cov1": "cov1", "Cov2": "cov2", "Cov3": "cov3"} | {
    "reader": "reader",
    "treatment:reader": "modality_reader",
}


def agrees(found, block):
    for theirs, ours in NAMES.items():
        assert found.components[ours] == pytest.approx(block["vc"][theirs], abs=1e-9)
    test, difference = block["F"][0], block["diffs"][0]
    assert (found.statistic, found.df, found.p) == pytest.approx((test["F"], test["df2"], test["p-value"]), rel=1e-6)
    assert (found.value, found.se) == pytest.approx((difference["Estimate"], difference["StdErr"]), abs=1e-8)
    assert found.ci == pytest.approx(difference["CI"], abs=1e-7)
    for ours, theirs in zip(found.modalities, block["means"], strict=True):
        assert (ours["value"], ours["se"]) == pytest.approx((theirs["Estimate"], theirs["StdErr"]), abs=1e-8)
        assert ours["df"] == pytest.approx(theirs["df"], rel=1e-5)
        assert ours["ci"] == pytest.approx(theirs["CI"], abs=1e-7)


@pytest.mark.parametrize(
    ("number", "data", "covariance", "block"),
    [
        ("08", "VanDyke", "jackknife", "rrrc_jackknife_full"),
        ("08", "VanDyke", "delong", "rrrc_delong"),
        ("08", "VanDyke", "unbiased", "rrrc_unbiased"),
        ("09", "Franken", "jackknife", "jackknife"),
        ("09", "Franken", "delong", "delong"),
        ("09", "Franken", "unbiased", "unbiased"),
    ],
)
def test_mrmcaov_is_reproduced_with_readers_and_cases_random(shared, oracle, number, data, covariance, block):
    scores, truth = mrmcaov(shared, data)
    expected = oracle(number)["expected"]
    found = obuchowski_rockette(scores, truth, covariance)
    agrees(found, expected[block])
    assert np.array(found.per_reader) == pytest.approx(np.array(expected["reader_auc"]), abs=1e-8)


def test_published_output_is_reproduced_with_readers_or_cases_fixed(shared, oracle):
    scores, truth = mrmcaov(shared, "VanDyke")
    expected = oracle("08")["expected"]
    fixed_readers = obuchowski_rockette(scores, truth, readers="fixed")
    assert fixed_readers.statistic == pytest.approx(expected["frrc"]["X2"], abs=5e-3)
    assert fixed_readers.p == pytest.approx(expected["frrc"]["p"], abs=5e-5)
    assert fixed_readers.ci == pytest.approx(expected["frrc"]["diff_ci95"], abs=1e-5)
    fixed_cases = obuchowski_rockette(scores, truth, cases="fixed")
    assert fixed_cases.statistic == pytest.approx(expected["rrfc"]["F"], abs=5e-3)
    assert fixed_cases.p == pytest.approx(expected["rrfc"]["p"], abs=5e-4)
    assert fixed_cases.ci == pytest.approx(expected["rrfc"]["diff_ci95"], abs=1e-5)
    for found, kind in ((fixed_readers, "frrc"), (fixed_cases, "rrfc")):
        for ours, theirs in zip(found.modalities, expected[kind]["single"], strict=True):
            assert ours["se"] == pytest.approx(theirs["se"], abs=1e-8)
            assert ours["ci"] == pytest.approx(theirs["ci95"], abs=1e-8)


def test_a_figure_near_its_target_is_equivalent_and_one_whose_90_percent_interval_leaves_the_margin_is_not():
    near = Estimate(0.52, 0.03, df=8.0)
    found = equivalence(near, 0.5, 0.1)
    assert found.ci == pytest.approx((0.52 - t.ppf(0.95, 8) * 0.03, 0.52 + t.ppf(0.95, 8) * 0.03))
    assert found.p == pytest.approx(t.sf(0.08 / 0.03, 8))
    assert equivalence(near, 0.5, 0.07).p > 0.05  # .52 + 1.86 x .03 = .576
    assert equivalence(Estimate(0.52, 0.03), 0.5, 0.1).p == pytest.approx(norm.sf(0.08 / 0.03))
    assert "standard error" in equivalence(Estimate(0.52), 0.5, 0.1).reason


def test_the_f_test_and_the_t_of_the_difference_are_one(shared):
    scores, truth = mrmcaov(shared, "VanDyke")
    found = obuchowski_rockette(scores, truth)
    assert (found.value / found.se) ** 2 == pytest.approx(found.statistic)


def test_partly_paired_cases_are_taken_as_they_come(shared):
    scores, truth = mrmcaov(shared, "Kundel")
    for covariance in ("jackknife", "delong", "unbiased"):
        found = obuchowski_rockette(scores, truth, covariance)
        assert (found.missing, found.left_out) == (int(np.isnan(scores).sum()), [])
        assert 0 < found.p < 1
        assert len(found.pairs) == 3


def test_one_reader_with_fixed_readers_is_delong(published):
    found = obuchowski_rockette(published.levels[:1], published.truth, "delong", readers="fixed")
    alone = roc.auc(published.levels[0], published.truth)
    assert (found.value, found.se, found.p) == pytest.approx((alone.value, alone.se, alone.p))


def test_two_modalities_of_one_fixed_reader_are_paired_delong(published):
    pair = published.levels[:2][:, None, :]
    found = obuchowski_rockette(pair, published.truth, "delong", readers="fixed")
    paired = roc.compare(published.levels[0], published.levels[1], published.truth)
    assert (found.value, found.se, found.p) == pytest.approx((paired.value, paired.se, paired.p))


def test_unbiased_covariances_and_u_statistics_give_the_same_variance(published):
    # (MS + J Cov2) / J is an unbiased estimate of the variance that the U-statistics estimate.
    found = obuchowski_rockette(published.levels, published.truth, "unbiased")
    assert found.se == pytest.approx(ustatistics(published.levels, published.truth).se)


def test_published_means_are_reproduced(published):
    credit = np.where(published.truth == 1, published.levels - 1, 5 - published.levels) / 4
    accuracy = obuchowski_rockette(credit, published.truth, endpoint="accuracy")
    assert accuracy.value == pytest.approx(0.6844, abs=5e-5)  # FACTS.md
    assert accuracy.per_reader == pytest.approx([0.6275, 0.6925, 0.6613, 0.6613, 0.7887, 0.6750], abs=6e-5)
    area = obuchowski_rockette(published.levels, published.truth)
    assert area.per_reader == pytest.approx([0.7399, 0.7925, 0.8480, 0.8871, 0.9120, 0.7971], abs=6e-5)
    decided = np.where(published.levels == 3, np.nan, credit > 0.5)
    excluded = obuchowski_rockette(decided, published.truth, endpoint="accuracy")
    assert excluded.value == pytest.approx(0.785, abs=5e-4)
    assert excluded.missing == 157
    sides = [
        obuchowski_rockette(credit, published.truth, endpoint=side).value for side in ("sensitivity", "specificity")
    ]
    assert np.mean(sides) == pytest.approx(accuracy.value)


def test_groups_are_compared_within_their_readers(published):
    groups = [name[:2] for name in published.readers]
    found = compare_groups(published.levels, published.truth, groups)
    assert found.value == pytest.approx(published_difference(published))
    assert (found.groups["EC"]["value"] - found.groups["EP"]["value"]) == pytest.approx(found.value)
    assert found.df >= 4  # six readers in two groups
    reverse = compare_groups(published.levels[::-1], published.truth, groups[::-1])
    assert (reverse.value, reverse.p) == pytest.approx((-found.value, found.p))


def published_difference(published):
    areas = [roc.auc(levels, published.truth).value for levels in published.levels]
    return np.mean(areas[:3]) - np.mean(areas[3:])


def test_nested_groups_agree_with_the_split_plot_by_u_statistics(shared):
    scores, truth = imrmc(shared, "imrmc_R4")
    readers = np.vstack([scores[0, ~np.isnan(scores[0]).all(axis=1)], scores[1, ~np.isnan(scores[1]).all(axis=1)]])
    nested = compare_groups(readers, truth, ["A"] * 5 + ["B"] * 5, covariance="unbiased")
    split_plot = ustatistics(scores, truth)
    # Equal groups: MS pooled over groups gives the sum of the two reader variances, and Cov2, Cov3 are shared.
    assert (nested.value, nested.se) == pytest.approx((split_plot.value, split_plot.se))


def test_nested_test_follows_from_the_full_covariance_matrix(shared):
    """Hillis 2014 by hand, groups of 5 and 3, where Cov2 exceeds Cov3."""
    scores, truth = imrmc(shared, "imrmc_R4")
    readers = np.vstack([scores[0, [0, 2, 3, 4, 5]], scores[1, [1, 6, 7]]])
    theta = np.array([roc.auc(row, truth).value for row in readers])
    matrix = np.empty((8, 8))
    for a in range(8):
        for b in range(8):
            one, two = (roc.placements(readers[r], truth == 1) for r in (a, b))
            matrix[a, b] = sum(np.cov(x, y)[0, 1] / x.size for x, y in zip(one, two, strict=True))
    first, second = np.arange(8) < 5, np.arange(8) >= 5
    within = np.concatenate([matrix[np.ix_(side, side)][~np.eye(side.sum(), dtype=bool)] for side in (first, second)])
    cov2, cov3 = within.mean(), matrix[np.ix_(first, second)].mean()
    ms_r = (4 * theta[first].var(ddof=1) + 2 * theta[second].var(ddof=1)) / 6
    variance = ms_r * (1 / 5 + 1 / 3) + 2 * (cov2 - cov3)
    assert cov2 > cov3
    found = compare_groups(readers, truth, ["A"] * 5 + ["B"] * 3, covariance="delong")
    assert found.se**2 == pytest.approx(variance)
    assert found.df == pytest.approx(variance**2 / ((ms_r * (1 / 5 + 1 / 3)) ** 2 / 6))
    assert found.statistic == pytest.approx((found.value / found.se) ** 2)


@pytest.mark.parametrize("covariance", ["jackknife", "delong", "unbiased"])
def test_three_groups_of_unequal_size_give_one_f_test(published, covariance):
    found = compare_groups(published.levels, published.truth, ["A", "A", "A", "B", "B", "C"], covariance=covariance)
    assert found.df1 == 2
    assert set(found.pairs) == {"A-B", "A-C", "B-C"}
    assert found.value == found.statistic


levels = st.lists(st.lists(st.integers(1, 5), min_size=12, max_size=12), min_size=2, max_size=5)


@settings(deadline=None)
@given(levels, st.sampled_from(["jackknife", "delong", "unbiased"]), st.integers(0, 2**31))
def test_order_and_class_names_change_nothing(rows, covariance, seed):
    scores, truth = np.array(rows, float), np.array([0, 1] * 6)
    rng = np.random.default_rng(seed)
    found = obuchowski_rockette(scores, truth, covariance)
    cases, readers = rng.permutation(12), rng.permutation(len(scores))
    shuffled = obuchowski_rockette(scores[readers][:, cases], truth[cases], covariance)
    swapped = obuchowski_rockette(6 - scores, 1 - truth, covariance)
    for other in (shuffled, swapped):
        assert other.value == pytest.approx(found.value)
        assert other.se == pytest.approx(found.se, abs=1e-7)
        assert (other.reason is None) == (found.reason is None)


@given(levels)
def test_duplicated_readers_leave_the_mean_and_the_fixed_reader_error_alone(rows):
    scores, truth = np.array(rows, float), np.array([0, 1] * 6)
    once = obuchowski_rockette(scores, truth, "delong", readers="fixed")
    twice = obuchowski_rockette(np.vstack([scores, scores]), truth, "delong", readers="fixed")
    assert (twice.value, twice.se) == pytest.approx((once.value, once.se), abs=1e-9)


EDGES = {
    "one reader": ([[1, 2, 4, 5]], [0, 0, 1, 1], "one reader"),
    "one class": ([[1, 2, 4, 5]] * 3, [1, 1, 1, 1], "no reader"),
    "nothing read": ([[np.nan] * 4] * 3, [0, 0, 1, 1], "no reader"),
    "no cases": (np.empty((2, 0)), [], "no reader"),
    "all answers alike": ([[3, 3, 3, 3]] * 3, [0, 0, 1, 1], "zero"),
    "perfect separation": ([[1, 1, 5, 5]] * 3, [0, 0, 1, 1], "zero"),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("covariance", ["jackknife", "delong", "unbiased"])
def test_edges_give_a_reason(edge, covariance):
    scores, truth, words = EDGES[edge]
    found = obuchowski_rockette(scores, truth, covariance)
    assert words in found.reason
    assert found.p is None
    json.dumps(found.as_dict())
    stacked = obuchowski_rockette(np.stack([scores, scores]), truth, covariance)
    assert stacked.reason
    grouped = compare_groups(scores, truth, (["A", "B", "B"])[: len(scores)], covariance=covariance)
    assert grouped.reason
    assert grouped.p is None


@pytest.mark.parametrize("covariance", ["jackknife", "delong", "unbiased"])
def test_accuracy_of_one_class_is_still_a_figure(published, covariance):
    credit = (published.levels[:, published.truth == 1] > 3).astype(float)
    truth = np.ones(100)
    found = obuchowski_rockette(credit, truth, covariance, endpoint="accuracy")
    whole = obuchowski_rockette(
        (published.levels > 3) == published.truth, published.truth, covariance, endpoint="sensitivity"
    )
    assert (found.value, found.se, found.df) == pytest.approx((whole.value, whole.se, whole.df))
    assert compare_groups(credit, truth, ["A", "B"] * 3, covariance=covariance, endpoint="accuracy").p is not None


def test_a_reader_with_three_answers_is_left_out_and_named(published):
    levels = published.levels.copy()
    levels[2, 3:] = np.nan
    found = obuchowski_rockette(levels, published.truth)
    assert [out["reader"] for out in found.left_out] == [2]
    others = obuchowski_rockette(np.delete(published.levels, 2, axis=0), published.truth)
    assert (found.value, found.se) == pytest.approx((others.value, others.se))


def test_with_two_fifths_missing_there_is_still_an_answer(published):
    rng = np.random.default_rng(3)
    levels = np.where(rng.random(published.levels.shape) < 0.4, np.nan, published.levels)
    for covariance in ("jackknife", "delong", "unbiased"):
        found = obuchowski_rockette(levels, published.truth, covariance)
        assert found.value == pytest.approx(0.829, abs=0.03)
        assert found.missing == int(np.isnan(levels).sum())
        assert found.ci[0] < 0.829 < found.ci[1]


@pytest.mark.parametrize("covariance", ["jackknife", "delong", "unbiased"])
def test_ten_thousand_readers_are_no_trouble(covariance):
    rng = np.random.default_rng(4)
    truth = np.repeat([0, 1], 20)
    scores = np.clip(rng.integers(1, 6, (10_000, 40)) + truth, 1, 5).astype(float)
    found = obuchowski_rockette(scores, truth, covariance)
    assert found.readers == 10_000
    assert 0 < found.se < 0.1


def test_nothing_random_is_refused():
    with pytest.raises(ValueError, match="both are fixed"):
        obuchowski_rockette([[1, 2, 4, 5]], [0, 0, 1, 1], readers="fixed", cases="fixed")
    with pytest.raises(ValueError, match="one label for each of the 2 readers"):
        compare_groups([[1, 2, 4, 5]] * 2, [0, 0, 1, 1], ["EC"])
    with pytest.raises(ValueError, match="covariance: expected one of jackknife, delong, unbiased"):
        obuchowski_rockette([[1, 2, 4, 5]], [0, 0, 1, 1], "bootstrap")
