"""Which images fooled the readers: the majority rule of the published study, with ties reported."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.statistics import cases


def one(levels, truth=1):
    (found,) = cases.summarise([[level] for level in levels], [truth], ["image"])
    return found


def test_four_of_six_fool_and_three_do_not():
    assert one([1, 2, 2, 1, 5, 5]).fooled
    assert not one([1, 2, 2, 5, 5, 5]).fooled
    assert not one([1, 2, 2, 3, 3, 3]).fooled


@pytest.mark.parametrize(
    ("levels", "truth", "category", "certainty"),
    [
        ([5, 5, 5, 4, 1, 1], 1, "TP", "full"),
        ([4, 4, 4, 5, 1, 1], 1, "TP", "partial"),
        ([1, 1, 1, 2, 5, 5], 1, "FN", "full"),
        ([1, 1, 2, 2, 5, 5], 0, "TN", None),
        ([4, 4, 4, 4, 3, 3], 0, "FP", "partial"),
        ([4, 4, 4, 3, 1, 1], 0, None, None),
    ],
)
def test_category_and_certainty_follow_the_majority(levels, truth, category, certainty):
    found = one(levels, truth)
    assert (found.category, found.certainty) == (category, certainty)
    assert (found.tie is None) == (certainty is not None)


def test_ties_say_what_is_tied():
    assert one([1, 1, 1, 5, 5, 5]).tie == "no side has more than half of 6 readers (real 3, unsure 0, synthetic 3)"
    assert one([1, 1, 2, 2, 5, 5]).tie == "equally many of the majority are fully and partly certain (2 each)"
    assert one([None] * 6).tie == "no reader answered this case"


def test_published_images_are_counted_and_laid_out(published):
    names = [str(number) for number in range(1, 201)]
    found = cases.summarise(published.levels, published.truth, names)
    assert (
        sum(case.wrong for case in found) == 10 + 26 + 4 + 6 + 14 + 17 + 35 + 25 + 29 + 12 + 16 + 30
    )  # FN and FP, FACTS.md
    assert sum(case.unsure for case in found) == 48 + 6 + 44 + 40 + 0 + 19
    calls = (published.levels < 3).sum(axis=0)[published.truth == 1]
    assert [case.case for case in found if case.fooled] == [
        name for name, count in zip(np.array(names)[published.truth == 1], calls, strict=True) if count >= 4
    ]
    laid_out = cases.by_category(found)
    placed = [name for rows in laid_out.values() for row in rows.values() for name in row]
    assert sorted(placed, key=int) == names
    counts = cases.fooled_counts(published.levels, published.truth)
    assert sum(counts["synthetic"][4:]) == sum(case.fooled for case in found)
    assert sum(counts["real"]) == 100


def test_the_hardest_come_first_and_nobody_missed_are_not_among_them():
    levels = [[1, 1, 5, 5], [1, 1, 1, 5], [1, 5, 1, 5], [None, 5, 5, 5]]
    found = cases.summarise(levels, [1, 1, 1, 1], ["all", "half", "two", "none"])
    assert [case.case for case in cases.hardest(found)] == ["all", "half", "two"]
    assert len(cases.hardest(found, most=1)) == 1
    # Two of two readers are a larger share than two of four, and three of three weigh more than two of two.
    levels = [[1, 1, 1], [1, 1, 1], [5, None, 1], [5, None, None]]
    found = cases.summarise(levels, [1, 1, 1], ["two of four", "two of two", "three of three"])
    assert [case.case for case in cases.hardest(found)] == ["three of three", "two of two", "two of four"]


readings = arrays(np.float64, (5, 8), elements=st.sampled_from([1, 2, 3, 4, 5, math.nan]))
TRUTH = np.array([1, 0, 1, 0, 1, 0, 1, 0])
NAMES = list("abcdefgh")


@given(readings, st.randoms(use_true_random=False))
def test_reader_order_does_not_matter_and_swapping_classes_swaps_the_categories(levels, random):
    found = cases.summarise(levels, TRUTH, NAMES)
    order = random.sample(range(5), 5)
    for case, other in zip(found, cases.summarise(levels[order], TRUTH, NAMES), strict=True):
        assert replace(other, mean_level=None) == replace(case, mean_level=None)
        assert other.mean_level == (case.mean_level and pytest.approx(case.mean_level))
    swapped = cases.summarise(6 - levels, 1 - TRUTH, NAMES)
    opposite = {"TP": "TN", "TN": "TP", "FP": "FN", "FN": "FP", None: None}
    for case, other in zip(found, swapped, strict=True):
        assert other.category == opposite[case.category]
        assert (other.certainty, other.wrong, other.right) == (case.certainty, case.wrong, case.right)


@given(readings)
def test_duplicating_every_reader_changes_no_majority(levels):
    found, doubled = (cases.summarise(rows, TRUTH, NAMES) for rows in (levels, np.vstack([levels, levels])))
    for case, twice in zip(found, doubled, strict=True):
        assert (twice.category, twice.certainty, twice.right) == (case.category, case.certainty, case.right)
        assert twice.read == 2 * case.read


def test_a_detector_that_stumbles_alike_is_linked_within_each_class():
    random = np.random.Generator(np.random.PCG64(6))
    difficulty = random.normal(size=120)
    truth = np.repeat([0, 1], 60)
    latent = difficulty + 2 * truth
    levels = np.digitize(latent + random.normal(size=(6, 120)), [-1, 0, 1, 2]) + 1
    linked = cases.link_to_detector(levels, truth, latent + random.normal(size=120))
    unlinked = cases.link_to_detector(levels, truth, 5.0 * truth + random.normal(size=120))
    for name in ("real", "synthetic"):
        assert linked[name].ci[0] > 0.2
        assert unlinked[name].ci[0] < 0 < unlinked[name].ci[1]
        assert linked[name].n == 60


def test_the_interval_of_a_link_is_that_of_bonett_and_wright():
    levels = [[1, 1, 2, 2, 3, 3, 4, 4, 5], [1, 2, 2, 3, 3, 4, 4, 5, 5]]
    found = cases.link_to_detector(levels, [1] * 9, [2, 1, 4, 3, 6, 5, 8, 7, 9])["synthetic"]
    assert found.value == pytest.approx(1 - 6 * 8 / (9 * 80))
    # By hand: tanh(artanh(14/15) -+ 1.96 sqrt((1 + (14/15)^2 / 2) / 6)), where artanh(14/15) = ln(29) / 2.
    assert found.ci == pytest.approx((0.6200, 0.9899), abs=1e-4)


def test_a_link_that_cannot_be_measured_says_why():
    found = cases.link_to_detector([[1, 2, 3, 4, 5, 5, 5, 5]], [0, 0, 0, 0, 1, 1, 1, 1], [None, 1, 2, 3, 1, 2, 3, 4])
    assert found["real"].reason == "there are fewer than four cases"
    assert found["real"].left_out == 1
    assert "every case the same score" in found["synthetic"].reason
    perfect = cases.link_to_detector([[1, 2, 4, 5]], [1] * 4, [1, 2, 3, 4])["synthetic"]
    assert (perfect.value, perfect.ci) == (1.0, None)


def test_results_are_plain():
    assert one([1, 1, 1, 1, 5, 5]).as_dict()["fooled"] is True


@pytest.mark.parametrize(
    "call",
    [
        lambda: cases.summarise([[1, 2]], [1, 0], ["a"]),
        lambda: cases.summarise([[1, 2]], [1], ["a", "b"]),
        lambda: cases.link_to_detector([[1, 2]], [1, 0], [1]),
        lambda: cases.fooled_counts([1, 2], [1, 0]),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()
