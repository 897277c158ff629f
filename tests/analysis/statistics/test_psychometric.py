"""The psychometric function: known curves are recovered, and what the data leave open is reported."""

import numpy as np
import pytest

from analysis.statistics import psychometric

LEVELS = np.array([100.0, 150, 225, 340, 500, 750, 1000])


def shares(threshold, slope, guess=0.5, lapse=0.0):
    return guess + (1 - guess - lapse) / (1 + np.exp(-slope * np.log(LEVELS / threshold)))


@pytest.mark.parametrize(("threshold", "slope", "lapse"), [(350, 3, 0.0), (200, 5, 0.04), (600, 2, 0.0)])
def test_a_curve_without_noise_is_found_again(threshold, slope, lapse):
    trials = np.full(len(LEVELS), 1e6)
    found = psychometric.fit(LEVELS, shares(threshold, slope, lapse=lapse) * trials, trials, 0.5)
    assert found.threshold.value == pytest.approx(threshold, rel=2e-3)
    assert found.slope.value == pytest.approx(slope, rel=1e-2)
    assert found.lapse.value == pytest.approx(lapse, abs=2e-3)
    assert found.deviance < 0.1
    assert found.predict(LEVELS) == pytest.approx(shares(threshold, slope, lapse=lapse), abs=1e-3)


@pytest.mark.slow
def test_the_interval_of_the_threshold_holds_it_at_its_level():
    rng = np.random.Generator(np.random.PCG64(11))
    held = 0
    for _ in range(60):
        found = psychometric.fit(LEVELS, rng.binomial(60, shares(350, 3)), np.full(len(LEVELS), 60), 0.5)
        low, high = found.threshold.ci
        held += low <= 350 <= high
    assert held >= 52  # 95 % of 60 is 57; fewer than 52 happens once in a hundred times at 95 %


def test_answers_that_do_not_rise_have_no_threshold():
    trials = np.full(len(LEVELS), 40)
    found = psychometric.fit(LEVELS, np.full(len(LEVELS), 20), trials, 0.5)
    assert found.threshold.value is None
    assert "does not rise" in found.threshold.reason
    with pytest.raises(ValueError, match="does not rise"):
        found.predict([100])
    assert "one level" in psychometric.fit([300, 300], [5, 6], [10, 10], 0.5).slope.reason


def test_a_threshold_beyond_what_was_shown_has_an_open_limit():
    found = psychometric.fit([100, 200], [10, 14], [20, 20], 0.5)
    assert found.threshold.ci[1] == np.inf


@pytest.mark.parametrize("seed", [25, 34])
def test_a_limit_of_all_readers_is_open_where_most_lapse_rates_leave_it_open(seed):
    rng = np.random.default_rng(seed)
    exposures = rng.choice([200.0, 260, 340], (3, 20))
    right = (rng.random((3, 20)) < 0.5 + 0.5 / (1 + (exposures / np.array([[700], [900], [1200]])) ** -2)).ravel()
    found = psychometric.fit_readers(exposures.ravel(), right, np.repeat(np.arange(3), 20), 0.5).threshold
    assert found.ci == psychometric.fit(exposures.ravel(), right, np.ones(60), 0.5).threshold.ci == (0, np.inf)


