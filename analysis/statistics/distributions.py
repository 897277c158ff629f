"""Tail areas and quantiles of the normal and t distributions.

scipy.special gives the same figures as scipy.stats and loads much faster; it is loaded where it is used.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def normal_quantile(level: float) -> float:
    """The half-width of a central interval of `level`, in standard errors.

    >>> round(normal_quantile(0.95), 2)
    1.96
    """
    return _NORMAL.inv_cdf(0.5 + level / 2)


def normal_p(z: float) -> float:
    """Two-sided p of a standard normal statistic.

    >>> round(normal_p(-1.96), 3)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))


def normal_upper(z: float) -> float:
    """P(Z >= z).

    >>> normal_upper(0)
    0.5
    """
    return 0.5 * math.erfc(z / math.sqrt(2))


def t_quantile(level: float, df: float) -> float:
    """The half-width of a central interval of `level` under Student's t with `df` degrees of freedom.

    >>> round(t_quantile(0.95, df=5), 3)
    2.571
    """
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + level / 2))


def t_p(t: float, df: float) -> float:
    """Two-sided p of Student's t.

    >>> round(t_p(2.571, df=5), 3)
    0.05
    """
    return 2 * t_upper(abs(t), df)


def t_upper(t: float, df: float) -> float:
    """P(T >= t) under Student's t.

    >>> round(t_upper(2.571, df=5), 3)
    0.025
    """
    from scipy.special import stdtr

    return float(stdtr(df, -t))
