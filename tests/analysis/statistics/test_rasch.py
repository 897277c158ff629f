"""Rasch estimates against a likelihood integrated by other means, and against the model itself."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm

from analysis.statistics import rasch


def simulate(readers, cases, seed, missing=0.0):
    random = np.random.Generator(np.random.PCG64(seed))
    abilities, difficulties = random.normal(1, 0.7, readers), random.normal(0, 1, cases)
    right = (random.random((readers, cases)) < 1 / (1 + np.exp(difficulties - abilities[:, None]))).astype(float)
    right[random.random(right.shape) < missing] = np.nan
    return abilities, difficulties, right


def test_the_maximum_is_that_of_the_likelihood_integrated_by_quadrature_of_scipy():
    _, _, right = simulate(3, 16, seed=1, missing=0.1)

    def loss(theta):
        total = 0.0
        for column in right.T:
            seen = ~np.isnan(column)

            def density(x, answers=column[seen], effects=theta[:-1][seen]):
                chance = 1 / (1 + np.exp(-(effects + math.exp(theta[-1]) * x)))
                return np.prod(np.where(answers == 1, chance, 1 - chance)) * norm.pdf(x)

            total -= math.log(quad(density, -8, 8)[0])
        return total

    found = rasch.fit(right)
    theirs = minimize(loss, np.array([0.5, 0.5, 0.5, 0.0]), method="BFGS", options={"gtol": 1e-5})
    assert [ability.value for ability in found.abilities] == pytest.approx(theirs.x[:-1], abs=2e-3)
    assert found.spread.value == pytest.approx(math.exp(theirs.x[-1]), abs=5e-3)
    assert [ability.se for ability in found.abilities] == pytest.approx(np.sqrt(np.diag(theirs.hess_inv))[:-1], rel=0.1)


def test_information_is_the_curvature_of_the_likelihood():
    _, _, right = simulate(5, 40, seed=2, missing=0.2)
    model = rasch._Model(np.nan_to_num(right.T), (~np.isnan(right.T)).astype(float))
    theta = np.array([0.3, -0.2, 1.1, 0.6, 0.0, 0.2])
    steps = 1e-5 * np.eye(6)
    curvature = np.array([(model.loss(theta + h)[1] - model.loss(theta - h)[1]) / 2e-5 for h in steps])
    assert model._information(theta) == pytest.approx(curvature, abs=1e-6)


@pytest.mark.parametrize(("readers", "cases"), [(6, 200), (150, 40)])
def test_the_model_is_recovered_whichever_side_is_random(readers, cases):
    abilities, difficulties, right = simulate(readers, cases, seed=3, missing=0.1)
    found = rasch.fit(right)
    for truth, estimates in (
        (abilities - difficulties.mean(), found.abilities),
        (difficulties - difficulties.mean(), found.difficulties),
    ):
        known = [(t, e) for t, e in zip(truth, estimates, strict=True) if e.value is not None]
        assert len(known) > 0.9 * len(truth)
        assert np.mean([e.ci[0] <= t <= e.ci[1] for t, e in known]) > 0.88
        assert np.corrcoef([t for t, _ in known], [e.value for _, e in known])[0, 1] > 0.6
    assert found.spread.ci[0] < (1.0 if cases > readers else 0.7) < found.spread.ci[1]


def test_a_reader_with_easier_cases_is_not_taken_for_a_better_one():
    random = np.random.Generator(np.random.PCG64(5))
    difficulties = np.sort(random.normal(0, 1.5, 300))
    right = (random.random((4, 300)) < 1 / (1 + np.exp(difficulties - 1))).astype(float)
    right[0, 150:] = np.nan  # sees the easier half only
    shares = np.nanmean(right, axis=1)
    plain = np.log(shares / (1 - shares))
    abilities = [one.value for one in rasch.fit(right).abilities]
    # Three other readers tell only so much of a case: most of the unearned lead goes, not all.
    assert abilities[0] - np.mean(abilities[1:]) < 0.6 * (plain[0] - plain[1:].mean())


def test_reader_order_and_wrong_for_right_do_what_they_should():
    _, _, right = simulate(5, 60, seed=7)
    found, turned, mirrored = rasch.fit(right), rasch.fit(right[::-1]), rasch.fit(1 - right)
    abilities = [one.value for one in found.abilities]
    assert [one.value for one in turned.abilities[::-1]] == pytest.approx(abilities, abs=1e-4)
    assert [-one.value for one in mirrored.abilities] == pytest.approx(abilities, abs=1e-4)


def test_extremes_say_that_their_estimate_is_infinite():
    _, _, right = simulate(5, 60, seed=8)
    right[0], right[1] = 1, 0
    found = rasch.fit(right)
    assert found.abilities[0].reason == "all 60 answers are right, so the estimate is infinite"
    assert found.abilities[1].reason == "all 60 answers are wrong, so the estimate is infinite"
    assert all(one.value is not None for one in (*found.abilities[2:], *found.difficulties))


@pytest.mark.parametrize(
    "right",
    [np.ones((3, 5)), [[1, 0, 1, 0]], np.full((3, 4), np.nan), np.zeros((2, 0)), np.zeros((0, 2)), [[1, 0], [1, 1]]],
)
def test_what_cannot_be_told_apart_is_undefined_in_words(right):
    found = rasch.fit(right)
    assert found.spread.value is None
    assert all(one.reason for one in (*found.abilities, *found.difficulties))
    assert (len(found.abilities), len(found.difficulties)) == np.shape(right)


def test_cases_that_differ_less_than_chance_have_no_spread():
    # Every case is missed by exactly one of four readers: more alike than chance would have it.
    right = np.ones((4, 80))
    right[np.arange(80) % 4, np.arange(80)] = 0
    found = rasch.fit(right)
    assert (found.spread.value, found.spread.reason) == (0.0, "the cases do not differ more than by chance")
    assert [one.value for one in found.abilities] == pytest.approx([math.log(3)] * 4, abs=1e-3)
    assert [one.se for one in found.abilities] == pytest.approx([1 / math.sqrt(80 * 0.75 * 0.25)] * 4, rel=1e-3)


def test_impossible_input_is_refused():
    with pytest.raises(ValueError, match="expected"):
        rasch.fit([[0.5, 1]])


def test_readers_who_always_agree_leave_no_finite_ability_and_do_not_stop_the_report():
    found = rasch.fit([[1] * 6 + [0] * 6] * 2)
    assert all(one.value is None and "has the same result" in one.reason for one in found.abilities)
    assert "hardly determine the spread" in found.spread.reason
