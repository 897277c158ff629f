"""Tests with one figure per reader: t, exact Wilcoxon, exact permutation.

Question: would other readers do as well on *these* cases? With few readers, an exact test can only reach certain p
values; the smallest possible p is reported with it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics import readings
from analysis.statistics.arrays import Floats, as_floats, one_of
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.roc import midranks

ENUMERABLE = 2**18  # up to this many sign patterns or splits are enumerated; otherwise
DRAWN = 10_000  # this many are drawn at random
SLACK = 1e-9  # statistics that differ by rounding are ties


def t_test(values: ArrayLike, null: float = 0.5) -> Estimate:
    """Student's t test of the readers' mean figure against `null` (or of paired differences against 0).

    `values`: one per reader, NaN = none. t = (mean - null) / (s / sqrt(n)) with n - 1 degrees of freedom. Undefined
    with fewer than two readers; equal figures give the mean without a test.

    >>> result = t_test([0.6275, 0.6925, 0.66125, 0.66125, 0.78875, 0.675])    # PanoDiff-SR, fractional accuracy
    >>> round(result.value, 4), round(result.statistic, 2), round(result.p, 5)
    (0.6844, 8.15, 0.00045)
    """
    from statsmodels.stats.weightstats import DescrStatsW

    name = f"one-sample t test over readers, against {null:g}"
    counted, extra = _defined(values)
    if not counted.size:
        return undefined("no reader has a figure", name, **extra)
    mean = float(counted.mean())
    if counted.size < 2 or float(np.ptp(counted)) < SLACK:
        reason = "there is only one reader" if counted.size < 2 else "all readers' figures are equal"
        return Estimate(mean, method=name, reason=f"{reason}, so the t test is undefined", extra=extra)
    sample = DescrStatsW(counted)
    (t, p, _), (low, high) = sample.ttest_mean(null), sample.tconfint_mean()
    ci, extra["statistic"] = (float(low), float(high)), float(t)
    return Estimate(mean, float(sample.std_mean), ci, float(p), name, counted.size - 1, extra=extra)


def sign_flip(values: ArrayLike, null: float = 0.5, seed: int = 0) -> Estimate:
    """Exact permutation test of the readers' mean figure against `null`: every pattern of signs of the deviations.

    p is the share of the 2^n patterns with an absolute mean deviation at least as large; `smallest_p` is the smallest p
    that these deviations allow (2 / 2^n without ties). For more than 18 readers, 10,000 patterns are drawn with `seed`.
    Fisher 1935, The Design of Experiments, section 21.

    >>> result = sign_flip([0.6275, 0.6925, 0.66125, 0.66125, 0.78875, 0.675])
    >>> result.p, result.smallest_p
    (0.03125, 0.03125)
    """
    counted, extra = _defined(values)
    name = f"exact sign-flip permutation over readers, against {null:g}"
    if not counted.size:
        return undefined("no reader has a figure", name, **extra)
    p, smallest, exact = _signed(counted - null, seed)
    name = name if exact else name.replace("exact", f"{DRAWN} draws of the")
    return Estimate(float(counted.mean()), p=p, method=name, extra=extra | {"smallest_p": smallest})


def signed_rank(values: ArrayLike, null: float = 0.5, seed: int = 0) -> Estimate:
    """Exact Wilcoxon signed-rank test of the readers' figures against `null` (or of paired differences against 0).

    `statistic` is the sum of the ranks of |value - null| above null; equal deviations share their mean rank, zero
    deviations are left out and counted; p is exact over all patterns of signs, including ties (for more than 18
    readers, over 10,000 drawn with `seed`). `value` is the mean figure. Wilcoxon 1945, Biometrics Bull 1:80; Pratt and
    Gibbons 1981, chapter 3.

    >>> result = signed_rank([0.6275, 0.6925, 0.66125, 0.66125, 0.78875, 0.675])
    >>> result.statistic, result.p
    (21.0, 0.03125)
    """
    counted, extra = _defined(values)
    name = f"exact Wilcoxon signed-rank test over readers, against {null:g}"
    deviations = counted - null
    deviations = deviations[np.abs(deviations) > SLACK]
    extra["zeros"] = int(counted.size - deviations.size)
    if not counted.size:
        return undefined("no reader has a figure", name, **extra)
    if not deviations.size:
        reason = f"every figure equals {null:g}, so there is nothing to rank"
        return Estimate(float(counted.mean()), method=name, reason=reason, extra=extra)
    ranks = midranks(np.abs(deviations).round(9))
    p, smallest, exact = _signed(ranks * np.sign(deviations), seed)
    name = name if exact else name.replace("exact", f"{DRAWN} draws of the")
    extra |= {"statistic": float(ranks[deviations > 0].sum()), "smallest_p": smallest}
    return Estimate(float(counted.mean()), p=p, method=name, extra=extra)


def permutation(values: ArrayLike, groups: Sequence[str | None], seed: int = 0, *, statistic: str = "mean") -> Estimate:
    """Exact permutation test of two groups of readers: every split of the readers into groups of these sizes.

    `values`: one figure per reader; `groups`: one label per reader, None = in neither. p is the share of splits with an
    absolute difference of means (statistic "mean") or of mean ranks ("rank", the Wilcoxon-Mann-Whitney test) at least
    as large. Three readers against three have 20 splits, so `smallest_p` is .1: no data can give less. For more than
    2^18 splits, 10,000 are drawn with `seed`. `value` is the first named group's mean minus the other's. Fisher 1935;
    Mann and Whitney 1947, Ann Math Stat 18:50.

    >>> accuracy = [0.6275, 0.6925, 0.66125, 0.66125, 0.78875, 0.675]
    >>> result = permutation(accuracy, ["EC", "EC", "EC", "EP", "EP", "EP"])
    >>> round(result.value, 4), result.p, result.smallest_p, result.splits
    (-0.0479, 0.5, 0.1, 20)
    """
    one_of(statistic, ("mean", "rank"), "statistic")
    what = "permutation of readers between groups" if statistic == "mean" else "Wilcoxon-Mann-Whitney test over readers"
    name = f"exact {what}"
    first, second, extra = two_groups(values, groups)
    if min(first.size, second.size) == 0:
        return undefined("two groups of readers with a figure are needed", name, **extra)
    pooled = np.concatenate([first, second])
    if statistic == "rank":
        pooled = midranks(pooled.round(9))
    splits = math.comb(pooled.size, first.size)
    if splits <= ENUMERABLE:
        picks = np.array(list(itertools.combinations(range(pooled.size), first.size)))
        sums = pooled[picks].sum(axis=1)
    else:
        rng = np.random.default_rng(seed)
        sums = np.array([rng.permutation(pooled)[: first.size].sum() for _ in range(DRAWN)])
        name, splits = name.replace("exact", f"{DRAWN} draws of the"), DRAWN
    gaps = np.abs(sums / first.size - (pooled.sum() - sums) / second.size)
    observed = abs(pooled[: first.size].mean() - pooled[first.size :].mean())
    p, smallest = tail(gaps, observed, drawn=splits == DRAWN)
    extra |= {"splits": splits, "smallest_p": smallest}
    return Estimate(float(first.mean() - second.mean()), p=p, method=name, extra=extra)


def welch(values: ArrayLike, groups: Sequence[str | None]) -> Estimate:
    """Welch's t test of two groups of readers, whose figures may vary differently.

    t = (m1 - m2) / sqrt(s1^2/n1 + s2^2/n2) with Satterthwaite's degrees of freedom. Welch 1947, Biometrika 34:28.
    Undefined if a group has fewer than two readers with a figure.

    >>> accuracy = [0.6275, 0.6925, 0.66125, 0.66125, 0.78875, 0.675]
    >>> result = welch(accuracy, ["EC", "EC", "EC", "EP", "EP", "EP"])
    >>> round(result.p, 3), round(result.df, 2)
    (0.365, 2.82)
    """
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    name = "Welch's t test over readers"
    first, second, extra = two_groups(values, groups)
    if min(first.size, second.size) == 0:
        return undefined("two groups of readers with a figure are needed", name, **extra)
    difference = float(first.mean() - second.mean())
    if min(first.size, second.size) < 2:
        return Estimate(
            difference, method=name, reason="a group has only one reader, so its spread is unknown", extra=extra
        )
    both = CompareMeans(DescrStatsW(first), DescrStatsW(second))
    se = float(both.std_meandiff_separatevar)
    if se < SLACK:
        return Estimate(difference, method=name, reason="the figures do not vary within the groups", extra=extra)
    t, p, df = (float(part) for part in both.ttest_ind(usevar="unequal"))
    low, high = both.tconfint_diff(usevar="unequal")
    return Estimate(difference, se, (float(low), float(high)), p, name, df, extra=extra | {"statistic": t})


def two_groups(values: ArrayLike, groups: Sequence[str | None]) -> tuple[Floats, Floats, dict[str, Any]]:
    """Return the figures of the first and second named group, and counts. Raises ValueError for more than two groups.

    >>> first, second, counts = two_groups([0.6, 0.7, 0.8], ["EC", "EP", "EP"])
    >>> first.tolist(), second.tolist(), counts["n"]
    ([0.6], [0.7, 0.8], 3)
    """
    array = as_floats(values, "values")
    labels, named = readings.two_groups(groups, array.size)
    figures = [
        array[[own == label and not math.isnan(value) for own, value in zip(labels, array, strict=True)]]
        for label in named
    ]
    first, second = (*figures, np.empty(0), np.empty(0))[:2]
    counted = first.size + second.size
    return first, second, {"groups": named, "n": counted, "left_out": array.size - counted}


def _defined(values: ArrayLike) -> tuple[Floats, dict[str, Any]]:
    array = as_floats(values, "values")
    counted = array[~np.isnan(array)]
    return counted, {"n": int(counted.size), "left_out": int(array.size - counted.size)}


def _signed(deviations: Floats, seed: int) -> tuple[float, float, bool]:
    """P and the smallest p of the sum of `deviations` over patterns of signs, and whether all were enumerated."""
    size = np.abs(deviations)
    exact = 2**size.size <= ENUMERABLE
    if exact:
        sums = np.zeros(1)
        for step in size:
            sums = np.concatenate([sums - step, sums + step])
    else:
        rng = np.random.default_rng(seed)
        sums = np.array([rng.choice((-1.0, 1.0), size.size) @ size for _ in range(DRAWN)])
    return *tail(np.abs(sums), abs(float(deviations.sum())), drawn=not exact), exact


def tail(distribution: Floats, observed: float, *, drawn: bool) -> tuple[float, float]:
    """Return the share of `distribution` at least as large as `observed`, and its smallest possible value.

    If the distribution is `drawn`, the observed value counts as one more draw (Phipson and Smyth 2010, Stat Appl
    Genet Mol Biol 9:39).

    >>> tail(np.array([0.1, 0.2, 0.2, 0.5]), 0.2, drawn=False)
    (0.75, 0.25)
    """
    reached = int((distribution >= observed - SLACK).sum())
    if drawn:
        return (reached + 1) / (distribution.size + 1), 1 / (distribution.size + 1)
    return reached / distribution.size, int((distribution >= distribution.max() - SLACK).sum()) / distribution.size
