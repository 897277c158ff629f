"""DeLong's area and comparison against pROC and the published readers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics import roc

# FACTS.md: AUC and DeLong standard error of the readers of PanoDiff-SR (arXiv 2507.09227), from the raw responses.
PUBLISHED = {
    "EC1": (0.7399, 0.0339), "EC2": (0.7925, 0.0303), "EC3": (0.8480, 0.0250),
    "EP1": (0.8871, 0.0232), "EP2": (0.9120, 0.0187), "EP3": (0.7971, 0.0303),
}  # fmt: skip


def test_published_readers_are_reproduced(published):
    for reader, levels in zip(published.readers, published.levels, strict=True):
        found = roc.auc(levels, published.truth)
        assert (found.value, found.se) == pytest.approx(PUBLISHED[reader], abs=6e-5)


def test_statsmodels_finds_the_same_area_and_variance(published):
    from statsmodels.stats.nonparametric import rank_compare_2indep

    for levels in published.levels:
        found = roc.auc(levels, published.truth)
        theirs = rank_compare_2indep(levels[published.truth == 1], levels[published.truth == 0])
        assert (found.value, found.se**2) == pytest.approx((theirs.prob1, theirs.var_prob), abs=1e-12)


def test_proc_on_subarachnoid_haemorrhage_is_reproduced(oracle):
    aneurysm = oracle("07")
    truth, expected = aneurysm["inputs"]["outcome_poor"], aneurysm["expected"]
    for marker in ("s100b", "wfns", "ndka"):
        found = roc.auc(aneurysm["inputs"][marker], truth)
        assert found.value == pytest.approx(expected[marker]["auc"], abs=1e-7)
        assert found.ci == pytest.approx(expected[marker]["ci95"], abs=1e-6)
    s100b, wfns, ndka = (aneurysm["inputs"][marker] for marker in ("s100b", "wfns", "ndka"))
    assert roc.auc(s100b, truth).se ** 2 == pytest.approx(expected["s100b"]["var"], abs=1e-10)
    versus_wfns, versus_ndka = roc.compare(s100b, wfns, truth), roc.compare(s100b, ndka, truth)
    assert versus_wfns.z == pytest.approx(expected["paired_s100b_wfns"]["Z"], abs=1e-6)
    assert versus_wfns.p == pytest.approx(expected["paired_s100b_wfns"]["p"], abs=1e-7)
    assert versus_wfns.ci == pytest.approx(expected["paired_s100b_wfns"]["diff_ci95"], abs=1e-6)
    assert versus_ndka.z == pytest.approx(expected["paired_s100b_ndka"]["Z"], abs=1e-6)
    assert versus_ndka.p == pytest.approx(expected["paired_s100b_ndka"]["p"], abs=1e-7)


def by_definition(scores, truth):
    """Area and DeLong variance from the kernel matrix: P(X > Y) + P(X = Y) / 2, O(mn)."""
    scores, truth = np.asarray(scores, float), np.asarray(truth)
    gaps = scores[truth == 1][:, None] - scores[truth == 0][None, :]
    kernel = (gaps > 0) + (gaps == 0) / 2
    rows, columns = kernel.mean(axis=1), kernel.mean(axis=0)
    return kernel.mean(), rows.var(ddof=1) / rows.size + columns.var(ddof=1) / columns.size


readings = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 1)), min_size=4, max_size=60).filter(
    lambda rows: min(sum(t for _, t in rows), sum(1 - t for _, t in rows)) >= 2
)


@given(readings)
def test_midranks_give_what_the_definition_gives(rows):
    scores, truth = zip(*rows, strict=True)
    value, variance = by_definition(scores, truth)
    found = roc.auc(scores, truth)
    assert found.value == pytest.approx(value)
    assert found.se**2 == pytest.approx(variance, abs=1e-12)


@given(readings, st.randoms(use_true_random=False))
def test_swapping_classes_mirrors_and_order_and_scale_do_not_matter(rows, random):
    scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    found = roc.auc(scores, truth)
    swapped = roc.auc(6 - scores, 1 - truth)
    assert (swapped.value, swapped.se) == pytest.approx((found.value, found.se), abs=1e-12)
    order = random.sample(range(len(rows)), len(rows))
    for same in (roc.auc(scores[order], truth[order]), roc.auc(np.exp(scores), truth)):
        assert (same.value, same.se, same.p) == pytest.approx((found.value, found.se, found.p), abs=1e-12)


@given(readings)
def test_the_area_under_the_points_is_the_area(rows):
    scores, truth = zip(*rows, strict=True)
    points = roc.curve(scores, truth)
    assert np.trapezoid(points.hit_rates, points.false_alarm_rates) == pytest.approx(roc.auc(scores, truth).value)
    assert np.all(np.diff(points.thresholds) < 0)


def test_a_curve_has_the_corners_that_are_asked_for():
    points = roc.curve([5, 5, 3, 1, 2], [1, 1, 0, 0, 1], [1, 2, 3, 4, 5])
    assert points.thresholds.tolist() == [np.inf, 5, 4, 3, 2, 1]
    assert points.hit_rates.tolist() == [0, 2 / 3, 2 / 3, 2 / 3, 1, 1]
    assert points.false_alarm_rates.tolist() == [0, 0, 0, 0.5, 0.5, 1]


def test_one_class_has_no_curve():
    assert roc.curve([1, 2, None], [1, 1, 0]).hit_rates.size == 0


@settings(max_examples=25)
@given(readings)
def test_a_comparison_with_itself_finds_nothing_and_reverses_its_sign(rows):
    scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    same = roc.compare(scores, scores, truth)
    assert (same.value, same.p) == (0.0, 1.0)
    rotated = np.roll(scores, 1)
    one, other = roc.compare(scores, rotated, truth), roc.compare(rotated, scores, truth)
    assert one.value == pytest.approx(-other.value)
    assert (one.p or 0) == pytest.approx(other.p or 0)


def test_missing_readings_are_left_out_and_counted():
    found = roc.auc([1, 2, None, 3, 4, 5, np.nan], [0, 0, 0, 1, 1, 1, 1])
    assert (found.value, found.left_out, found.n_real, found.n_synthetic) == (1.0, 2, 2, 3)
    paired = roc.compare([1, None, 3, 4, 2], [2, 2, 1, 3, None], [0, 0, 1, 1, 1])
    assert paired.left_out == 2


def test_perfect_separation_has_an_interval_with_width_and_an_exact_p():
    found = roc.auc([1, 1, 2, 4, 5, 5], [0, 0, 0, 1, 1, 1])
    assert found.value == 1.0
    assert found.ci[0] < 0.85
    assert found.ci[1] == 1.0
    assert found.p == pytest.approx(2 / 20)
    assert "separated" in found.reason
    assert roc.auc([5, 5, 4, 2, 1, 1], [0, 0, 0, 1, 1, 1]).ci == pytest.approx((0.0, 1 - found.ci[0]))


def test_a_constant_rating_says_nothing():
    found = roc.auc([3] * 6, [0, 0, 0, 1, 1, 1])
    assert (found.value, found.p) == (0.5, 1.0)
    assert found.ci[0] < 0.25 < 0.75 < found.ci[1]


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_one_class_is_undefined_in_words(truth):
    assert roc.auc([1, 2, 3], truth).reason == "an area needs cases of both classes"
    assert roc.compare([1, 2, 3], [3, 2, 1], truth).value is None
    assert roc.auc([None] * 3, [0, 1, 1]).value is None


def test_one_case_of_a_class_gives_a_value_without_standard_error():
    found = roc.auc([1, 2, 3], [0, 0, 1])
    assert (found.value, found.se) == (1.0, None)
    assert "two cases" in found.reason
    assert roc.compare([1, 2, 3], [1, 3, 2], [0, 0, 1]).se is None


@pytest.mark.parametrize(
    ("scores", "truth"),
    [([1, 2], [0, 2]), ([1, 2], [0]), ([[1, 2]], [0, 1]), ([1, np.inf], [0, 1]), ([1, 2], [0, None])],
)
def test_impossible_input_is_refused(scores, truth):
    with pytest.raises(ValueError, match="expected"):
        roc.auc(scores, truth)


@pytest.mark.parametrize(("levels", "area"), [([5, 5, 5, 1, 1, 1], 0.0), ([1, 1, 1, 5, 5, 5], 1.0)])
def test_classes_that_are_apart_have_an_interval_that_ends_at_their_area(levels, area):
    found = roc.auc(levels, [0, 0, 0, 1, 1, 1])
    assert found.value == area
    assert found.ci[int(area)] == area
    assert 0 < found.ci[1 - int(area)] < 1
    assert found.p == pytest.approx(2 / 20)