def test_the_deviance_is_the_same_whether_answers_are_counted_by_level_or_one_by_one():
    right = np.array([12, 13, 15, 18, 19, 20, 20])
    counted = psychometric.fit(LEVELS, right, np.full(7, 20), 0.5)
    single = np.repeat(LEVELS, 20), np.concatenate([np.arange(20) < k for k in right])
    alone = psychometric.fit_readers(*single, ["R1"] * 140, 0.5)
    assert alone.deviance == pytest.approx(counted.deviance, abs=1e-4)
    assert counted.deviance < 7
    assert alone.threshold.levels == 7
    assert psychometric.fit_readers(*single, np.arange(140) % 2, 0.5).deviance is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 1], [1, 1], [2, 2], 0.5), "stimulus: expected levels above 0"),
        (([1, 2], [3, 1], [2, 2], 0.5), "correct: expected 0 to trials"),
        (([1, 2], [1], [2, 2], 0.5), "one entry per level"),
        (([1, 2], [1, 1], [2, 2], 0.95), "guess: expected a rate"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        psychometric.fit(*arguments)


def drawn(thresholds, count, seed, slope=4.0):
    """Exposures spread over the levels, answers of readers with these thresholds, and the readers' numbers."""
    rng = np.random.default_rng(seed)
    exposures = rng.choice(LEVELS, (len(thresholds), count))
    right = rng.random(exposures.shape) < 0.5 + 0.5 / (1 + (exposures / np.array(thresholds)[:, None]) ** -slope)
    return exposures.ravel(), right.ravel().astype(float), np.repeat(np.arange(len(thresholds)), count)


def test_of_readers_who_differ_the_middle_threshold_and_their_spread_are_found():
    thresholds = 350 * np.exp(np.linspace(-0.5, 0.5, 9))
    found = psychometric.fit_readers(*drawn(thresholds, 400, 1), 0.5)
    assert found.threshold.value == pytest.approx(350, rel=0.07)
    assert found.threshold.sd_log == pytest.approx(np.std(np.log(thresholds)), abs=0.08)
    assert found.slope.value == pytest.approx(4, rel=0.2)
    low, high = found.threshold.ci
    assert low < 350 < high
    # t over nine readers whose own thresholds are almost known
    assert np.log(high / low) == pytest.approx(2 * 2.306 * np.std(np.log(thresholds), ddof=1) / 3, rel=0.25)


def test_the_interval_is_wider_where_readers_differ_and_a_single_readers_is_its_own():
    exposures, right, readers = drawn([250, 250, 500, 500], 200, 3)
    apart = psychometric.fit_readers(exposures, right, readers, 0.5).threshold
    alike = psychometric.fit_readers(exposures, right, np.arange(800) % 4, 0.5).threshold
    assert apart.ci[1] / apart.ci[0] > 1.5 * alike.ci[1] / alike.ci[0]
    assert (apart.sd_log > 0.2) > (alike.sd_log > 0.1)
    own = psychometric.fit_readers(exposures[:200], right[:200], ["R1"] * 200, 0.5).threshold
    assert own == psychometric.fit(exposures[:200], right[:200], np.ones(200), 0.5).threshold


def test_the_gradients_are_those_of_the_likelihoods():
    exposures, right, _ = drawn([250, 400], 30, 5)
    x = np.log(exposures)
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    at = np.array([5.8, 3.0, 0.03, 0.3])
    losses = {
        3: lambda p: psychometric._loss(p, x, right, np.ones(60), 0.5),
        4: lambda p: psychometric._loss_of_readers(p, x, right, np.array([0, 30]), nodes, np.log(weights), 0.5),
    }
    for size, loss in losses.items():
        gradient = loss(at[:size])[1]
        for i, step in enumerate(np.eye(size) * 1e-6):
            slope = (loss(at[:size] + step)[0] - loss(at[:size] - step)[0]) / 2e-6
            assert gradient[i] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_the_bootstrap_is_about_the_pooled_threshold_and_wider_the_fewer_the_readers():
    exposures, right, readers = drawn(350 * np.exp(np.linspace(-0.4, 0.4, 8)), 150, 7)
    cases = np.tile(np.arange(150), 8)
    found = psychometric.crossed_bootstrap(exposures, right, readers, cases, 0.5, 400, seed=1)
    pooled = psychometric.fit(exposures, right, np.ones(len(right)), 0.5).threshold
    assert found.value == pooled.value
    assert found.ci[0] < found.value < found.ci[1]
    assert found.ci == psychometric.crossed_bootstrap(exposures, right, readers, cases, 0.5, 400, seed=1).ci
    assert np.ptp(np.log(found.ci)) > np.ptp(np.log(pooled.ci))
    assert "does not rise" in psychometric.crossed_bootstrap(exposures, 1 - right, readers, cases, 0.5, 50).reason


def test_a_reader_too_many_is_refused():
    with pytest.raises(ValueError, match="readers: expected one entry per answer"):
        psychometric.fit_readers([100, 200], [0, 1], ["R1"], 0.5)


@pytest.mark.parametrize("sd", [0.05, 0.35, 1.0])
def test_the_likelihood_over_readers_is_its_integral_however_much_their_answers_tell(sd):
    exposures, right, _ = drawn([250, 350, 600], 500, 9)
    x, firsts, at = np.log(exposures), np.array([0, 500, 1000]), np.array([np.log(350), 4.0, 0.02, sd])
    nodes, weights = np.polynomial.hermite_e.hermegauss(psychometric.NODES)
    weights = np.log(weights / weights.sum())
    found = psychometric._loss_of_readers(at, x, right, firsts, nodes, weights, 0.5)[0]
    z = np.linspace(-8, 8, 2001)
    p = 0.5 + 0.48 / (1 + np.exp(-4 * (x[:, None] - at[0] - sd * z)))
    logs = np.add.reduceat(np.log(np.where(right[:, None] == 1, p, 1 - p)), firsts) - z**2 / 2
    whole = logs.max(1) + np.log(np.exp(logs - logs.max(1, keepdims=True)).sum(1) * (z[1] - z[0]) / np.sqrt(2 * np.pi))
    assert found == pytest.approx(-whole.sum(), abs=1e-3)


def test_where_readers_do_not_differ_the_interval_is_no_wider_than_that_of_their_answers():
    exposures, right, _ = drawn([350] * 4, 250, 3)
    alike = np.arange(1000) % 4
    found = psychometric.fit_readers(exposures, right, alike, 0.5).threshold
    pooled = psychometric.fit(exposures, right, np.ones(1000), 0.5).threshold
    assert found.sd_log < 0.01
    assert found.value == pytest.approx(pooled.value, rel=1e-2)
    assert np.ptp(np.log(found.ci)) < 1.05 * np.ptp(np.log(pooled.ci))


def test_with_few_readers_who_differ_the_interval_is_that_of_t_over_their_thresholds():
    thresholds = np.array([250, 300, 400, 450])
    found = psychometric.fit_readers(*drawn(thresholds, 1000, 1), 0.5).threshold
    assert np.ptp(np.log(found.ci)) == pytest.approx(2 * 3.182 * np.std(np.log(thresholds), ddof=1) / 2, rel=0.25)
