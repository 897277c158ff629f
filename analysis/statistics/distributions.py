"""Tail areas and quantiles of the normal, t and beta distributions.

scipy.special gives the same figures as scipy.stats and loads much faster; it is loaded where it is used.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def normal_quantile(level: float) -> float:
    """The half-width of a central interval of `level`, in standard errors: 1.96 for .95."""
    return _NORMAL.inv_cdf(0.5 + level / 2)


def normal_p(z: float) -> float:
    """Two-sided p of a standard normal statistic."""
    return math.erfc(abs(z) / math.sqrt(2))


def normal_upper(z: float) -> float:
    """P(Z >= z)."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def t_quantile(level: float, df: float) -> float:
    """The half-width of a central interval of `level` under Student's t with `df` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + level / 2))


def t_p(t: float, df: float) -> float:
    """Two-sided p of Student's t."""
    return 2 * t_upper(abs(t), df)


def t_upper(t: float, df: float) -> float:
    """P(T >= t) under Student's t."""
    from scipy.special import stdtr

    return float(stdtr(df, -t))


def beta_quantile(area: float, a: float, b: float) -> float:
    """The point below which a beta(a, b) variable lies with probability `area`."""
    from scipy.special import betaincinv

    return float(betaincinv(a, b, area))


def binomial_upper(k: int, n: int, chance: float) -> float:
    """P(K >= k) of `n` trials that each succeed with probability `chance`."""
    from scipy.special import bdtrc

    return 1.0 if k <= 0 else float(bdtrc(k - 1, n, chance))


def binomial_lower(k: int, n: int, chance: float) -> float:
    """P(K <= k) of `n` trials that each succeed with probability `chance`."""
    from scipy.special import bdtr

    return 1.0 if k >= n else float(bdtr(k, n, chance))
