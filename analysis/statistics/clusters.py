"""Proportions of observations clustered by reader and by case, with intervals that account for the clustering."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, as_flags, as_floats
from analysis.statistics.estimate import Estimate, undefined

NO_SPREAD = 1e-14


def share(flags: ArrayLike, reader: ArrayLike, case: ArrayLike) -> Estimate:
    """The share of `flags` (0 or 1) that are 1, with an interval clustered by reader and by case.

    `reader`, `case`: a number for each flag. The variance is that of a mean with two-way clusters (Cameron, Gelbach and
    Miller 2011, J Bus Econ Stat 29:238), but at least the variance with either kind of cluster alone, because the sum
    of three terms may fall below it. The interval uses t with one degree of freedom fewer than the smaller number of
    clusters, cut to [0, 1]. Undefined without flags; no interval with one reader or one case.

    >>> found = share([1, 0, 1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1, 0, 1])
    >>> found.value, found.k, found.n
    (0.5, 4, 8)
    """
    given = as_flags(flags, np.size(flags), "flags").astype(float)
    return _fitted(given, np.ones((given.size, 1)), reader, case, 0, {"k": int(given.sum()), "n": given.size})


def difference(flags: ArrayLike, group: ArrayLike, reader: ArrayLike, case: ArrayLike) -> Estimate:
    """The share of `flags` where `group` is 1 minus that where it is 0, clustered as in `share`; p is against 0.

    Undefined if either is empty.

    >>> flags, group = [1, 1, 1, 0, 0, 0, 1, 0], [1, 1, 1, 1, 0, 0, 0, 0]
    >>> difference(flags, group, [0, 1, 2, 3, 0, 1, 2, 3], [0, 0, 1, 1, 1, 1, 0, 0]).value
    0.5
    """
    given = as_flags(flags, np.size(flags), "flags").astype(float)
    side = as_flags(group, given.size, "group").astype(float)
    if not 0 < side.sum() < side.size:
        return undefined("one side of the difference is empty", "difference of shares, clustered")
    counts = {"n": int(side.sum()), "others": int(side.size - side.sum())}
    return _fitted(given, np.column_stack([np.ones(given.size), side]), reader, case, 1, counts)


def _fitted(y: Floats, x: Floats, reader: ArrayLike, case: ArrayLike, place: int, extra: dict[str, int]) -> Estimate:
    """Return the least-squares coefficient at `place`, with two-way clustered covariance."""
    from statsmodels.regression.linear_model import OLS
    from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

    name = "share of marks, clustered by reader and case" if place == 0 else "difference of shares, clustered"
    if not y.size:
        return undefined("there is nothing to count", name, **extra)
    value = float(y.mean()) if place == 0 else float(y[x[:, 1] == 1].mean() - y[x[:, 1] == 0].mean())
    clusters = [_numbered(reader, y.size, "reader"), _numbered(case, y.size, "case")]
    fewest = min(len(np.unique(column)) for column in clusters)
    if fewest < 2:
        return Estimate(
            value,
            method=name,
            reason="there is only one reader or one case, so their variation is unknown",
            extra=extra,
        )
    fit = OLS(y, x).fit()
    variance = max(float(one[place, place]) for one in cov_cluster_2groups(fit, *clusters))
    if variance <= NO_SPREAD:
        return Estimate(value, 0.0, method=name, reason="the estimated variance is zero", extra=extra)
    se = math.sqrt(variance)
    half = distributions.t_quantile(0.95, fewest - 1) * se
    if place == 0:
        ci = (max(0.0, value - half), min(1.0, value + half))
        return Estimate(value, se, ci, None, name, fewest - 1, extra=extra)
    p = distributions.t_p(value / se, fewest - 1)
    return Estimate(value, se, (value - half, value + half), p, name, fewest - 1, extra=extra)


def _numbered(labels: ArrayLike, size: int, name: str) -> NDArray[np.intp]:
    found = as_floats(labels, name)
    if found.size != size:
        raise ValueError(f"{name}: expected {size} numbers, one per flag, got {found.size}")
    return np.unique(found, return_inverse=True)[1]
