"""Proportions and mean scores of one reader: intervals, tests against chance, equivalence.

Question: how often is this reader right on cases of this kind? Nothing here generalises to other readers
(`analysis.statistics.mrmc` does).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import distributions
from analysis.statistics.arrays import as_floats, one_of
from analysis.statistics.estimate import Estimate, undefined

NOTHING_COUNTED = "there are no answers to count"


def interval(k: float, n: float, method: str = "wilson", level: float = 0.95) -> Estimate:
    """The proportion k / n with a confidence interval.

    `method` is "wilson" (the score interval, E. B. Wilson 1927, JASA 22:209; the p at which
    |k/n - p| = z sqrt(p (1 - p) / n)) or "exact" (Clopper and Pearson 1934, Biometrika 26:404; beta quantiles,
    never below the nominal coverage), both by statsmodels. `se` is the Wald standard error. Raises ValueError unless
    0 <= k <= n; undefined when n = 0.

    >>> estimate = interval(81, 263)                      # Newcombe 1998, Stat Med 17:857, table I
    >>> [round(limit, 4) for limit in estimate.ci]
    [0.2553, 0.3662]
    >>> [round(limit, 4) for limit in interval(81, 263, "exact").ci]
    [0.2527, 0.3676]
    """
    from statsmodels.stats.proportion import proportion_confint

    one_of(method, ("wilson", "exact"), "method")
    _check_counts(k, n)
    name = f"{'Wilson' if method == 'wilson' else 'Clopper-Pearson'} {level:.0%} interval"
    if n == 0:
        return undefined(NOTHING_COUNTED, name, n=0)
    share = k / n
    low, high = proportion_confint(k, n, 1 - level, "wilson" if method == "wilson" else "beta")
    # At 0 and 1 a limit is exactly on the edge; rounding would move Wilson's slightly away.
    ci = 0.0 if k == 0 else float(low), 1.0 if k == n else float(high)
    return Estimate(share, se=math.sqrt(share * (1 - share) / n), ci=ci, method=name, extra={"k": k, "n": n})


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """The Wilson limits of a proportion `share` of `n` (any positive number), `z` standard errors wide.

    For effective sample sizes with t quantiles; for the normal quantile use `interval`.

    >>> [round(limit, 4) for limit in wilson(0.5, 100, 1.96)]
    [0.4038, 0.5962]
    """
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 and 1 a limit is exactly on the edge; rounding must not push it over.
    low = 0.0 if share <= 0 else max(0.0, (centre - half) / scale)
    return low, 1.0 if share >= 1 else min(1.0, (centre + half) / scale)


def against_chance(k: int, n: int, chance: float = 0.5) -> Estimate:
    """Exact two-sided binomial test of k successes in n against `chance`, with the Clopper-Pearson interval.

    p is the total probability of all counts no more likely than k (scipy's binomtest, R's binom.test).

    >>> round(against_chance(104, 200).p, 6)              # R: binom.test(104, 200)$p.value
    0.620729
    """
    from scipy.stats import binomtest

    _check_chance(chance)
    estimate = interval(k, n, "exact")
    if estimate.value is None:
        return estimate
    p = float(binomtest(int(k), int(n), chance).pvalue)
    method = f"exact binomial test against {chance:g}, {estimate.method}"
    return replace(estimate, p=p, method=method, extra=estimate.extra | {"chance": chance})


def mean_score(scores: ArrayLike, level: float = 0.95, chance: float = 0.5) -> Estimate:
    """Mean of scores between 0 and 1 (fractional credit) with an interval that stays between 0 and 1.

    Scores of .25 or .75 vary less than 0 and 1, so binomial intervals are too wide for fractional
    credit, and a plain t interval may leave [0, 1]. This is Wilson's interval at the effective sample size
    m (1 - m) / (s^2 / n), with the t quantile for n - 1 degrees of freedom (Korn and Graubard 1998, Survey
    Methodology 24:193; Dean and Pagano 2015, J Surv Stat Methodol 3:484). If all scores are equal, s = 0 and n
    itself is used, which gives the widest interval possible for scores between 0 and 1. p is the t test of the mean
    against `chance`, or the sign test if s = 0. NaN scores are left out and counted. Raises ValueError for a score
    outside 0 to 1.

    >>> estimate = mean_score([1, 0.75, 0.5, 0.75, 0, 1, 0.25, 1])
    >>> round(estimate.value, 4), [round(limit, 3) for limit in estimate.ci]
    (0.6562, [0.342, 0.875])
    """
    from scipy.stats import binomtest

    array = as_floats(scores, "scores")
    counted = array[~np.isnan(array)]
    if ((counted < 0) | (counted > 1)).any():
        raise ValueError("scores: expected numbers from 0 to 1")
    name = f"mean with Wilson-type {level:.0%} interval at the effective sample size, t test against {chance:g}"
    extra = {"n": int(counted.size), "left_out": int(array.size - counted.size)}
    if not counted.size:
        return undefined(NOTHING_COUNTED, name, **extra)
    n, mean = counted.size, float(counted.mean())
    spread = float(counted.std(ddof=1)) if n > 1 else 0.0
    if spread < 1e-12:
        above, below = int((counted > chance).sum()), int((counted < chance).sum())
        return Estimate(
            mean,
            ci=interval(min(mean * n, n), n, level=level).ci,
            p=float(binomtest(above, above + below).pvalue) if above + below else 1.0,
            method=f"mean of equal scores with Wilson {level:.0%} interval, sign test against {chance:g}",
            extra=extra,
        )
    se = spread / math.sqrt(n)
    ci = wilson(mean, mean * (1 - mean) / se**2, distributions.t_quantile(level, n - 1))
    return Estimate(mean, se, ci, distributions.t_p((mean - chance) / se, n - 1), name, df=n - 1, extra=extra)


def equivalence(k: int, n: int, chance: float, margin: float) -> Estimate:
    """Two one-sided tests (TOST) that a proportion lies within `margin` of `chance`.

    p is exact: the larger of P(K >= k | chance - margin) and P(K <= k | chance + margin). `normal_p` is the Wald form,
    z = (k/n - chance +- margin) / sqrt(k/n (1 - k/n) / n); `score_p` uses the variance at the limits; all three come
    from statsmodels. `ci` is the 90 % Clopper-Pearson interval, which lies inside the margin if p < .05 (Schuirmann
    1987, J Pharmacokinet Biopharm 15:657). Raises ValueError unless 0 < chance - margin and chance + margin < 1.

    A non-significant two-sided test is not evidence of equality:

    >>> result = equivalence(100, 200, chance=0.5, margin=0.05)
    >>> round(against_chance(100, 200).p, 3), round(result.p, 4)
    (1.0, 0.0887)
    """
    from statsmodels.stats.proportion import binom_tost, proportions_ztost

    _check_counts(k, n)
    low, high = chance - margin, chance + margin
    if margin <= 0 or low <= 0 or high >= 1:
        raise ValueError(f"margin: expected chance - margin > 0 and chance + margin < 1, got {chance:g} and {margin:g}")
    name = f"exact TOST of {low:g} to {high:g}, Clopper-Pearson 90% interval"
    extra: dict[str, object] = {"k": k, "n": n, "chance": chance, "margin": margin}
    if n == 0:
        return undefined(NOTHING_COUNTED, name, **extra)
    share = k / n
    p, p_low, p_high = (float(each) for each in binom_tost(int(k), int(n), low, high))
    extra |= {"p_low": p_low, "p_high": p_high}
    kinds = {"score": "limits", "normal": "sample"} if 0 < k < n else {"score": "limits"}
    for kind, variance in kinds.items():
        kind_p, (z_low, _), (z_high, _) = proportions_ztost(k, n, low, high, variance)
        extra |= {f"{kind}_z": [float(z_low), float(z_high)], f"{kind}_p": float(kind_p)}
    if "normal" not in kinds:
        extra |= {"normal_p": None, "normal_reason": "the observed proportion is 0 or 1, so its Wald variance is 0"}
    se = math.sqrt(share * (1 - share) / n)
    return Estimate(share, se, interval(k, n, "exact", 0.90).ci, p, name, extra=extra)


def mean_equivalence(scores: ArrayLike, target: float, margin: float) -> Estimate:
    """TOST that the mean of `scores` (fractional credits, or one accuracy per reader) lies within `margin` of `target`.

    Two one-sided t tests with n - 1 degrees of freedom, by statsmodels (Schuirmann 1987; Lakens 2017, Soc Psychol
    Personal Sci 8:355); `ci` is the 90 % t interval of mean - target. NaN scores are left out and counted. Undefined
    with fewer than two scores, or when all are equal.

    >>> result = mean_equivalence([0.52, 0.47, 0.55, 0.50, 0.46, 0.53], target=0.5, margin=0.1)
    >>> round(result.value, 3), round(result.p, 5)
    (0.005, 0.00059)
    """
    from statsmodels.stats.weightstats import DescrStatsW

    if margin <= 0:
        raise ValueError(f"margin: expected a number above 0, got {margin:g}")
    array = as_floats(scores, "scores")
    counted = array[~np.isnan(array)]
    name = f"TOST by two one-sided t tests of {target - margin:g} to {target + margin:g}, t 90% interval"
    extra: dict[str, object] = {"n": int(counted.size), "left_out": int(array.size - counted.size), "margin": margin}
    if counted.size < 2:
        return undefined("at least two scores are needed", name, **extra)
    sample = DescrStatsW(counted - target)
    difference, se, df = float(sample.mean), float(sample.std_mean), counted.size - 1
    if se < 1e-12:
        return Estimate(difference, method=name, reason="all scores are equal, so the t test is undefined", extra=extra)
    p, (t_low, p_low, _), (t_high, p_high, _) = sample.ttost_mean(-margin, margin)
    extra |= {"t_low": float(t_low), "p_low": float(p_low), "t_high": float(t_high), "p_high": float(p_high)}
    low, high = sample.tconfint_mean(0.10)
    return Estimate(difference, se, (float(low), float(high)), float(p), name, df=df, extra=extra)


def odds_ratio(table: ArrayLike) -> Estimate:
    """Fisher's exact test of a 2 x 2 table of counts, with the conditional odds ratio and its exact interval.

    Same as R's fisher.test (Fisher 1935, J R Stat Soc 98:39; Cornfield 1956). If a cell is 0, the ratio is 0 or
    infinite: `value` is then 0 or None, p is still given, and an interval with an infinite limit is left out. Undefined
    if a row or a column is empty. Raises ValueError unless the table has four counts.

    >>> estimate = odds_ratio([[3, 1], [1, 3]])           # Fisher's lady tasting tea
    >>> round(estimate.value, 3), [round(limit, 3) for limit in estimate.ci], round(estimate.p, 4)
    (6.408, [0.212, 626.244], 0.4857)
    """
    counts = as_floats(table, "table", ndim=2)
    if counts.shape != (2, 2) or (counts < 0).any() or (counts != np.round(counts)).any():
        raise ValueError(f"table: expected 2 x 2 counts, got {counts.tolist()}")
    whole = counts.astype(int)
    name = "Fisher's exact test, conditional odds ratio with exact 95% interval"
    extra = {"table": whole.tolist()}
    if not (whole.sum(axis=0).all() and whole.sum(axis=1).all()):
        return undefined("a row or a column of the table is empty", name, **extra)
    p, value, ci = _fisher(whole)
    if math.isinf(value):
        return Estimate(
            None, p=p, method=name, reason="a cell of the table is 0, so the ratio is infinite", extra=extra
        )
    return Estimate(value, ci=None if math.isinf(ci[1]) else ci, p=p, method=name, extra=extra)


def _fisher(table: NDArray[np.int_]) -> tuple[float, float, tuple[float, float]]:
    """Two-sided p, conditional maximum-likelihood odds ratio and exact 95 % limits, all margins fixed.

    Same results as scipy.stats, which takes a minute for tables of 100,000; here the log weights of the first cell's
    noncentral hypergeometric distribution are computed only once.
    """
    from scipy.optimize import brentq
    from scipy.special import gammaln

    (k, b), (c, d) = (int(x) for x in table[0]), (int(x) for x in table[1])
    cell = np.arange(max(0, k - d), k + min(b, c) + 1)
    others = (cell, k + b - cell, k + c - cell, d - k + cell)
    log_weights = -sum(gammaln(count + 1.0) for count in others)

    def masses(log_ratio: float) -> NDArray[np.float64]:
        logs = log_weights + cell * log_ratio
        weights = np.exp(logs - logs.max())
        return weights / weights.sum()

    def solved(excess: Callable[[NDArray[np.float64]], float]) -> float:
        return math.exp(brentq(lambda log_ratio: excess(masses(log_ratio)), -80, 80, xtol=1e-12))

    null = masses(0.0)
    p = float(min(1.0, null[null <= null[cell == k] * (1 + 1e-7)].sum()))
    smallest, largest = k == cell[0], k == cell[-1]
    low = 0.0 if smallest else solved(lambda mass: float(mass[cell >= k].sum()) - 0.025)
    high = math.inf if largest else solved(lambda mass: 0.025 - float(mass[cell <= k].sum()))
    value = 0.0 if smallest else math.inf if largest else solved(lambda mass: float(mass @ cell) - k)
    return p, value, (low, high)


def _check_counts(k: float, n: float) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"expected 0 <= k <= n, got k = {k:g} of n = {n:g}")


def _check_chance(chance: float) -> None:
    if not 0 < chance < 1:
        raise ValueError(f"chance: expected a number between 0 and 1, got {chance:g}")
