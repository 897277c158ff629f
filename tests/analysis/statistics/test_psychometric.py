"""The psychometric function: known curves are found again, and what the data leave open is said."""

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 1], [1, 1], [2, 2], 0.5), "stimulus: expected levels above 0"),
        (([1, 2], [3, 1], [2, 2], 0.5), "correct: expected 0 to trials"),
        (([1, 2], [1], [2, 2], 0.5), "one entry a level"),
        (([1, 2], [1, 1], [2, 2], 0.95), "guess: expected a rate"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        psychometric.fit(*arguments)
