"""The binormal ROC curve of one reader, fitted by maximum likelihood to ratings.

Question: what is the area under the smooth curve behind five rating levels? The empirical area (`statistics.roc`) joins
its points by straight lines and is a little smaller; both are reported, the empirical one as the main result.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, as_floats, as_truth
from analysis.statistics.estimate import Estimate, undefined

METHOD = "binormal, maximum likelihood, 95% interval on the probit scale"
MOST_STEPS = 200
# Beyond this, the spreads differ by more than exp(4) = 55 times, and the curve has degenerated to straight lines.
MOST_LOG_B = 4.0
_NORMAL = NormalDist()


def fit(scores: ArrayLike, truth: ArrayLike) -> Estimate:
    """Area Phi(a / sqrt(1 + b^2)) of the binormal curve, hit rate = Phi(a + b z(false-alarm rate)).

    `scores`: one per case, higher = more synthetic, NaN = not read; ratings or continuous. Dorfman and Alf 1969 (J Math
    Psychol 6:487) by Fisher scoring on thresholds, a and log b; neighbouring scores that occur in only one class share
    a threshold, which does not move the maximum (Metz, Herman and Shen 1998, Stat Med 17:1033). The standard error
    comes from the expected information; the interval is symmetric on the probit scale. `extra` has a, b, their standard
    errors, and z for log b = 0 (equal variances). Undefined, with a reason, if the likelihood has no finite maximum:
    perfect separation, too few operating points, or points only on the edges.

    >>> chest_ct = [1] * 33 + [2] * 6 + [3] * 6 + [4] * 11 + [5] * 2, [1] * 3 + [2] * 2 + [3] * 2 + [4] * 11 + [5] * 33
    >>> found = fit(chest_ct[0] + chest_ct[1], [0] * 58 + [1] * 51)   # Hanley and McNeil 1982, Radiology 143:29
    >>> round(found.value, 3)
    0.911
    """
    array = as_floats(scores, "scores")
    synthetic = as_truth(truth, array.size)
    read = ~np.isnan(array)
    left_out = {"left_out": int((~read).sum())}
    counts = _counts(array[read], synthetic[read])
    if not counts.sum(axis=1).all():
        return undefined("an area needs cases of both classes", METHOD, **left_out)
    if counts.shape[1] < 3:
        return undefined(
            "there are fewer than two operating points, so a curve with two parameters cannot be fitted",
            METHOD,
            **left_out,
        )
    fitted = _maximise(counts)
    if fitted is None:
        return undefined(
            "the likelihood has no finite maximum, because the points lie on the edges of the plot", METHOD, **left_out
        )
    theta, information = fitted
    a, b = float(theta[-2]), math.exp(theta[-1])
    covariance = np.linalg.inv(information)[-2:, -2:]
    scale = math.sqrt(1 + b * b)
    # Change of a / sqrt(1 + b^2) with a and log b.
    slope = np.array([1 / scale, -a * b * b / scale**3])
    probit, probit_se = a / scale, math.sqrt(float(slope @ covariance @ slope))
    half = distributions.normal_quantile(0.95) * probit_se
    extra = left_out | {
        "a": a,
        "a_se": math.sqrt(covariance[0, 0]),
        "b": b,
        "b_se": b * math.sqrt(covariance[1, 1]),
        "equal_variance_z": float(theta[-1]) / math.sqrt(covariance[1, 1]),
        "operating_points": counts.shape[1] - 1,
    }
    ci = _NORMAL.cdf(probit - half), _NORMAL.cdf(probit + half)
    p = distributions.normal_p(probit / probit_se)
    return Estimate(_NORMAL.cdf(probit), probit_se * _NORMAL.pdf(probit), ci, p, METHOD, extra=extra)


def curve(estimate: Estimate, false_alarm_rates: ArrayLike) -> Floats:
    """Hit rates of a fitted curve at `false_alarm_rates` strictly between 0 and 1, for drawing.

    >>> found = fit([1, 1, 2, 2, 3, 3, 1, 2, 2, 3, 3, 3], [0] * 6 + [1] * 6)
    >>> bool(curve(found, [0.2])[0] > 0.2)
    True
    """
    from scipy.special import ndtr, ndtri

    return ndtr(estimate.a + estimate.b * ndtri(as_floats(false_alarm_rates, "false_alarm_rates")))


def _counts(scores: Floats, synthetic: NDArray[np.bool_]) -> Floats:
    """Counts of real and synthetic cases (2 x categories), neighbours of a single class merged."""
    _, place = np.unique(scores, return_inverse=True)
    table = np.zeros((2, int(place.max(initial=-1)) + 1))
    np.add.at(table, (synthetic.astype(int), place), 1)
    if table.shape[1] == 0:
        return table
    only = np.where(table[0] == 0, 1, np.where(table[1] == 0, 0, 2))
    starts = np.flatnonzero(np.r_[True, (only[1:] != only[:-1]) | (only[1:] == 2)])
    return np.add.reduceat(table, starts, axis=1)


def _maximise(counts: Floats) -> tuple[Floats, Floats] | None:
    """Fisher scoring with step halving: the parameters (thresholds, a, log b) and their information, or None."""
    theta = _start(counts)
    likelihood, score, information = _likelihood(theta, counts)
    for _ in range(MOST_STEPS):
        if np.linalg.cond(information) > 1e14:
            return None
        step = np.linalg.solve(information, score)
        for _ in range(40):
            if np.all(np.diff((theta + step)[:-2]) > 0) and abs(theta[-1] + step[-1]) < 2 * MOST_LOG_B:
                better = _likelihood(theta + step, counts)
                if better[0] >= likelihood - 1e-12:
                    break
            step = step / 2
        else:
            return None
        theta, (likelihood, score, information) = theta + step, better
        if abs(theta[-1]) > MOST_LOG_B:
            return None
        if np.abs(step).max() < 1e-9:
            # A flat ridge is not a maximum: the data say nothing along it.
            return (theta, information) if np.linalg.cond(information) < 1e10 else None
    return None


def _start(counts: Floats) -> Floats:
    """Thresholds, a and log b from a line through the points on normal deviates, half a count added to each cell."""
    from scipy.special import ndtri

    shares = np.cumsum(counts + 0.5, axis=1)
    z = ndtri(shares[:, :-1] / shares[:, -1:])
    slope = float(np.clip(np.polyfit(z[0], z[1], 1)[0], 0.2, 5))
    return np.r_[z[0], slope * z[0].mean() - z[1].mean(), math.log(slope)]


def _likelihood(theta: Floats, counts: Floats) -> tuple[float, Floats, Floats]:
    """Log likelihood, its gradient and the expected information at (thresholds, a, log b)."""
    from scipy.special import ndtr

    thresholds, a, b = theta[:-2], theta[-2], math.exp(theta[-1])
    deviates = np.stack([thresholds, b * thresholds - a])
    density = np.exp(-(deviates**2) / 2) / math.sqrt(2 * math.pi)
    size = thresholds.size
    slopes = np.zeros((2, size, size + 2))
    slopes[0, :, :size], slopes[1, :, :size] = np.diag(density[0]), np.diag(b * density[1])
    slopes[1, :, -2], slopes[1, :, -1] = -density[1], b * thresholds * density[1]
    edge = np.zeros((2, 1))
    shares = np.clip(np.diff(np.hstack([edge, ndtr(deviates), edge + 1]), axis=1), 1e-300, None)
    changes = np.diff(np.concatenate([np.zeros((2, 1, size + 2)), slopes, np.zeros((2, 1, size + 2))], axis=1), axis=1)
    likelihood = float((counts * np.log(shares)).sum())
    score = np.einsum("ck,ckp->p", counts / shares, changes)
    weights = counts.sum(axis=1, keepdims=True) / shares
    return likelihood, score, np.einsum("ck,ckp,ckq->pq", weights, changes, changes)
