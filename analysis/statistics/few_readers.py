"""The mean figure of three to ten readers, readers and cases random: Welch's criterion on the logit scale.

Hillis' degrees of freedom fail with few readers: if readers happen to be similar, the standard error is small and the
degrees of freedom, computed from the same figures, are many. Welch 1947 derived critical values that are valid for any
share of the readers in the variance; this module tabulates those for one variance with J - 1 degrees of freedom
(readers) and one that is practically known (cases). A logit interval stays within 0 and 1 and has the skewness of the
figure's distribution.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats
from analysis.statistics.estimate import Estimate

METHOD = "Obuchowski-Rockette with Welch's critical values, readers random, cases random"
LEADS = range(3, 6)  # with six or more readers, Hillis' degrees of freedom are valid, and usual in the field
FEWEST_CASES = 20  # smaller studies were not tested

LEVELS = (0.1, 0.05, 0.02, 0.01, 0.005)
SHARES = np.linspace(0, 1, 45)
TABLE = Path(__file__).parents[1] / "data" / "welch_critical_values.csv"


@cache
def critical_values() -> dict[int, Floats]:
    """Two-sided critical values by number of readers: `LEVELS` x `SHARES`, the share of the readers in the variance.

    >>> sorted(critical_values()), critical_values()[3][1, [0, -1]].tolist()  # from the normal's to t's on 2
    ([3, 4, 5, 6, 7, 8, 9, 10], [1.96, 4.303])
    """
    rows = np.loadtxt(TABLE, delimiter=",", skiprows=1)
    return {int(readers): rows[rows[:, 0] == readers, 2:] for readers in np.unique(rows[:, 0])}


def welch(found: Estimate, null: float = 0.5) -> Estimate:
    """Return the interval and p of the mean figure of few readers, from its Obuchowski-Rockette estimate.

    `found`: of `mrmc.obuchowski_rockette` or `mrmc.of_figures`, one modality, readers and cases random, the figure
    between 0 and 1; p against `null`. With MS the variance of J readers' figures and Cov2 (cut at 0) their covariance,
    se^2 = MS / J + Cov2; w = MS / J / se^2 is the readers' share of it. The critical value c(w) is such that
    |mean - truth| <= c(w) se has the probability 95 % whatever the true share (Welch 1947, Biometrika 34:28; for
    three readers, where no exact solution is smooth, within .05 %). The limits are those of the logit of the mean,
    +- c se / (mean (1 - mean)). `df` are the degrees of freedom of the t distribution with 95 % quantile c; p is
    interpolated between the tabulated levels whose critical values enclose the statistic, and beyond them taken from
    the nearest level's t. `found` is returned unchanged without a standard error, at a figure of 0 or 1, and for
    numbers of readers outside the table (fewer than 3, more than 10); `method` then says what it is. Raises ValueError
    unless `null` is between 0 and 1.

    >>> from analysis.statistics.mrmc import obuchowski_rockette
    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> few = welch(obuchowski_rockette(scores, [0, 0, 0, 0, 1, 1, 1, 1]))
    >>> round(few.value, 4), [round(limit, 2) for limit in few.ci], round(few.df, 1)
    (0.8854, [0.18, 1.0], 2.3)
    """
    if not 0 < null < 1:
        raise ValueError(f"null: expected a number between 0 and 1, got {null:g}")
    readers = len(found.extra.get("per_reader", ()))
    value = found.value
    if value is None or not found.se or not 0 < value < 1 or readers not in critical_values():
        return found
    variance = found.se**2
    share = max(0.0, 1 - max(found.extra["components"]["cov2"] or 0.0, 0.0) / variance)
    critical = [float(np.interp(share, SHARES, row)) for row in critical_values()[readers]]
    slope = value * (1 - value)
    centre, half = math.log(value / (1 - value)), critical[LEVELS.index(0.05)] * found.se / slope
    low, high = (1 / (1 + math.exp(-limit)) for limit in (centre - half, centre + half))
    p = _p(abs(centre - math.log(null / (1 - null))) * slope / found.se, critical)
    df = _matching(0.05, critical[LEVELS.index(0.05)])
    return Estimate(
        value, found.se, (low, high), p, f"{METHOD}, against {null:g}, logit interval", df, extra=found.extra
    )


def _p(t: float, critical: list[float]) -> float:
    """Return the level whose critical value is |t|."""
    if critical[0] < t < critical[-1]:
        return math.exp(float(np.interp(t, critical, np.log(LEVELS))))
    end = 0 if t <= critical[0] else -1
    df = _matching(LEVELS[end], critical[end])
    return distributions.normal_p(t) if df is None else distributions.t_p(t, df)


def _matching(level: float, critical: float) -> float | None:
    """Return the degrees of freedom of the t with this critical value; None for that of the normal distribution."""
    from scipy.special import stdtridf

    if critical <= distributions.normal_quantile(1 - level) + 1e-3:
        return None
    return float(stdtridf(1 - level / 2, critical))


def leading(found: Estimate, null: float = 0.5) -> Estimate:
    """Return `welch` where the report uses it (three to five readers), otherwise `found` itself.

    >>> from analysis.statistics.mrmc import obuchowski_rockette
    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> leading(obuchowski_rockette(scores[:2], [0, 0, 0, 0, 1, 1, 1, 1])).method.split(" (")[0]
    'Obuchowski-Rockette'
    """
    return welch(found, null) if len(found.extra.get("per_reader", ())) in LEADS else found


def standing(readers: int, cases: int) -> str:
    """Return which interval of the mean figure the report uses, "hillis" or "welch", or "none" if neither is reliable.

    Measured with 3 to 6 readers and 20 to 200 cases: `docs/explanation/benchmarks-statistics.md`.

    >>> standing(6, 200), standing(3, 40), standing(2, 400), standing(4, 10)
    ('hillis', 'welch', 'none', 'none')
    """
    if readers < LEADS.start or cases < FEWEST_CASES:
        return "none"
    return "welch" if readers in LEADS else "hillis"


def difference(found: Estimate, freedom: int) -> Estimate:
    """Return the interval and p of a difference between figures of few readers, from its Obuchowski-Rockette estimate.

    `found`: two modalities of the same readers (`mrmc.obuchowski_rockette`, `freedom` = readers - 1), two groups of
    readers (`mrmc.compare_groups`, `crossover.contrast`, `freedom` = readers - groups), or any figure that may be
    negative (`mrmc.of_figures`), readers and cases random. Its degrees of freedom are freedom / w^2, where w is the
    share of the readers in the variance, so Welch's critical value c(w) is that of `welch`; the limits are +- c se, not
    on logits, so they may exceed the possible range of the difference. p against 0. `found` is returned unchanged
    without a standard error, and for a `freedom` outside the table (1; 10 and more).

    >>> from analysis.statistics.mrmc import obuchowski_rockette
    >>> first = [[1, 2, 2, 1, 4, 4, 5, 5], [1, 3, 2, 2, 4, 3, 4, 5], [1, 1, 2, 2, 4, 3, 5, 5]]
    >>> second = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> found = obuchowski_rockette([first, second], [0, 0, 0, 0, 1, 1, 1, 1])
    >>> [round(limit, 2) for limit in (*found.ci, *difference(found, 2).ci)]
    [-0.2, 0.72, -0.31, 0.83]
    """
    if found.value is None or not found.se or freedom + 1 not in critical_values():
        return found
    share = 0.0 if found.df is None else min(1.0, math.sqrt(freedom / found.df))
    critical = [float(np.interp(share, SHARES, row)) for row in critical_values()[freedom + 1]]
    middle = critical[LEVELS.index(0.05)]
    ci = (found.value - middle * found.se, found.value + middle * found.se)
    p = _p(abs(found.value) / found.se, critical)
    method = f"{found.method}, Welch's critical values"
    return Estimate(found.value, found.se, ci, p, method, _matching(0.05, middle), extra=found.extra)


def leading_difference(found: Estimate, freedom: int) -> Estimate:
    """Return `difference` where the report uses it (`freedom` + 1 is three to five), otherwise `found` itself.

    Arguments as for `difference`.

    >>> from analysis.statistics.mrmc import obuchowski_rockette
    >>> first = [[1, 2, 2, 1, 4, 4, 5, 5], [1, 3, 2, 2, 4, 3, 4, 5], [1, 1, 2, 2, 4, 3, 5, 5]]
    >>> second = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> found = obuchowski_rockette([first, second], [0, 0, 0, 0, 1, 1, 1, 1])
    >>> leading_difference(found, 1) == found, leading_difference(found, 2) == difference(found, 2)
    (True, True)
    """
    return difference(found, freedom) if freedom + 1 in LEADS else found
