"""The ROC curve of one reader: points, empirical area with DeLong's variance, and paired comparison of two areas.

Question: how well does this reader rank synthetic above real images, regardless of the threshold for calling an image
synthetic? Uncertainty is over cases only; `analysis.statistics.mrmc` also generalises to other readers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, as_floats, as_truth
from analysis.statistics.estimate import Estimate, undefined

DELONG = "empirical (DeLong)"


class Placements(NamedTuple):
    """DeLong's structural components: each case's share of the other class that it beats (ties count one half)."""

    synthetic: Floats
    real: Floats


def midranks(values: Floats) -> Floats:
    """Ranks 1 ... n of `values`; equal values share their mean rank.

    >>> midranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def placements(scores: Floats, synthetic: NDArray[np.bool_]) -> Placements:
    """Structural components of one reader's scores (none missing) by midranks, in O(n log n).

    Sun and Xu 2014, IEEE Signal Process Lett 21:1389: the placement of a case is its rank among all cases minus
    its rank within its own class, divided by the size of the other class.

    >>> placements(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True])).synthetic.tolist()
    [0.75, 1.0]
    """
    pooled = midranks(scores)
    above = pooled[synthetic] - midranks(scores[synthetic])
    below = pooled[~synthetic] - midranks(scores[~synthetic])
    return Placements(above / (~synthetic).sum(), 1 - below / synthetic.sum())


def auc(scores: ArrayLike, truth: ArrayLike) -> Estimate:
    """Empirical area under the ROC curve with DeLong's variance.

    `scores`: one per case, higher = more synthetic, NaN = not read (left out and counted). `truth`: 1 = synthetic.
    The area is P(synthetic scored above real) + P(tie) / 2, the Mann-Whitney statistic. Its variance is the sum over
    both classes of the sample variance of the placements divided by the class size (DeLong, DeLong and Clarke-Pearson
    1988, Biometrics 44:837). `ci` is the normal 95 % interval cut to [0, 1]; p tests the area against .5. If DeLong's
    variance is zero (perfect separation, constant scores), the interval is Newcombe's, and p is exact over all
    assignments of truth. Undefined without cases of both classes.

    >>> estimate = auc([1, 2, 3, 3, 2, 4, 5, 5], [0, 0, 0, 0, 1, 1, 1, 1])
    >>> estimate.value, round(estimate.se, 4)
    (0.84375, 0.1673)
    """
    array = as_floats(scores, "scores")
    synthetic = as_truth(truth, array.size)
    read = ~np.isnan(array)
    extra = _counts(synthetic[read], left_out=int((~read).sum()))
    if not extra["n_synthetic"] or not extra["n_real"]:
        return undefined("an area needs cases of both classes", DELONG, **extra)
    parts = placements(array[read], synthetic[read])
    value = float(parts.synthetic.mean())
    if min(parts.synthetic.size, parts.real.size) < 2:
        return Estimate(
            value,
            ci=_newcombe(value, parts.synthetic.size, parts.real.size),
            method=f"{DELONG}, Newcombe interval",
            reason="DeLong's variance needs two cases of each class",
            extra=extra,
        )
    se = math.sqrt(parts.synthetic.var(ddof=1) / parts.synthetic.size + parts.real.var(ddof=1) / parts.real.size)
    if se < 1e-12:
        return _without_spread(value, parts, extra)
    half, z = distributions.normal_quantile(0.95) * se, (value - 0.5) / se
    ci = max(0.0, value - half), min(1.0, value + half)
    return Estimate(value, se, ci, distributions.normal_p(z), DELONG, extra=extra | {"statistic": z})


def compare(scores_a: ArrayLike, scores_b: ArrayLike, truth: ArrayLike) -> Estimate:
    """Difference of two areas over the same cases (a minus b) with DeLong's paired variance, normal interval and test.

    Only cases scored both times count; `extra["left_out"]` is the number of others. Undefined without cases of both
    classes; without two of each there is no variance, but a reason.

    >>> truth = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> estimate = compare([1, 2, 3, 3, 2, 4, 5, 5], [2, 1, 4, 3, 3, 3, 2, 5], truth)
    >>> round(estimate.value, 3), round(estimate.p, 3)
    (0.188, 0.423)
    """
    first, second = as_floats(scores_a, "scores_a"), as_floats(scores_b, "scores_b")
    if first.size != second.size:
        raise ValueError(f"scores_b: expected {first.size} scores as in scores_a, got {second.size}")
    synthetic = as_truth(truth, first.size)
    both = ~(np.isnan(first) | np.isnan(second))
    name = "paired DeLong"
    extra = _counts(synthetic[both], left_out=int((~both).sum()))
    if not extra["n_synthetic"] or not extra["n_real"]:
        return undefined("there are no cases of both classes that were scored both times", name, **extra)
    a, b = placements(first[both], synthetic[both]), placements(second[both], synthetic[both])
    extra |= {"auc_a": float(a.synthetic.mean()), "auc_b": float(b.synthetic.mean())}
    difference = extra["auc_a"] - extra["auc_b"]
    if min(a.synthetic.size, a.real.size) < 2:
        return Estimate(difference, method=name, reason="the variance needs two cases of each class", extra=extra)
    gaps = (a.synthetic - b.synthetic, a.real - b.real)
    se = math.sqrt(sum(float(gap.var(ddof=1)) / gap.size for gap in gaps))
    if se < 1e-12:
        reason = (
            "both scores rank all cases the same, or differ by the same amount, so the variance of the difference is 0"
        )
        return Estimate(
            difference, 0.0, p=1.0 if abs(difference) < 1e-12 else None, method=name, reason=reason, extra=extra
        )
    z = difference / se
    half = distributions.normal_quantile(0.95) * se
    return Estimate(
        difference, se, (difference - half, difference + half), distributions.normal_p(z), name, extra=extra | {"z": z}
    )


