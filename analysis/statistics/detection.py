"""Signal detection theory: how far apart the classes are for a reader, and how readily they say "synthetic".

Question: is a low accuracy due to poor discrimination (d' near 0) or to response bias (criterion away from 0)?
Equal-variance normal model; hits are synthetic cases called synthetic.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from analysis.statistics import distributions, proportions
from analysis.statistics.arrays import one_of
from analysis.statistics.estimate import Estimate, undefined

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Detection:
    """d' and related measures; None with a `reason` if undefined. `ci` is the 95 % interval of d'."""

    dprime: float | None
    criterion: float | None = None
    beta: float | None = None
    ln_beta: float | None = None
    az: float | None = None
    hit_rate: float | None = None
    false_alarm_rate: float | None = None
    se: float | None = None
    criterion_se: float | None = None
    ci: tuple[float, float] | None = None
    p: float | None = None
    method: str = ""
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return a plain mapping for results.json, without empty fields except `dprime`."""
        plain = {name: entry for name, entry in asdict(self).items() if entry is not None or name == "dprime"}
        if self.ci is not None:
            plain["ci"] = list(self.ci)
        return plain


def dprime(
    hits: float, misses: float, false_alarms: float, correct_rejections: float, correction: str = "loglinear"
) -> Detection:
    """d' = z(H) - z(F), criterion c = -(z(H) + z(F)) / 2, ln beta = c d', Az = Phi(d' / sqrt 2).

    `correction` "loglinear" adds 1/2 to each count and 1 to each class (Hautus 1995, Behav Res Methods 27:46), which
    keeps rates away from 0 and 1; "none" uses the raw rates. Standard errors after Gourevitch and Galanter 1967
    (Psychometrika 32:25), normal 95 % interval, p for d' = 0. Fractional counts (unsure as one half) are allowed.
    Undefined without cases of both classes, and under "none" if a rate is 0 or 1. Raises ValueError for a count
    below 0.

    >>> found = dprime(75, 25, 25, 75, correction="none")      # Macmillan and Creelman 2005, Detection Theory
    >>> round(found.dprime, 3), round(found.criterion, 3)
    (1.349, 0.0)
    >>> found = dprime(100, 0, 0, 100)
    >>> round(found.dprime, 3), round(found.az, 4)
    (5.159, 0.9999)
    """
    one_of(correction, ("loglinear", "none"), "correction")
    counts = {"hits": hits, "misses": misses, "false_alarms": false_alarms, "correct_rejections": correct_rejections}
    for label, count in counts.items():
        if not 0 <= count < math.inf:
            raise ValueError(f"{label}: expected a count of 0 or more, got {count}")
    method = "equal-variance normal, " + ("log-linear correction" if correction == "loglinear" else "no correction")
    if not hits + misses or not false_alarms + correct_rejections:
        return Detection(None, method=method, reason="answers to both classes are needed")
    add = 0.5 if correction == "loglinear" else 0.0
    n_synthetic, n_real = hits + misses + 2 * add, false_alarms + correct_rejections + 2 * add
    h, f = (hits + add) / n_synthetic, (false_alarms + add) / n_real
    if h in (0.0, 1.0) or f in (0.0, 1.0):
        reason = "a rate is 0 or 1, so d' is infinite without a correction"
        return Detection(None, hit_rate=h, false_alarm_rate=f, method=method, reason=reason)
    zh, zf = _NORMAL.inv_cdf(h), _NORMAL.inv_cdf(f)
    d, c = zh - zf, 0.0 - (zh + zf) / 2
    se = math.sqrt(h * (1 - h) / (n_synthetic * _NORMAL.pdf(zh) ** 2) + f * (1 - f) / (n_real * _NORMAL.pdf(zf) ** 2))
    half = distributions.normal_quantile(0.95) * se
    return Detection(
        dprime=d,
        criterion=c,
        beta=math.exp(c * d),
        ln_beta=c * d,
        az=_NORMAL.cdf(d / math.sqrt(2)),
        hit_rate=h,
        false_alarm_rate=f,
        se=se,
        criterion_se=se / 2,
        ci=(d - half, d + half),
        p=distributions.normal_p(d / se),
        method=method,
    )


def mafc_dprime(proportion_correct: float, alternatives: int, trials: int | None = None) -> Estimate:
    """d' of finding the odd one among `alternatives`, from the proportion of trials in which it was found.

    Solves P(correct) = integral of phi(x - d') Phi(x)^(m - 1) dx, an unbiased reader picking the largest of m
    independent normal observations (Green and Swets 1966; Hacker and Ratcliff 1979, Percept Psychophys 26:168). With
    `trials` the interval is converted from the Wilson limits of the proportion. Below chance, d' is negative. Undefined
    at 0 and 1. Raises ValueError for fewer than two alternatives, no trial, or a proportion outside 0 to 1.

    >>> round(mafc_dprime(0.76, 2).value, 3)              # two alternatives: sqrt 2 z(.76)
    0.999
    >>> round(mafc_dprime(0.29, 4, trials=400).value, 3)  # cervical-spine quartets, arXiv 2510.22166: 116 of 400
    0.15
    """
    if alternatives < 2 or alternatives != int(alternatives):
        raise ValueError(f"alternatives: expected a whole number of 2 or more, got {alternatives}")
    if trials is not None and trials < 1:
        raise ValueError(f"trials: expected 1 or more, got {trials}")
    if not 0 <= proportion_correct <= 1:
        raise ValueError(f"proportion_correct: expected a number from 0 to 1, got {proportion_correct}")
    method = f"{alternatives}-alternative forced choice, unbiased reader"
    extra = {"proportion_correct": proportion_correct, "chance": 1 / alternatives}
    if proportion_correct in (0, 1):
        return undefined("all or none were found, so d' is infinite", method, **extra)
    value = _mafc_inverse(proportion_correct, alternatives)
    if trials is None:
        return Estimate(value, method=method, extra=extra)
    low, high = proportions.interval(proportion_correct * trials, trials).ci or (0.0, 1.0)
    ci = _mafc_inverse(low, alternatives), _mafc_inverse(high, alternatives)
    return Estimate(value, ci=ci, method=f"{method}, Wilson 95% interval", extra=extra | {"trials": trials})


def _mafc_inverse(proportion: float, alternatives: int) -> float:
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import ndtr

    # The integrand is smooth and vanishes within 9 standard deviations: 200 Gauss-Legendre nodes are exact to 1e-12.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    x, weights = 9 * nodes, 9 * weights
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)

    def excess(d: float) -> float:
        return float((weights * density * ndtr(x + d) ** (alternatives - 1)).sum()) - proportion

    return float(brentq(excess, -12, 12, xtol=1e-12))
