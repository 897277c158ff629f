"""Shares of marks with intervals clustered by reader and case."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.clusters import difference, share


def crossed(readers=6, cases=12, seed=0, spread=0.8):
    """Flags with effects of readers and cases, two for each pair."""
    rng = np.random.default_rng(seed)
    reader, case = (grid.ravel() for grid in np.meshgrid(np.arange(readers), np.arange(cases)))
    reader, case = np.tile(reader, 2), np.tile(case, 2)
    effect = rng.normal(0, spread, readers)[reader] + rng.normal(0, spread, cases)[case]
    return (rng.random(reader.size) < 1 / (1 + np.exp(-effect))).astype(int), reader, case


def clustered(scores, labels):
    """The one-way clustered variance of a mean, with the small-sample factor of statsmodels."""
    sums = np.array([scores[labels == label].sum() for label in np.unique(labels)])
    count = len(sums)
    factor = count / (count - 1) * (scores.size - 1) / (scores.size - 1)
    return factor * (sums**2).sum() / scores.size**2


def test_the_variance_is_that_of_two_way_clusters_and_of_one_way_at_least():
    for seed in range(4):
        flags, reader, case = crossed(seed=seed)
        found = share(flags, reader, case)
        rest = flags - flags.mean()
        by_reader, by_case = clustered(rest, reader), clustered(rest, case)
        both = by_reader + by_case - clustered(rest, reader * 100 + case)
        assert found.se == pytest.approx(math.sqrt(max(both, by_reader, by_case)), rel=0.02)
        half = stats.t.ppf(0.975, 5) * found.se
        assert found.ci == pytest.approx((max(0, flags.mean() - half), min(1, flags.mean() + half)))
        assert (found.k, found.n, found.df) == (flags.sum(), flags.size, 5)


def test_where_nothing_clusters_the_variance_is_no_less_than_with_one_kind_of_cluster():
    rng = np.random.default_rng(1)
    reader, case = (grid.ravel() for grid in np.meshgrid(np.arange(6), np.arange(40)))
    below = 0
    for _ in range(10):
        flags = rng.integers(0, 2, reader.size)
        rest = flags - flags.mean()
        ways = clustered(rest, reader), clustered(rest, case)
        below += sum(ways) - clustered(rest, reader * 100 + case) < 0.9 * max(ways)
        assert share(flags, reader, case).se ** 2 == pytest.approx(max(ways), rel=0.35)
        assert share(flags, reader, case).se ** 2 >= 0.98 * max(ways)
    assert below > 2


def test_intervals_hold_what_they_say():
    held = 0
    for seed in range(300):
        flags, reader, case = crossed(readers=8, cases=30, seed=seed, spread=0.5)
        low, high = share(flags, reader, case).ci
        held += low <= 0.5 <= high
    assert 0.92 <= held / 300 <= 0.99


def test_a_difference_is_that_of_two_shares_with_its_sign():
    flags, reader, case = crossed()
    group = (case % 2).astype(int)
    found = difference(flags, group, reader, case)
    assert found.value == pytest.approx(flags[group == 1].mean() - flags[group == 0].mean())
    assert difference(flags, 1 - group, reader, case).value == pytest.approx(-found.value)
    assert found.ci[0] < found.value < found.ci[1]
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.value / found.se), 5))


def test_what_cannot_vary_has_a_reason():
    assert share([], [], []).reason == "there is nothing to count"
    assert "one reader or one case" in share([1, 0], [0, 0], [0, 1]).reason
    assert share([1, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1]).reason == "the estimated variance is zero"
    assert difference([1, 0], [1, 1], [0, 1], [0, 1]).reason == "one side of the difference is empty"
    with pytest.raises(ValueError, match="reader: expected 2 numbers"):
        share([1, 0], [0], [0, 1])
