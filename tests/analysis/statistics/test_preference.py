"""Strengths from paired comparisons, against choix, the likelihood itself, and studies with known truth."""

import numpy as np
import pytest

from analysis.statistics import preference

WINS = [[0, 14, 17, 19], [6, 0, 12, 15], [3, 8, 0, 11], [1, 5, 9, 0]]


def test_strengths_are_those_of_choix():
    # choix 0.4, opt_pairwise on this table, log scale, mean 0
    expected = [1.2557157292317425, 0.1535918809894202, -0.4884718512625583, -0.9208357589586045]
    found = preference.bradley_terry(WINS)
    assert found.strength == pytest.approx(expected, abs=1e-8)
    assert found.tie is None
    assert (found.ci[:, 0] < found.strength).all()


def test_of_two_methods_the_strengths_are_half_the_log_odds_with_their_standard_error():
    found = preference.bradley_terry([[0, 14], [6, 0]])
    assert found.strength == pytest.approx([np.log(14 / 6) / 2, -np.log(14 / 6) / 2], abs=1e-9)
    assert found.se == pytest.approx(np.sqrt(1 / 14 + 1 / 6) / 2, rel=1e-5)


def test_with_ties_the_fit_meets_the_conditions_of_davidson():
    # At the maximum the expected number of wins plus half the ties of each method is the observed one, as are all ties.
    wins, ties = np.array([[0, 5, 9], [3, 0, 6], [1, 2, 0]]), np.array([[0, 4, 2], [4, 0, 3], [2, 3, 0]])
    found = preference.bradley_terry(wins, ties)
    s, shown = np.exp(found.strength), wins + wins.T + ties
    root = np.sqrt(np.outer(s, s))
    whole = s[:, None] + s[None, :] + found.tie * root
    won, tied = shown * s[:, None] / whole, shown * found.tie * root / whole
    np.fill_diagonal(won, 0)
    np.fill_diagonal(tied, 0)
    assert won.sum(1) + tied.sum(1) / 2 == pytest.approx(wins.sum(1) + ties.sum(1) / 2, abs=1e-4)
    assert tied.sum() == pytest.approx(ties.sum(), abs=1e-4)


def test_intervals_hold_known_strengths_at_their_level():
    rng = np.random.Generator(np.random.PCG64(5))
    truth, held = np.array([0.6, 0.0, -0.6]), []
    chance = 1 / (1 + np.exp(truth[None, :] - truth[:, None]))
    for _ in range(100):
        upper = np.triu(rng.binomial(60, chance), 1)
        lower = np.tril(60 - upper.T, -1)
        found = preference.bradley_terry(upper + lower)
        held.append((found.ci[:, 0] <= truth) & (truth <= found.ci[:, 1]))
    assert 0.90 <= np.mean(held) <= 0.99


@pytest.mark.parametrize(
    ("wins", "ties"),
    [
        ([[0, 5], [0, 0]], None),
        ([[0, 3, 0, 0], [2, 0, 0, 0], [0, 0, 0, 4], [0, 0, 1, 0]], None),
        ([[0, 5], [0, 0]], [[0, 5], [5, 0]]),
        ([[0, 109], [0, 0]], [[0, 131], [131, 0]]),
        ([[0, 5, 3], [0, 0, 4], [0, 0, 0]], [[0, 5, 0], [5, 0, 6], [0, 6, 0]]),
    ],
)
def test_strengths_that_are_not_finite_are_undefined(wins, ties):
    found = preference.bradley_terry(wins, ties)
    assert found.strength is None
    assert "not finite" in found.reason


def test_where_all_were_ties_no_strength_is_given():
    assert preference.bradley_terry(np.zeros((2, 2)), [[0, 3], [3, 0]]).reason == "every comparison was a tie"


def test_ties_between_three_methods_can_hold_one_that_was_never_beaten():
    # Were the first far ahead of the second and the second of the third, the first and third could not tie.
    found = preference.bradley_terry([[0, 5, 3], [0, 0, 4], [0, 0, 0]], [[0, 5, 2], [5, 0, 6], [2, 6, 0]])
    assert np.isfinite(found.se).all()
    assert np.abs(found.strength).max() < 4


@pytest.mark.parametrize(
    ("wins", "ties", "words"),
    [
        ([[0, 1, 2]], None, "square"),
        ([[0, -1], [1, 0]], None, "wins: expected counts"),
        ([[1, 1], [1, 0]], None, "against itself"),
        ([[0, 1], [1, 0]], [[0, 1], [2, 0]], "symmetric"),
    ],
)
def test_bad_tables_are_named(wins, ties, words):
    with pytest.raises(ValueError, match=words):
        preference.bradley_terry(wins, ties)


def test_the_sign_test_sets_ties_aside():
    found = preference.sign_test(14, 3, 6)
    assert found.value == 0.7
    assert found.p == pytest.approx(0.11531829833984375, abs=1e-15)  # R: binom.test(14, 20)
    assert preference.sign_test(0, 7, 0).reason == "every comparison was a tie"
    with pytest.raises(ValueError, match="worse: expected a count"):
        preference.sign_test(1, 2, -1)
