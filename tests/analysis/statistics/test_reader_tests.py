"""Tests over readers against scipy, and the published study's own tests."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.reader_tests import permutation, sign_flip, signed_rank, t_test, welch
from analysis.statistics.scoring import credits


@pytest.fixture(scope="session")
def accuracy(published):
    return np.array([credits(row, published.truth).mean() for row in published.levels])


def test_published_accuracy_against_chance(accuracy):
    # FACTS.md, journal version: reader-level t and exact Wilcoxon of accuracy against .5.
    expected = stats.ttest_1samp(accuracy, 0.5)
    found = t_test(accuracy)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.ci == pytest.approx(tuple(expected.confidence_interval()))
    ranks = signed_rank(accuracy)
    # All six above chance: 2 of the 64 patterns of signs are as extreme, and no data can give less.
    assert (ranks.statistic, ranks.p, ranks.smallest_p) == (21.0, 2 / 64, 2 / 64)
    assert sign_flip(accuracy).p == 2 / 64


def test_published_true_against_false_positive_rates(published):
    # FACTS.md, journal version: paired TPR against FPR. Here by levels, TPR and FPR of calling a case synthetic.
    called = published.levels > 3
    rates = [called[:, published.truth == side].mean(axis=1) for side in (1, 0)]
    assert rates[0] == pytest.approx([0.74, 0.71, 0.85, 0.87, 0.86, 0.78])  # FACTS.md: TP of 100
    assert rates[1] == pytest.approx([0.35, 0.25, 0.29, 0.12, 0.16, 0.30])
    expected = stats.ttest_rel(*rates)
    found = t_test(rates[0] - rates[1], null=0)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert signed_rank(rates[0] - rates[1], null=0).p == 2 / 64


def test_published_groups_over_the_twenty_splits(published, accuracy):
    groups = [name[:2] for name in published.readers]
    found = permutation(accuracy, groups)
    expected = stats.permutation_test(
        (accuracy[:3], accuracy[3:]), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis), n_resamples=np.inf
    )
    assert (found.splits, found.smallest_p) == (20, 0.1)
    assert found.p == pytest.approx(expected.pvalue)
    unequal = welch(accuracy, groups)
    theirs = stats.ttest_ind(accuracy[:3], accuracy[3:], equal_var=False)
    assert (unequal.statistic, unequal.p, unequal.df) == pytest.approx((theirs.statistic, theirs.pvalue, theirs.df))
    assert unequal.ci == pytest.approx(tuple(theirs.confidence_interval()))


few = st.lists(st.integers(-6, 6), min_size=1, max_size=8)


@given(few)
def test_signed_rank_is_exact_with_ties_and_zeros(numbers):
    found = signed_rank(np.array(numbers, float), null=0)
    deviations = np.array([number for number in numbers if number])
    if not deviations.size:
        assert found.p is None
        return
    ranks = stats.rankdata(np.abs(deviations))
    center = ranks.sum() / 2
    observed = ranks[deviations > 0].sum()
    patterns = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=ranks.size)]
    expected = np.mean([abs(total - center) >= abs(observed - center) - 1e-9 for total in patterns])
    assert (found.statistic, found.p) == pytest.approx((observed, expected))
    assert found.zeros == len(numbers) - deviations.size
    assert found.smallest_p <= found.p <= 1


@given(few, few)
def test_rank_permutation_is_the_exact_mann_whitney_test(one, two):
    found = permutation([*one, *two], ["A"] * len(one) + ["B"] * len(two), statistic="rank")
    if len(set(one + two)) == len(one + two):
        assert found.p == pytest.approx(stats.mannwhitneyu(one, two, method="exact").pvalue)
    assert found.smallest_p <= found.p <= 1


@given(few, few)
def test_group_names_do_not_matter(one, two):
    labels = ["A"] * len(one) + ["B"] * len(two)
    found = permutation([*one, *two], labels)
    swapped = permutation([*two, *one], ["B"] * len(two) + ["A"] * len(one))
    assert (swapped.value, swapped.p) == pytest.approx((-found.value, found.p))


def test_many_readers_are_drawn_and_said_to_be():
    rng = np.random.default_rng(6)
    values = rng.normal(0.6, 0.1, 40)
    found = sign_flip(values, 0.58)
    assert "10000 draws" in found.method
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.58).pvalue, abs=0.03)
    groups = permutation(values, ["A", "B"] * 20)
    assert "10000 draws" in groups.method
    assert groups.p == pytest.approx(stats.ttest_ind(values[::2], values[1::2]).pvalue, abs=0.03)


@pytest.mark.parametrize("test", [t_test, sign_flip, signed_rank])
def test_edges_of_one_sample(test):
    assert test([np.nan, None]).value is None
    assert test([np.nan, None]).left_out == 2
    for values in ([0.7], [0.5, 0.5, 0.5]):
        found = test(values)
        json.dumps(found.as_dict())
        assert found.value == pytest.approx(values[0])
        assert found.p is None or found.p == 1.0


@pytest.mark.parametrize("test", [permutation, welch])
def test_edges_of_two_groups(test):
    assert "two groups" in test([0.5, 0.6], ["A", "A"]).reason
    assert "two groups" in test([0.5, np.nan], ["A", "B"]).reason
    assert test([0.5, 0.6, 0.7], ["A", "B", None]).left_out == 1
    assert test([0.5, 0.5, 0.5, 0.5], ["A", "A", "B", "B"]).value == 0
    with pytest.raises(ValueError, match="expected two groups, got 3: A, B, C"):
        test([1, 2, 3], ["A", "B", "C"])
