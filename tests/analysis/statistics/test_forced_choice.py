"""Finding one among several, against values of other software and of the literature."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import forced_choice


def test_the_published_quartets_are_reproduced():
    # arXiv 2510.22166: 116 of 400 quartets; chi-square and exact p by scipy.
    found = forced_choice.proportion(np.repeat([1, 0], [116, 284]).reshape(8, 50), 4)
    assert (found.k, found.n, found.value) == (116, 400, 0.29)
    assert found.chi_square == pytest.approx(3.4133333333333336, abs=1e-12)
    assert found.p_chisquare == pytest.approx(0.06467168750236404, abs=1e-12)
    assert found.p_exact == found.p == pytest.approx(0.07323322986535948, abs=1e-12)
    assert found.dprime.value == pytest.approx(0.150, abs=5e-4)
    assert found.ci[0] < 0.25 < found.ci[1]


def test_missing_answers_are_not_counted():
    found = forced_choice.proportion([[1, np.nan, 0], [np.nan, 1, 1]], 3)
    assert (found.k, found.n, found.chance) == (3, 4, 1 / 3)


def test_without_an_answer_it_is_undefined_with_a_reason():
    found = forced_choice.proportion([np.nan], 4)
    assert (found.value, found.reason) == (None, "there are no answers to count")


@pytest.mark.parametrize(
    ("correct", "alternatives", "words"), [([1, 2], 4, "correct: expected 0, 1"), ([1], 1, "of 2 or more")]
)
def test_bad_input_is_named(correct, alternatives, words):
    with pytest.raises(ValueError, match=words):
        forced_choice.proportion(correct, alternatives)


def test_choices_are_compared_with_what_was_shown():
    # As scipy has it: 30 choices of sources shown 100, 100 and 50 times.
    found = forced_choice.even([10, 15, 5], [100, 100, 50])
    expected = stats.chisquare([10, 15, 5], [12, 12, 6])
    assert (found.value, found.p, found.df) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue), 2)
    assert found.smallest_expected == 6
    assert forced_choice.even([10, 15, 0], [100, 100, 0]).df == 1  # what was never shown cannot be chosen


def test_without_choices_or_alternatives_nothing_is_compared():
    assert forced_choice.even([0, 0]).reason == "it needs at least one choice and two alternatives"
    assert forced_choice.even([3]).value is None
    with pytest.raises(ValueError, match="counts, shown"):
        forced_choice.even([1, 2], [1])


def test_association_is_complete_none_or_undefined():
    assert forced_choice.association([[10, 0], [0, 10]]).value == pytest.approx(1)
    assert forced_choice.association([[10, 10], [10, 10]]).value == pytest.approx(0)
    assert forced_choice.association([[3, 0], [4, 0]]).value is None
    found = forced_choice.association([[5, 0, 3], [0, 0, 0], [2, 0, 6]])
    assert found.value == pytest.approx(forced_choice.association([[5, 3], [2, 6]]).value)
    with pytest.raises(ValueError, match="0 or more"):
        forced_choice.association([[1, -1], [1, 1]])


def test_names_permuted_within_sets_give_the_p_of_every_permutation_counted_out():
    counts = np.array([[4, 1, 0], [3, 0, 2], [5, 1, 1], [2, 2, 0]])
    names = [["A", "B", "C"], ["B", "A", "C"], ["A", "C", "B"], ["C", "A", "B"]]
    columns = np.array([["ABC".index(name) for name in row] for row in names])
    expected = counts.sum() / 3

    def away(rows):
        totals = np.zeros(3)
        for row, column in zip(rows, columns, strict=True):
            totals[column] += row
        return ((totals - expected) ** 2 / expected).sum()

    every = [away(rows) for rows in product(*(permutations(row.tolist()) for row in counts))]
    found = forced_choice.within(counts, names)
    assert found.value == pytest.approx(away(counts))
    assert found.p == pytest.approx(np.mean(np.array(every) >= away(counts) - 1e-9), abs=0.01)


def test_names_within_sets_are_tested_at_the_level_though_some_images_fool_many():
    rng = np.random.default_rng(5)
    looks = np.exp(rng.normal(size=(100, 50, 4)))  # 100 studies of 50 quartets, the real image first, and 10 readers
    shares = looks / looks.sum(axis=2, keepdims=True)
    counts = rng.multinomial(10, shares)[:, :, 1:]
    names = [["A", "B", "C"]] * 50
    alarms = [forced_choice.within(one, names, replicates=199).p < 0.05 for one in counts]
    independent = [forced_choice.even(one.sum(axis=0)).p < 0.05 for one in counts]
    assert np.mean(alarms) < 0.1 < 0.2 < np.mean(independent)


def test_without_a_choice_or_two_names_in_a_set_nothing_is_permuted():
    assert (
        forced_choice.within([[0, 0]], [["A", "B"]]).reason == "it needs at least one choice, and a set with two names"
    )
    assert forced_choice.within([[3, 1]], [["A", "A"]]).value is None
    for counts, names in (([[1, 2]], [["A"]]), ([[1, -1]], [["A", "B"]])):
        with pytest.raises(ValueError, match="counts, names: expected two tables of the same shape"):
            forced_choice.within(counts, names)
