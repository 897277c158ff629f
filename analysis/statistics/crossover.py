"""Readers who read the same cases under two conditions in turn: effects of condition, period and carry-over.

Question: is a difference between two conditions due to the conditions, or to what was read first?
Readers (within their sequence) and cases are random, as in `statistics.mrmc`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics import distributions
from analysis.statistics.arrays import as_flags, as_floats
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.readings import as_readings, check_groups, figures

METHOD = "nested Obuchowski-Rockette over sequences (jackknife), readers and cases random"
NO_SPREAD = 1e-14


class Crossover(NamedTuple):
    """The effects that `two_periods` separates.

    `condition`: second minus first, adjusted for period; `period`: later minus earlier, adjusted for condition;
    `carry_over`: the after-effect of the first condition minus that of the second.
    """

    condition: Estimate
    period: Estimate
    carry_over: Estimate


def two_periods(scores: ArrayLike, truth: ArrayLike, swapped: ArrayLike, *, endpoint: str = "auc") -> Crossover:
    """The three effects of a crossover of two conditions in two periods.

    `scores`: 2 periods x readers x cases, NaN = not read; `truth` and `endpoint` as for `mrmc.obuchowski_rockette`;
    `swapped`: one flag per reader, 1 if the second condition came first. With D a reader's figure in the first
    period minus that in the second, and S their sum, the condition is (D of the swapped - D of the others) / 2, the
    period -(D + D) / 2, and the carry-over S of the others - S of the swapped, each a contrast of the sequences'
    means (Hills and Armitage 1979, Br J Clin Pharmacol 8:7; Senn 2002, Cross-over Trials in Clinical Research), with
    readers nested in sequences and cases random (`contrast`). The test of carry-over compares different readers, so
    it has little power, and the test of the condition must not depend on its outcome (Freeman 1989, Stat Med 8:1421).

    Readers without a figure in both periods are left out. Undefined without two readers in each sequence.

    >>> first = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 1, 2, 2, 4, 3, 5, 5], [1, 2, 2, 1, 4, 2, 4, 5]]
    >>> second = [[1, 2, 2, 1, 4, 4, 5, 5], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> second += [[2, 1, 4, 3, 3, 2, 5, 4], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> found = two_periods([first, second], [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1])
    >>> round(found.condition.value, 3), round(found.period.value, 3), round(found.carry_over.value, 3)
    (0.25, -0.109, 0.25)
    """
    readings = as_readings(scores, truth, endpoint)
    if len(readings.scores) != 2:
        raise ValueError(f"scores: expected 2 periods x readers x cases, got {len(readings.scores)} period(s)")
    turned = as_flags(swapped, readings.scores.shape[1], "swapped")
    found = figures(readings, endpoint, "jackknife")
    labels = [
        None if reader in found.reasons else "second first" if own else "first first"
        for reader, own in enumerate(turned)
    ]
    values, influence = np.where(np.isfinite(found.value), found.value, 0.0), found.influence
    between = values[0] - values[1], influence[0] - influence[1]
    added = values.sum(axis=0), influence.sum(axis=0)
    return Crossover(
        contrast(*between, labels, {"second first": 0.5, "first first": -0.5}, METHOD),
        contrast(*between, labels, {"second first": -0.5, "first first": -0.5}, METHOD),
        contrast(*added, labels, {"first first": 1.0, "second first": -1.0}, METHOD),
    )


def contrast(
    value: ArrayLike,
    influence: ArrayLike,
    groups: Sequence[str | None],
    weights: Mapping[str, float],
    name: str = METHOD,
) -> Estimate:
    """A weighted sum of group means of any figure of the readers, with readers nested in groups and cases random.

    `value`: one figure per reader; `influence`: readers x cases, scaled as for `mrmc.of_figures`; `groups`: one label
    per reader, None = left out; `weights` by group. With n_g readers, MS pooled within groups, and Cov2 within and Cov3
    between groups the mean covariances of two readers' figures, var = MS sum w_g^2 / n_g + max(Cov2 sum w_g^2 +
    Cov3 sum_{g != h} w_g w_h, 0), and df = var^2 / ((MS sum w_g^2 / n_g)^2 / (N - G)): for weights 1 and -1 the test of
    `mrmc.compare_groups` (Obuchowski 1995, Acad Radiol 2:S22; Hillis 2014, Stat Med 33:330). p against 0.
    Undefined unless every group has two readers. Raises ValueError for shapes that do not match.

    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4]]
    >>> scores += [[1, 3, 2, 2, 4, 3, 4, 5], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> found = figures(as_readings(scores, [0, 0, 0, 0, 1, 1, 1, 1]), "auc", "jackknife")
    >>> groups = ["EP", "EP", "EC", "EC"]
    >>> estimate = contrast(found.value[0], found.influence[0], groups, {"EP": 1, "EC": -1})
    >>> round(estimate.value, 4), round(estimate.p, 3)
    (0.1094, 0.722)
    """
    each, leaning = as_floats(value, "value"), as_floats(influence, "influence", 2)
    if len(leaning) != len(each):
        raise ValueError(f"influence: expected a row for each of {len(each)} figures, got {len(leaning)}")
    labels = np.array(check_groups(groups, len(each)), dtype=object)
    members = {label: np.flatnonzero(labels == label) for label in weights}
    sizes = {label: own.size for label, own in members.items()}
    if min(sizes.values()) < 2:
        return undefined("each needs two readers with a figure", name, readers=sizes)
    total = {label: leaning[own].sum(axis=0) for label, own in members.items()}
    count = sum(sizes.values())
    freedom = count - len(sizes)
    ms = sum(float(((each[own] - each[own].mean()) ** 2).sum()) for own in members.values()) / freedom
    pairs = sum(size * (size - 1) for size in sizes.values())
    within = sum(float(total[g] @ total[g] - (leaning[members[g]] ** 2).sum()) for g in sizes) / pairs
    shared = sum(weight**2 for weight in weights.values()) * within
    across = [(g, h) for g in sizes for h in sizes if g != h]
    if across:
        cov3 = sum(float(total[g] @ total[h]) for g, h in across) / sum(sizes[g] * sizes[h] for g, h in across)
        shared += cov3 * sum(weights[g] * weights[h] for g, h in across)
    of_readers = ms * sum(weight**2 / sizes[label] for label, weight in weights.items())
    variance = of_readers + max(shared, 0.0)
    estimate = sum(weight * float(each[members[label]].mean()) for label, weight in weights.items())
    if variance <= NO_SPREAD:
        reason = "the estimated variance is zero, because the figures do not vary"
        return Estimate(estimate, 0.0, method=name, reason=reason, extra={"readers": sizes})
    se = math.sqrt(variance)
    if of_readers <= NO_SPREAD:
        half, p, df = distributions.normal_quantile(0.95) * se, distributions.normal_p(estimate / se), None
    else:
        df = variance**2 / (of_readers**2 / freedom)
        half, p = distributions.t_quantile(0.95, df) * se, distributions.t_p(estimate / se, df)
    return Estimate(estimate, se, (estimate - half, estimate + half), p, name, df, extra={"readers": sizes})
