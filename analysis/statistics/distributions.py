"""Tail areas and quantiles of the normal and t distributions.

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
