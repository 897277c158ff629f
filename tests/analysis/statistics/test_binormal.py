"""The binormal fit against published figures, another optimiser, and its own model."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from analysis.statistics import binormal, roc

# Hanley and McNeil 1982, Radiology 143:29, table II: 58 normal and 51 abnormal CT images in five ratings.
NORMAL, ABNORMAL = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)


def from_counts(real, synthetic):
    levels = np.repeat([1, 2, 3, 4, 5] * 2, [*real, *synthetic])
    return levels, np.repeat([0, 1], [sum(real), sum(synthetic)])


def test_hanley_and_mcneils_ct_readings_have_the_published_smooth_area():
    found = binormal.fit(*from_counts(NORMAL, ABNORMAL))
    assert found.value == pytest.approx(0.911, abs=5e-4)  # their maximum-likelihood area
    assert found.value > roc.auc(*from_counts(NORMAL, ABNORMAL)).value


def independently(real, synthetic):
    """Minimise the same likelihood by Nelder-Mead on free parameters: first threshold, log gaps, a, log b."""
    real, synthetic = np.array(real), np.array(synthetic)

    def loss(free):
        thresholds = np.cumsum(np.r_[free[0], np.exp(free[1:4])])
        b = math.exp(free[5])
        p_real = np.diff(np.r_[0, norm.cdf(thresholds), 1])
        p_synthetic = np.diff(np.r_[0, norm.cdf(b * thresholds - free[4]), 1])
        return -(real * np.log(p_real + 1e-300)).sum() - (synthetic * np.log(p_synthetic + 1e-300)).sum()

    start = np.array([-1, 0, 0, 0, 1, 0], dtype=float)
    found = minimize(
        loss, start, method="Nelder-Mead", options={"maxiter": 40000, "maxfev": 40000, "xatol": 1e-9, "fatol": 1e-12}
    )
    return found.x[4], math.exp(found.x[5])


@pytest.mark.parametrize("reader", [0, 1, 3, 5])
def test_another_optimiser_finds_the_same_maximum(published, reader):
    levels = published.levels[reader]
    real, synthetic = ([int((levels[published.truth == t] == k).sum()) for k in range(1, 6)] for t in (0, 1))
    found = binormal.fit(levels, published.truth)
    assert (found.a, found.b) == pytest.approx(independently(real, synthetic), abs=1e-4)


def test_standard_errors_are_those_of_the_expected_information():
    found = binormal.fit(*from_counts(NORMAL, ABNORMAL))
    totals = np.array([sum(NORMAL), sum(ABNORMAL)])

    def shares(point):
        thresholds, a, b = point[:4], point[4], point[5]
        return np.stack([np.diff(np.r_[0, norm.cdf(z), 1]) for z in (thresholds, b * thresholds - a)])

    def deviance(thresholds):
        p = shares(np.r_[thresholds, found.a, found.b])
        return -(np.array([NORMAL, ABNORMAL]) * np.log(np.clip(p, 1e-300, None))).sum()

    thresholds = minimize(
        deviance, [0.2, 0.5, 0.8, 1.8], method="Nelder-Mead", options={"xatol": 1e-9, "maxiter": 9999}
    ).x
    point = np.r_[thresholds, found.a, found.b]
    slopes = np.stack([(shares(point + h) - shares(point - h)) / 2e-6 for h in 1e-6 * np.eye(6)])
    information = np.einsum("pck,qck,ck->pq", slopes, slopes, totals[:, None] / shares(point))
    covariance = np.linalg.inv(information)[4:, 4:]
    assert (found.a_se, found.b_se) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-4)

    def area(at):
        return norm.cdf(at[0] / math.sqrt(1 + at[1] ** 2))

    slope = np.array([(area(point[4:] + h) - area(point[4:] - h)) / 2e-6 for h in 1e-6 * np.eye(2)])
    assert found.se == pytest.approx(math.sqrt(slope @ covariance @ slope), rel=1e-4)


def test_its_own_model_is_recovered_and_covered():
    random = np.random.Generator(np.random.PCG64(9))
    a, b = 1.2, 0.8
    area = norm.cdf(a / math.sqrt(1 + b * b))
    truth = np.repeat([0, 1], 80)
    fits = []
    for _ in range(300):
        latent = np.r_[random.normal(0, 1, 80), random.normal(a / b, 1 / b, 80)]
        fits.append(binormal.fit(np.digitize(latent, [-0.5, 0.3, 0.9, 1.8]), truth))
    assert all(found.value is not None for found in fits)
    assert np.mean([found.value for found in fits]) == pytest.approx(area, abs=0.005)
    assert np.mean([found.se for found in fits]) == pytest.approx(np.std([found.value for found in fits]), rel=0.1)
    assert np.mean([found.ci[0] <= area <= found.ci[1] for found in fits]) > 0.92


def test_continuous_scores_are_fitted_and_any_rising_scale_gives_the_same():
    random = np.random.Generator(np.random.PCG64(4))
    scores, truth = np.r_[random.normal(0, 1, 60), random.normal(1.5, 1, 60)], np.repeat([0, 1], 60)
    found = binormal.fit(scores, truth)
    assert found.value == pytest.approx(roc.auc(scores, truth).value, abs=0.03)
    assert binormal.fit(np.exp(scores), truth).value == pytest.approx(found.value, abs=1e-9)


def test_swapping_classes_keeps_the_area():
    levels, truth = from_counts(NORMAL, ABNORMAL)
    assert binormal.fit(6 - levels, 1 - truth).value == pytest.approx(binormal.fit(levels, truth).value, abs=1e-6)


def test_the_curve_passes_through_its_own_area():
    found = binormal.fit(*from_counts(NORMAL, ABNORMAL))
    rates = np.linspace(1e-6, 1 - 1e-6, 200_001)
    assert np.trapezoid(binormal.curve(found, rates), rates) == pytest.approx(found.value, abs=1e-5)


@pytest.mark.parametrize(
    ("scores", "truth", "reason"),
    [
        ([1, 1, 2, 2], [0, 0, 1, 1], "operating points"),
        ([3, 3, 3, 3], [0, 0, 1, 1], "operating points"),
        ([1, 1, 3, 3, 2, 2], [0, 0, 0, 0, 1, 1], "no finite maximum"),
        ([1, 2, None], [1, 1, 0], "both classes"),
        ([], [], "both classes"),
    ],
)
def test_what_cannot_be_fitted_says_why(scores, truth, reason):
    found = binormal.fit(scores, truth)
    assert found.value is None
    assert reason in found.reason


def test_no_small_sample_brings_it_down():
    random = np.random.Generator(np.random.PCG64(8))
    for _ in range(500):
        size = random.integers(2, 25)
        found = binormal.fit(random.integers(1, 6, size), random.integers(0, 2, size))
        assert found.reason if found.value is None else 0 <= found.ci[0] <= found.value <= found.ci[1] <= 1
