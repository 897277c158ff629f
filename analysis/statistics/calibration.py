"""Calibration of certainty: a calibrated reader who says 75 % is right three times in four."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics import distributions, proportions
from analysis.statistics.arrays import Floats, as_floats, as_levels, as_truth
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.scoring import UNSURE


def probabilities(levels: ArrayLike) -> Floats:
    """The probability of "synthetic" that a level stands for, evenly spaced: 0, .25, .5, .75, 1.

    The fractional credit of PanoDiff-SR (arXiv 2507.09227) implies this interpretation of the scale.

    >>> probabilities([1, 2, 3, 4, 5]).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return (as_levels(levels) - 1) / 4


def brier(probabilities: ArrayLike, truth: ArrayLike, bins: int | None = None) -> Estimate:
    """Brier score, the mean of (probability - truth)^2, with Murphy's decomposition and the calibration error.

    value = reliability - resolution + uncertainty (Murphy 1973, J Appl Meteorol 12:595), over groups of cases with
    the same probability. For probabilities that rarely repeat (a detector's), pass a number of equal-width `bins`;
    the spread within bins is then part of `resolution`, so that the sum stays exact (Stephenson, Coelho and Jolliffe
    2008, Weather Forecast 23:752). `ece` is the mean gap between a group's mean probability and its share of synthetic
    cases, weighted by size (Naeini 2015, AAAI). Lower is better; a constant probability of one half scores .25. The
    interval is the t interval of a mean. `extra["groups"]` has the reliability curve with Wilson limits. NaN is left
    out and counted. Raises ValueError for a probability outside 0 to 1.

    >>> found = brier([1, 0.75, 0.75, 0.5, 0.25, 0], [1, 1, 0, 1, 0, 0])
    >>> round(found.value, 4), round(found.reliability - found.resolution + found.uncertainty, 4), round(found.ece, 4)
    (0.1562, 0.1562, 0.2083)
    """
    array = as_floats(probabilities, "probabilities")
    synthetic = as_truth(truth, array.size).astype(float)
    if ((array < 0) | (array > 1)).any():
        raise ValueError("probabilities: expected numbers from 0 to 1")
    read = ~np.isnan(array)
    method = "Brier score, Murphy decomposition, t 95% interval"
    counts = {"n": int(read.sum()), "left_out": int((~read).sum())}
    if not read.any():
        return undefined("there are no answers to count", method, **counts)
    p, y = array[read], synthetic[read]
    n, base = p.size, float(y.mean())
    labels = p if bins is None else np.minimum(np.floor(p * bins), bins - 1)
    groups: list[dict[str, Any]] = []
    reliability = resolution = ece = 0.0
    for label in np.unique(labels):
        mine = labels == label
        size, forecast, observed = int(mine.sum()), float(p[mine].mean()), float(y[mine].mean())
        reliability += size / n * (forecast - observed) ** 2
        resolution += size / n * (observed - base) ** 2
        if bins is not None:
            within = p[mine] - forecast
            resolution += float(2 * (within * y[mine]).sum() - (within**2).sum()) / n
        ece += size / n * abs(forecast - observed)
        ci = proportions.interval(float(y[mine].sum()), size).ci
        groups.append({"probability": forecast, "synthetic": observed, "n": size, "ci": ci})
    parts = {"reliability": reliability, "resolution": resolution, "uncertainty": base * (1 - base), "ece": ece}
    losses = (p - y) ** 2
    value, extra = float(losses.mean()), parts | counts | {"groups": groups}
    if n < 2:
        return Estimate(value, method=method, reason="there is only one answer, so no standard error", extra=extra)
    se = float(losses.std(ddof=1)) / math.sqrt(n)
    if se < 1e-12:
        return Estimate(
            value, 0.0, method=method, reason="every answer has the same error, so there is no interval", extra=extra
        )
    half = distributions.t_quantile(0.95, n - 1) * se
    return Estimate(value, se, (max(0.0, value - half), min(1.0, value + half)), method=method, df=n - 1, extra=extra)


def certainty_test(levels: ArrayLike, truth: ArrayLike) -> Estimate:
    """Are fully certain answers right more often? Fisher's exact test of correctness by certainty, without unsure.

    `value` is the odds ratio of being right when fully rather than partly certain (`proportions.odds_ratio`);
    `accuracy` in `extra` is the share correct by certainty. Undefined if all decisions have the same certainty or the
    same correctness.

    >>> found = certainty_test([5, 5, 1, 1, 4, 4, 2, 2, 3], [1, 1, 0, 0, 1, 0, 1, 0, 1])
    >>> found.table, round(found.p, 4), found.unsure
    ([[4, 0], [2, 2]], 0.4286, 1)
    """
    array = as_levels(levels)
    synthetic = as_truth(truth, array.size)
    decided = ~(np.isnan(array) | (array == UNSURE))
    right = (array > UNSURE) == synthetic
    full = (array == 1) | (array == 5)
    table = [[int((decided & of & was).sum()) for was in (right, ~right)] for of in (full, ~full)]
    found = proportions.odds_ratio(table)
    accuracy = {
        label: right_count / (right_count + wrong_count) if right_count + wrong_count else None
        for label, (right_count, wrong_count) in zip(("full", "partial"), table, strict=True)
    }
    left_out = {"unsure": int((array == UNSURE).sum()), "missing": int(np.isnan(array).sum())}
    extra = {"table": table, "accuracy": accuracy, **left_out}
    return replace(found, extra=extra)
