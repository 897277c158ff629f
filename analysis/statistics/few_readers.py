"""The mean figure of three to ten readers, readers and cases random: Welch's criterion on the logit scale.

Why Hillis' degrees of freedom fail with few readers: where these happen to be alike, the standard error is small and
the degrees of freedom, taken from the same figures, are many. Welch 1947 asked for critical values that hold at every
share of the readers in the variance; those for one variance with J - 1 degrees of freedom (readers) and one as good as
known (cases) are tabled here. A logit interval lies within 0 and 1 and leans as the figure's distribution does.
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
LEADS = range(3, 6)  # from six readers on Hillis' degrees of freedom hold, and are what the field reports
FEWEST_CASES = 20  # fewer were not tried

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
    """The interval and p of a mean figure of few readers, from its Obuchowski-Rockette estimate.

    `found`: of `mrmc.obuchowski_rockette` or `mrmc.of_figures`, one modality, readers and cases random, the figure
    between 0 and 1; p against `null`. With MS the variance of J readers' figures and Cov2 (cut at 0) their covariance,
    se^2 = MS / J + Cov2; w = MS / J / se^2 is the readers' share of it. The critical value c(w) is such that
    |mean - truth| <= c(w) se has the probability 95 % whatever the true share (Welch 1947, Biometrika 34:28; for
    three readers, where no exact solution is smooth, within .05 %). The limits are those of the logit of the mean,
    +- c se / (mean (1 - mean)). `df` are the degrees of freedom of the t whose 95 % quantile c is; p lies between the
    levels of the table that have the critical values next to the statistic, beyond them it is by the next one's t.

    Returned as it came where there is no standard error, at a figure of 0 or 1, and for a number of readers that the
    table lacks (fewer than 3, more than 10); `method` then says what it is. Raises ValueError unless `null` is between
    0 and 1.

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
    """The level whose critical value |t| is."""
    if critical[0] < t < critical[-1]:
        return math.exp(float(np.interp(t, critical, np.log(LEVELS))))
    end = 0 if t <= critical[0] else -1
    df = _matching(LEVELS[end], critical[end])
    return distributions.normal_p(t) if df is None else distributions.t_p(t, df)


def _matching(level: float, critical: float) -> float | None:
    """The degrees of freedom of the t with this critical value; None for the normal's."""
    from scipy.special import stdtridf

    if critical <= distributions.normal_quantile(1 - level) + 1e-3:
        return None
    return float(stdtridf(1 - level / 2, critical))


def leading(found: Estimate, null: float = 0.5) -> Estimate:
    """`welch` where it leads in the report (three to five readers), `found` itself elsewhere.

    >>> from analysis.statistics.mrmc import obuchowski_rockette
    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> leading(obuchowski_rockette(scores[:2], [0, 0, 0, 0, 1, 1, 1, 1])).method.split(" (")[0]
    'Obuchowski-Rockette'
    """
    return welch(found, null) if len(found.extra.get("per_reader", ())) in LEADS else found


def standing(readers: int, cases: int) -> str:
    """Which interval of the mean figure leads, and whether any holds: "hillis", "welch" or "none".

    Measured with 3 to 6 readers and 20 to 200 cases: `docs/explanation/benchmarks-statistics.md`.

    >>> standing(6, 200), standing(3, 40), standing(2, 400), standing(4, 10)
    ('hillis', 'welch', 'none', 'none')
    """
    if readers < LEADS.start or cases < FEWEST_CASES:
        return "none"
    return "welch" if readers in LEADS else "hillis"


def difference(found: Estimate, freedom: int) -> Estimate:
    """The interval and p of a difference of few readers' figures, from its Obuchowski-Rockette estimate.

    `found`: two modalities of the same readers (`mrmc.obuchowski_rockette`, `freedom` = readers - 1), two groups of
    readers (`mrmc.compare_groups`, `crossover.contrast`, `freedom` = readers - groups), or any figure that may be
    negative (`mrmc.of_figures`), readers and cases random. Its degrees of freedom are freedom / w^2, w being the share
    of the readers in the variance, so that Welch's critical value c(w) is that of `welch`; the limits are
    +- c se, not on logits, so that they may lie beyond what the difference can be. p against 0.

    Returned as it came where there is no standard error, and for a `freedom` that the table lacks (1; 10 and more).

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
    """`difference` where it leads in the report (`freedom` + 1 is three to five), `found` itself elsewhere.

    Arguments as for `difference`.

    >>> from analysis.statistics.mrmc import obuchowski_rockette
    >>> first = [[1, 2, 2, 1, 4, 4, 5, 5], [1, 3, 2, 2, 4, 3, 4, 5], [1, 1, 2, 2, 4, 3, 5, 5]]
    >>> second = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> found = obuchowski_rockette([first, second], [0, 0, 0, 0, 1, 1, 1, 1])
    >>> leading_difference(found, 1) == found, leading_difference(found, 2) == difference(found, 2)
    (True, True)
    """
    return difference(found, freedom) if freedom + 1 in LEADS else found