class Curve(NamedTuple):
    """The points of an empirical ROC curve from (0, 0) to (1, 1)."""

    false_alarm_rates: Floats
    hit_rates: Floats
    thresholds: Floats


def curve(scores: ArrayLike, truth: ArrayLike, thresholds: ArrayLike | None = None) -> Curve:
    """False-alarm and hit rates if all scores at or above a threshold are called synthetic, strictest threshold first.

    `thresholds`: by default every observed score; infinity (nothing is called synthetic) always comes first. Other
    arguments as for `auc`; the arrays are empty without cases of both classes. The area under the points joined by
    lines is the value of `auc`.

    >>> points = curve([1, 2, 3, 3, 2, 4, 5, 5], [0, 0, 0, 0, 1, 1, 1, 1])
    >>> points.hit_rates.tolist(), points.false_alarm_rates.tolist()
    ([0.0, 0.5, 0.75, 0.75, 1.0, 1.0], [0.0, 0.0, 0.0, 0.5, 0.75, 1.0])
    """
    array = as_floats(scores, "scores")
    read = ~np.isnan(array)
    synthetic = as_truth(truth, array.size)[read]
    if not synthetic.any() or synthetic.all():
        return Curve(np.empty(0), np.empty(0), np.empty(0))
    steps = np.unique(array[read] if thresholds is None else as_floats(thresholds, "thresholds"))
    falling = np.r_[np.inf, steps[::-1]]
    return Curve(_at_least(array[read][~synthetic], falling), _at_least(array[read][synthetic], falling), falling)


def _at_least(scores: Floats, thresholds: Floats) -> Floats:
    """The share of scores at each threshold or above."""
    return (scores.size - np.searchsorted(np.sort(scores), thresholds)) / scores.size


def _counts(synthetic: NDArray[np.bool_], left_out: int) -> dict[str, int | float]:
    return {"n_synthetic": int(synthetic.sum()), "n_real": int((~synthetic).sum()), "left_out": left_out}


def _without_spread(value: float, parts: Placements, extra: dict[str, int | float]) -> Estimate:
    """Handle equal placements: the classes are separated, or every case is tied with the whole other class."""
    n_synthetic, n_real = parts.synthetic.size, parts.real.size
    if value in (0.0, 1.0):
        reason = "the classes are perfectly separated, so DeLong's variance is 0"
        p = min(1.0, 2 / math.comb(n_synthetic + n_real, n_synthetic))
    else:
        reason, p = "every synthetic case is tied with every real one, so DeLong's variance is 0", 1.0
    method = "empirical, Newcombe interval, exact test over assignments of truth"
    return Estimate(value, 0.0, _newcombe(value, n_synthetic, n_real), p, method, reason=reason, extra=extra)


def _newcombe(area: float, n_synthetic: int, n_real: int) -> tuple[float, float]:
    """Newcombe 2006 (Stat Med 25:559, method 5): the areas t with |t - area| = z sqrt(V(t)), which stay within [0, 1].

    V is the variance of Hanley and McNeil under exponential scores with both class sizes set to their mean.
    """
    from scipy.optimize import brentq

    z, mean_size = distributions.normal_quantile(0.95), (n_synthetic + n_real) / 2

    def excess(t: float) -> float:
        pairs = 1 + (mean_size - 1) * ((1 - t) / (2 - t) + t / (1 + t))
        return (t - area) ** 2 - z * z * t * (1 - t) * pairs / (n_synthetic * n_real)

    # An area of 0 or 1 is itself a root; find the other one.
    low = 0.0 if area <= 0 else float(brentq(excess, 0.0, area - 1e-9))
    high = 1.0 if area >= 1 else float(brentq(excess, area + 1e-9, 1.0))
    return low, high
