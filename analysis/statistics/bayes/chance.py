"""Evidence against chance: the Bayes factor of "the mean reader is at chance", and its sensitivity to the priors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.statistics.arrays import Floats
from analysis.statistics.bayes.model import Priors
from analysis.statistics.estimate import Estimate

NAME = "Bayes factor, the mean reader not at chance against at chance (Savage-Dickey)"
SCALES = (0.5, 1.0, 2.0)  # times the priors' own


def factor(delta: Floats, spread: Floats, priors: Priors, mean_auc: Callable[[Floats], dict[str, Any]]) -> Estimate:
    """Return the Bayes factor for a mean reader not at chance, and how it and the mean AUC change with the priors.

    By the Savage-Dickey ratio (Dickey 1971, Ann Math Stat 42:204) it is the prior density of the mean reader's d_a at 0
    divided by the posterior density. Given d_a of R readers, with mean m and spread s, this density is normal, so the
    ratio is averaged over the draws without smoothing: N(m; 0, s^2/R) / N(m; 0, s^2/R + S^2), where S is the prior's
    standard deviation. For another S, or another prior for s, the draws are reweighted. Under the hypothesis of chance,
    readers still differ from each other.

    Args:
        delta: d_a minus the group effect, draws x readers.
        spread: s of each draw.
        priors: the priors used for the draws.
        mean_auc: function of draw weights that returns mean and interval of the mean AUC of new readers.

    Returns:
        The factor (above 1: against chance); `log10`, `log10_se` (Monte Carlo), `sensitivity`.

    >>> rng = np.random.default_rng(0)
    >>> found = factor(rng.normal(0.9, 0.2, (400, 6)), np.full(400, 0.3), Priors(), lambda weights: {})
    >>> found.value > 100, len(found.sensitivity)
    (True, 5)
    """
    within = spread**2 / delta.shape[1]
    mean = delta.mean(axis=1)
    own = _log_normal(mean, within + priors.delta**2)
    lines = []
    for scale in SCALES:
        for spread_scale in SCALES:
            if scale != 1 and spread_scale != 1:
                continue
            middle, width = priors.delta_sd
            shifted = np.log(spread) - middle
            weight = _log_normal(shifted - math.log(spread_scale), width**2) - _log_normal(shifted, width**2)
            # Evidence for this prior, and for chance, relative to the prior used for the draws.
            other = weight + _log_normal(mean, within + (scale * priors.delta) ** 2) - own
            null = weight + _log_normal(mean, within) - own
            log10 = (_log_mean(other) - _log_mean(null)) / math.log(10)
            weights = np.exp(other - other.max())
            lines.append(
                {
                    "mean_sd": scale * priors.delta,
                    "spread_median": spread_scale * math.exp(middle),
                    "log10": log10,
                    "value": 10.0 ** min(log10, 300.0),
                    "auc": mean_auc(weights),
                    "effective": float(weights.sum() ** 2 / (weights**2).sum()),
                }
            )
    lead = next(line for line in lines if line["mean_sd"] == priors.delta and line["spread_median"] == math.exp(middle))
    parts = np.array_split(_log_normal(mean, within) - own, 20)
    error = float(np.std([_log_mean(part) for part in parts], ddof=1) / math.sqrt(len(parts)) / math.log(10))
    extra = {"log10": lead["log10"], "log10_se": error, "sensitivity": lines}
    return Estimate(lead["value"], method=NAME, extra=extra)


def _log_normal(values: Floats, variance: Any) -> Floats:
    return np.asarray(-(values**2) / (2 * variance) - np.log(2 * math.pi * variance) / 2)


def _log_mean(logs: Floats) -> float:
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))
