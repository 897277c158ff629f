"""Several studies together, against metafor 3.8 (R) on the trials of BCG vaccine and on counts of diagnostic tests."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics import meta

# Colditz et al. 1994, as dat.bcg of metafor: vaccinated with and without tuberculosis, controls, latitude, allocation
BCG = np.array(
    [
        *([4, 119, 11, 128, 44], [6, 300, 29, 274, 55], [3, 228, 11, 209, 42], [62, 13536, 248, 12619, 52]),
        *([33, 5036, 47, 5761, 13], [180, 1361, 372, 1079, 44], [8, 2537, 10, 619, 19]),
        *([505, 87886, 499, 87892, 13], [29, 7470, 45, 7232, 27], [17, 1699, 65, 1600, 42]),
        *([186, 50448, 141, 27197, 18], [5, 2493, 3, 2338, 33], [27, 16886, 29, 17825, 33]),
    ],
    dtype=float,
)
ALLOCATION = np.array(list("rrrraarrrssss"))


def risk_ratios() -> tuple[np.ndarray, np.ndarray]:
    """escalc(measure="RR")."""
    treated, without, control, free = BCG[:, :4].T
    effects = np.log(treated / (treated + without)) - np.log(control / (control + free))
    return effects, 1 / treated - 1 / (treated + without) + 1 / control - 1 / (control + free)


def test_the_trials_of_bcg_pool_as_in_metafor():
    """rma(yi, vi, data=dat, test="knha"): the published tau2 .3132, Q 152.23, I2 92.2 %, mean -.7145."""
    found = meta.pool(*risk_ratios())
    assert found.tau2 == pytest.approx(0.313243325981, rel=1e-5)
    assert found.value == pytest.approx(-0.714532348365, rel=1e-6)
    assert found.se == pytest.approx(0.180791745519, rel=1e-6)
    assert found.ci == pytest.approx((-1.108443723, -0.32062097373), rel=1e-6)
    assert found.p == pytest.approx(0.00192001508513, rel=1e-5)
    assert found.q == pytest.approx(152.233008082, rel=1e-9)
    assert found.tau2_paule_mandel == pytest.approx(0.318093711863, rel=1e-3)  # statsmodels stops earlier
    assert sum(found.weights) == pytest.approx(1)


def test_the_prediction_interval_is_that_of_higgins():
    """mean -+ t(k - 2) sqrt(tau2 + se^2), from metafor's tau2 and se."""
    found = meta.pool(*risk_ratios())
    reach = 2.200985160082949 * np.sqrt(0.313243325981 + 0.180791745519**2)
    assert found.prediction == pytest.approx((-0.714532348365 - reach, -0.714532348365 + reach), rel=1e-5)
    assert meta.pool([0.1, 0.4], [0.1, 0.1]).prediction is None


def test_latitude_and_allocation_explain_as_in_metafor():
    """rma(yi, vi, mods=~ablat, test="knha"), and with factor(alloc)."""
    effects, variances = risk_ratios()
    one = meta.regress(effects, variances, BCG[:, 4:], ["latitude"])
    assert one.tau2 == pytest.approx(0.0763546947057, rel=1e-3)  # metafor's steps end within 1e-5
    assert one.coefficients["latitude"]["value"] == pytest.approx(-0.029101660928, rel=1e-5)
    assert one.coefficients["latitude"]["se"] == pytest.approx(0.00820154179601, rel=1e-4)
    assert one.statistic == pytest.approx(12.5905455261, rel=1e-4)
    assert one.p == pytest.approx(0.00456554558896, rel=1e-3)
    covariates = np.column_stack([BCG[:, 4], ALLOCATION == "r", ALLOCATION == "s"])
    all_three = meta.regress(effects, variances, covariates, ["latitude", "random", "systematic"])
    assert all_three.statistic == pytest.approx(3.44709933307, rel=1e-4)
    assert (all_three.df, all_three.df1) == (9, 3)
    assert all_three.p == pytest.approx(0.0650072929979, rel=1e-4)


