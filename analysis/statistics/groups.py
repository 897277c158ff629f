"""Comparison of two groups of readers (such as early-career and experienced), and correlation with years of experience.

Three questions are easily confused, and often have different answers:

- *by readers*: do other readers of these kinds differ on these cases? One figure per reader, low power.
- *by cases*: do these particular readers differ on other cases? It says nothing about other readers.
- *by both*: do other readers of these kinds differ on other cases?
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics import distributions, roc
from analysis.statistics.arrays import Floats, as_floats, one_of
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.mrmc import compare_groups, ustatistics
from analysis.statistics.reader_tests import DRAWN, SLACK, permutation, tail, welch
from analysis.statistics.readings import ENDPOINTS, as_readings, figures, two_groups
from analysis.statistics.resampling import crossed_bootstrap

QUESTIONS = {
    "readers": "would other readers of these kinds differ, on these cases?",
    "cases": "would these readers differ, on other cases?",
    "both": "would other readers of these kinds differ, on other cases?",
}
ENUMERABLE_ORDERS = 8  # up to this many readers, all orders are enumerated: 8! = 40,320


def compare(
    scores: ArrayLike,
    truth: ArrayLike,
    groups: Sequence[str | None],
    *,
    endpoint: str = "auc",
    replicates: int = 10_000,
    seed: int = 0,
) -> dict[str, list[Estimate]]:
    """The difference of two groups of readers (first named - other) by every method, each with its question.

    `scores`: readers x cases (credits for any end point but the AUC), NaN = not read; `groups`: one label per reader,
    None = in neither. Returns lists under "readers" (exact permutation, exact rank test, Welch), "cases" (paired DeLong
    on group means, or its equivalent for credits) and "both" (nested Obuchowski-Rockette, U-statistics, crossed
    bootstrap). Each estimate has `question`; exact tests have `smallest_p`. Raises ValueError for more than two groups;
    with fewer, every estimate has a reason.

    >>> experienced = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4]]
    >>> scores = [*experienced, [1, 3, 2, 2, 4, 3, 4, 5], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> found = compare(scores, [0, 0, 0, 0, 1, 1, 1, 1], ["EP", "EP", "EC", "EC"], replicates=500)
    >>> [(round(one.value, 3), round(one.p, 2)) for one in found["readers"]]
    [(0.109, 1.0), (0.109, 1.0), (0.109, 0.73)]
    """
    readings = as_readings(scores, truth, endpoint)
    if len(readings.scores) != 1:
        raise ValueError("scores: expected readers x cases, one modality")
    value = figures(readings, endpoint).value[0]
    found = {
        "readers": by_readers(value, groups, seed=seed),
        "cases": [by_cases(scores, truth, groups, endpoint=endpoint)],
        "both": by_both(scores, truth, groups, endpoint=endpoint, replicates=replicates, seed=seed),
    }
    return {
        kind: [replace(one, extra=one.extra | {"question": QUESTIONS[kind]}) for one in estimates]
        for kind, estimates in found.items()
    }


def by_readers(values: ArrayLike, groups: Sequence[str | None], *, seed: int = 0) -> list[Estimate]:
    """Exact permutation of means, exact permutation of ranks, Welch's t: one figure per reader (see `reader_tests`).

    >>> [round(test.p, 3) for test in by_readers([0.74, 0.79, 0.85, 0.89, 0.91, 0.80], ["EC"] * 3 + ["EP"] * 3)]
    [0.2, 0.2, 0.19]
    """
    return [
        permutation(values, groups, seed),
        permutation(values, groups, seed, statistic="rank"),
        welch(values, groups),
    ]


def by_cases(scores: ArrayLike, truth: ArrayLike, groups: Sequence[str | None], *, endpoint: str = "auc") -> Estimate:
    """Readers fixed, cases random: every case gets each group's mean score, and the two are compared case by case.

    For the AUC the paired test of DeLong, DeLong and Clarke-Pearson 1988 on the mean scores: the area of a group's
    *pooled* judgement, usually above the mean of its readers' areas. For credits the mean difference with its normal
    test, cases drawn within their class: var = sum over classes of (n_t / n)^2 s_t^2 / n_t. Cases that one group did
    not read are left out and counted.

    >>> experienced = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4]]
    >>> scores = [*experienced, [1, 3, 2, 2, 4, 3, 4, 5], [3, 4, 4, 1, 4, 1, 3, 2]]
    >>> found = by_cases(scores, [0, 0, 0, 0, 1, 1, 1, 1], ["EP", "EP", "EC", "EC"])
    >>> round(found.value, 3), round(found.p, 3)
    (0.094, 0.643)
    """
    one_of(endpoint, ENDPOINTS, "endpoint")
    readings = as_readings(scores, truth, endpoint)
    labels, named = two_groups(groups, readings.scores.shape[1])
    name = "paired DeLong on group means" if endpoint == "auc" else "paired credits of group means, normal test"
    if len(named) < 2:
        return undefined("two groups of readers are needed", name, groups=named)
    first, second = (_mean(readings.scores[0, [own == label for own in labels]]) for label in named)
    if endpoint == "auc":
        found = roc.compare(first, second, readings.synthetic)
        return replace(found, method=name, extra=found.extra | {"groups": named})
    gap = first - second
    if endpoint != "accuracy":
        gap[readings.synthetic != (endpoint == "sensitivity")] = np.nan
    read = ~np.isnan(gap)
    sides = [gap[read & (readings.synthetic == side)] for side in (True, False)]
    extra = {"groups": named, "n_synthetic": sides[0].size, "n_real": sides[1].size}
    count = sum(side.size for side in sides)
    if not count:
        return undefined("no case was read by both groups", name, **extra)
    value = float(gap[read].mean())
    if 1 in (side.size for side in sides):
        return Estimate(value, method=name, reason="the variance needs two cases of a class", extra=extra)
    variance = sum(float(side.var(ddof=1)) * side.size / count**2 for side in sides if side.size)
    if variance < SLACK**2:
        return Estimate(
            value, 0.0, method=name, reason="the groups differ by the same amount on every case", extra=extra
        )
    se = math.sqrt(variance)
    half = distributions.normal_quantile(0.95) * se
    return Estimate(value, se, (value - half, value + half), distributions.normal_p(value / se), name, extra=extra)


def by_both(
    scores: ArrayLike,
    truth: ArrayLike,
    groups: Sequence[str | None],
    *,
    endpoint: str = "auc",
    replicates: int = 10_000,
    seed: int = 0,
) -> list[Estimate]:
    """Readers and cases random: nested Obuchowski-Rockette, U-statistics of the split plot, crossed bootstrap.

    See `mrmc.compare_groups`, `ustat.ustatistics`, `resampling.crossed_bootstrap`; all use the difference between the
    groups' mean figures.

    >>> experienced = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4]]
    >>> scores = [*experienced, [1, 3, 2, 2, 4, 3, 4, 5], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> found = by_both(scores, [0, 0, 0, 0, 1, 1, 1, 1], ["EP", "EP", "EC", "EC"], replicates=500)
    >>> [round(test.value, 3) for test in found]
    [0.109, 0.109, 0.109]
    """
    readings = as_readings(scores, truth, endpoint)
    labels, named = two_groups(groups, readings.scores.shape[1])
    name = "U-statistics (unbiased), readers of each group and cases random"
    if len(named) < 2:
        split_plot = undefined("two groups of readers are needed", name)
    else:
        belongs = np.array([[own == label for own in labels] for label in named])
        split = np.where(belongs[:, :, None], readings.scores[0], np.nan)
        split_plot = replace(ustatistics(split, truth, endpoint=endpoint), method=name)
    return [
        compare_groups(scores, truth, groups, endpoint=endpoint),
        split_plot,
        crossed_bootstrap(scores, truth, endpoint, replicates, seed, rule=None, groups=groups),
    ]


def experience(values: ArrayLike, years: ArrayLike, *, seed: int = 0) -> list[Estimate]:
    """Correlation of the readers' figures with years of experience: Spearman's (exact) and Pearson's.

    `values`, `years`: one per reader, NaN = unknown (left out, counted). Spearman's rho is the correlation of midranks;
    its p is the share of all orders of the readers with a correlation at least as far from 0 (for more than eight
    readers, the share of 10,000 orders drawn with `seed`). Pearson's r has the interval of Fisher's z (four readers or
    more) and the t test with n - 2 degrees of freedom. Spearman 1904, Am J Psychol 15:72; Fisher 1921, Metron 1:3.
    Undefined with fewer than three readers, or if all figures or all years are equal.

    >>> rank, linear = experience([0.74, 0.79, 0.85, 0.89, 0.91, 0.80], [3, 5, 8, 16, 22, 18])
    >>> round(rank.value, 3), round(rank.p, 3), round(linear.value, 3), round(linear.p, 3)
    (0.829, 0.058, 0.748, 0.088)
    """
    first, second = as_floats(values, "values"), as_floats(years, "years")
    if first.size != second.size:
        raise ValueError(f"years: expected one value for each of the {first.size} readers, got {second.size}")
    both = ~(np.isnan(first) | np.isnan(second))
    first, second = first[both], second[both]
    extra = {"n": int(both.sum()), "left_out": int((~both).sum())}
    names = "Spearman's rho, exact permutation", "Pearson's r, Fisher's z interval, t test"
    if first.size < 3 or np.ptp(first) < SLACK or np.ptp(second) < SLACK:
        why = "there are fewer than three readers" if first.size < 3 else "all figures or all years are equal"
        return [undefined(f"{why}, so there is no correlation", name, **extra) for name in names]
    return [_spearman(first, second, names[0], extra, seed), _pearson(first, second, names[1], extra)]


def _spearman(first: Floats, second: Floats, name: str, extra: dict[str, int], seed: int) -> Estimate:
    one, two = roc.midranks(first.round(9)), roc.midranks(second.round(9))
    one, two = (one - one.mean()) / one.std(), (two - two.mean()) / two.std()
    rho = float(one @ two) / one.size
    exact = one.size <= ENUMERABLE_ORDERS
    if exact:
        orders = two[np.array(list(itertools.permutations(range(two.size))))]
    else:
        rng = np.random.default_rng(seed)
        orders = rng.permuted(np.tile(two, (DRAWN, 1)), axis=1)
        name = name.replace("exact permutation", f"{DRAWN} draws of the permutations")
    p, smallest = tail(np.abs(orders @ one) / one.size, abs(rho), drawn=not exact)
    return Estimate(rho, p=p, method=name, extra=extra | {"smallest_p": smallest})


def _pearson(first: Floats, second: Floats, name: str, extra: dict[str, int]) -> Estimate:
    from scipy.stats import pearsonr

    found = pearsonr(first, second)
    r = float(found.statistic)
    if 1 - abs(r) < SLACK:
        reason = "the figures lie on a line, so the t test is undefined"
        return Estimate(r, method=name, reason=reason, extra=dict(extra))
    limits = found.confidence_interval() if first.size > 3 else None
    ci = (float(limits.low), float(limits.high)) if limits else None
    return Estimate(r, ci=ci, p=float(found.pvalue), method=name, df=first.size - 2, extra=dict(extra))


def _mean(scores: Floats) -> Floats:
    """Return the mean over the readers who read the case, NaN if none did."""
    read = (~np.isnan(scores)).sum(axis=0)
    return np.divide(np.nan_to_num(scores).sum(axis=0), read, out=np.full(read.shape, np.nan), where=read > 0)