def test_asymmetry_has_the_limit_of_metafor():
    """regtest(rma(yi, vi)): b -.5104 as the standard error goes to 0."""
    assert meta.asymmetry(*risk_ratios()).limit == pytest.approx(-0.5104, abs=5e-5)


def test_sensitivity_and_specificity_pool_as_in_metafor():
    """rma.mv(y, v, mods=~out-1, random=~out|study, struct="UN") on the logits of both."""
    found = meta.bivariate(
        [61, 75, 44, 82, 53, 90, 38],
        [39, 25, 56, 18, 47, 10, 62],
        [70, 55, 81, 60, 66, 71, 85],
        [30, 45, 19, 40, 34, 29, 15],
    )
    assert found.mean == pytest.approx([0.634632096873, 0.865916137279], rel=1e-6)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([0.356631522636, 0.202886536866], rel=1e-6)
    assert found.tau2 == pytest.approx([0.834574364877, 0.236766550091], rel=1e-6)
    assert found.rho == pytest.approx(-0.73655720408, rel=1e-6)


def test_where_all_spread_lies_on_a_line_the_pair_is_that_of_metafor():
    found = meta.bivariate(
        [52, 44, 379, 89, 40, 163], [8, 6, 65, 14, 5, 21], [76, 151, 959, 337, 138, 416], [14, 20, 83, 17, 22, 44]
    )
    assert found.mean == pytest.approx([1.88993306968, 2.22001576577], rel=1e-6)
    assert found.tau2 == pytest.approx([0.00734214743357, 0.139035287624], rel=1e-5)
    assert found.rho == pytest.approx(-1, abs=1e-5)


def test_a_count_of_nothing_adds_one_half_to_all_counts():
    tp, fn, tn, fp = np.array([[20, 15, 18, 11], [0, 5, 2, 9], [12, 14, 9, 16], [8, 6, 11, 4]], dtype=float)
    assert meta.bivariate(tp, fn, tn, fp).mean == meta.bivariate(tp + 0.5, fn + 0.5, tn + 0.5, fp + 0.5).mean


def test_studies_that_agree_have_no_spread_and_no_narrower_interval_than_their_errors():
    found = meta.pool([0.5, 0.5, 0.5, 0.5], [0.04, 0.04, 0.04, 0.04])
    assert found.tau2 == 0
    assert found.se == pytest.approx(0.1)  # Hartung and Knapp's scale would be 0
    assert found.i2 == 0


def test_what_cannot_be_said_has_a_reason():
    assert meta.pool([0.5], [0.1]).reason == "there are fewer than two studies"
    assert "too few" in (meta.regress([1, 2, 3], [1, 1, 1], np.ones((3, 2)), ["a", "b"]).reason or "")
    assert "does not vary" in (meta.regress([1, 2, 3, 4], [1, 1, 1, 1], np.ones((4, 1)), ["a"]).reason or "")
    assert "four" in (meta.bivariate([5, 5], [5, 5], [5, 5], [5, 5]).reason or "")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: meta.pool([1, 2], [1]), "equally many of each"),
        (lambda: meta.pool([1, 2], [1, 0]), "above 0"),
        (lambda: meta.regress([1, 2], [1, 1], [[1], [2]], ["a", "b"]), "expected 2 x 2"),
        (lambda: meta.bivariate([0] * 4, [0] * 4, [5] * 4, [5] * 4), "no image of a class"),
        (lambda: meta.bivariate([-1] * 4, [9] * 4, [5] * 4, [5] * 4), "none below 0"),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_three_studies_hold_their_level():
    """Coverage of the mean with tau2 as large as the errors: near 95 %, where the normal interval has less."""
    rng = np.random.Generator(np.random.PCG64(5))
    hits = 0
    for _ in range(300):
        variances = rng.uniform(0.02, 0.08, 5)
        found = meta.pool(rng.normal(0.3, np.sqrt(0.05 + variances)), variances)
        hits += found.ci[0] <= 0.3 <= found.ci[1]
    assert 0.91 <= hits / 300 <= 0.985
