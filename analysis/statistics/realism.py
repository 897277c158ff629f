"""Ratings of realism: do readers agree on the scale, and do sources differ?

Questions: intra-class correlation asks how much of the spread of ratings is between images rather than between readers;
Friedman's test asks whether any source is rated higher than the others; the ordinal model asks by how much, with
readers and images random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.statistics import mixed
from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined


def icc(ratings: Any) -> dict[str, Estimate]:
    """The six intra-class correlations of a table of ratings, with F tests of 0 and 95 % intervals.

    `ratings`: subjects x readers, at least two of each; subjects not rated by every reader are dropped. Keys after
    McGraw and Wong 1996 (Psychol Methods 1:30): 1 = readers differ between subjects, A = agreement, C = consistency; k
    = for the mean of all readers. Values and intervals as in Shrout and Fleiss 1979 (Psychol Bull 86:420). Undefined
    with fewer than two subjects, or if all ratings are equal. Raises ValueError for a wrong shape.

    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> {name: round(found.value, 2) for name, found in icc(table).items()}
    {'ICC(1,1)': 0.17, 'ICC(A,1)': 0.29, 'ICC(C,1)': 0.71, 'ICC(1,k)': 0.44, 'ICC(A,k)': 0.62, 'ICC(C,k)': 0.91}
    """
    import numpy as np

    table = _table(ratings)
    names = [f"ICC({kind},{of})" for of in ("1", "k") for kind in ("1", "A", "C")]
    n, k = table.shape
    method = "intra-class correlation, analysis of variance, 95% interval"
    if n < 2:
        return {name: undefined("fewer than two subjects were rated by every reader", method) for name in names}
    grand = table.mean()
    between = k * ((table.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    judges = n * ((table.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    within = ((table - table.mean(axis=1, keepdims=True)) ** 2).sum() / (n * (k - 1))
    error = (within * n * (k - 1) - judges * (k - 1)) / ((n - 1) * (k - 1))
    if between + within == 0 or (error <= 0 and within == 0):
        return {name: undefined("the ratings of each subject are all equal", method) for name in names}
    found = {
        "ICC(1,1)": _one_way(between, within, n, k),
        "ICC(A,1)": _agreement(between, judges, error, n, k),
        "ICC(C,1)": _consistency(between, error, n, k),
    }
    for kind in ("1", "A", "C"):
        single = found[f"ICC({kind},1)"]
        found[f"ICC({kind},k)"] = _of_mean(single, k)
    return {
        name: Estimate(value, ci=ci, p=p, method=method, df=df, extra={"F": f, "subjects": n, "readers": k})
        if np.isfinite(value)
        else undefined(
            "the mean over readers has no reliability, because readers disagree more than images differ", method
        )
        for name, (value, ci, f, df, p) in found.items()
    }


def friedman(ratings: Any) -> Estimate:
    """Friedman's test that all columns are rated equally (scipy's friedmanchisquare, corrected for ties).

    `ratings`: blocks (readers, or quartets) x sources, at least two blocks and three sources; incomplete blocks are
    dropped. `value` is Kendall's W, the statistic over blocks (sources - 1); `statistic` the chi-square.

    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = friedman(table)
    >>> round(found.value, 3), round(found.statistic, 2), round(found.p, 4)
    (0.867, 15.61, 0.0014)
    """
    import numpy as np
    from scipy.stats import friedmanchisquare

    table = _table(ratings)
    blocks, sources = table.shape
    method = "Friedman's test, Kendall's W"
    if blocks < 2 or sources < 3:
        return undefined("it needs two blocks and three sources", method, blocks=blocks)
    if (table == table[:, :1]).all():
        return undefined("every block rates all sources equally", method, blocks=blocks)
    found = friedmanchisquare(*np.asarray(table).T)
    extra = {"statistic": float(found.statistic), "blocks": blocks}
    w = float(found.statistic) / (blocks * (sources - 1))
    return Estimate(w, p=float(found.pvalue), method=method, df=sources - 1, extra=extra)


def sequential(ratings: Any, fixed: Mapping[str, Any], random: Mapping[str, Any]) -> mixed.MixedModel:
    """An ordinal mixed model: the odds that a rating exceeds a level once it has reached it.

    `ratings`: one whole number per row, NaN = not rated; `fixed`, `random`: columns as for `mixed.logistic`. It is the
    sequential (continuation-ratio) logit, log P(Y > k) / P(Y = k) = threshold k + x b + random effects (Tutz 1991,
    Comput Stat Data Anal 11:275), fitted exactly as a logistic mixed model with one row for each level a rating has
    reached, by `mixed.logistic`. `fixed` of the result has `intercept` (the lowest threshold), `beyond[k]` (the others'
    distance from it) and a log odds for each covariate, the same at all levels. `n` counts such rows. There is
    no fit, but a reason, if all ratings are equal. Raises ValueError for numbers that are not whole.

    >>> ratings = [3, 4, 2, 4, 3, 4, 4, 4, 1, 3, 2, 4, 3, 4, 3, 3, 2, 4, 1, 2, 3, 4, 2, 4]
    >>> found = sequential(ratings, {"real": [0, 1] * 12}, {"reader": ["a"] * 8 + ["b"] * 8 + ["c"] * 8})
    >>> round(found.fixed["real"].odds_ratio, 1), found.n
    (17.8, 63)
    """
    import numpy as np

    given = as_floats(ratings, "ratings")
    known = given[~np.isnan(given)]
    if (known % 1).any():
        raise ValueError("ratings: expected whole numbers")
    levels = np.unique(known)
    # One row (rating, level) for each level that a rating has reached.
    taken, step = np.nonzero(given[:, None] >= levels[:-1])
    columns: dict[str, Any] = {f"beyond[{level:g}]": step == k for k, level in enumerate(levels[:-1]) if k}
    columns |= {name: np.asarray(values)[taken] for name, values in fixed.items()}
    labels = {name: np.asarray(values, object)[taken] for name, values in random.items()}
    return mixed.logistic((given[taken] > levels[step]).astype(float), columns, labels)


def _table(ratings: Any) -> Floats:
    import numpy as np

    table = as_floats(ratings, "ratings", 2)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"ratings: expected a table with two or more columns, got the shape {table.shape}")
    return table[~np.isnan(table).any(axis=1)]


Found = tuple[float, tuple[float, float], float, float, float]


def _one_way(between: float, within: float, n: int, k: int) -> Found:
    from scipy.special import fdtrc, fdtri

    value, df = (between - within) / (between + (k - 1) * within), n * (k - 1)
    f = between / within
    low, high = f / fdtri(n - 1, df, 0.975), f * fdtri(df, n - 1, 0.975)
    ci = (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)
    return float(value), (float(ci[0]), float(ci[1])), float(f), df, float(fdtrc(n - 1, df, f))


def _consistency(between: float, error: float, n: int, k: int) -> Found:
    import numpy as np
    from scipy.special import fdtrc, fdtri

    value, df = (between - error) / (between + (k - 1) * error), (n - 1) * (k - 1)
    f = between / error if error > 0 else np.inf
    low, high = f / fdtri(n - 1, df, 0.975), f * fdtri(df, n - 1, 0.975)
    ci = ((low - 1) / (low + k - 1), (high - 1) / (high + k - 1)) if np.isfinite(f) else (1.0, 1.0)
    return float(value), (float(ci[0]), float(ci[1])), float(f), df, float(fdtrc(n - 1, df, f))


def _agreement(between: float, judges: float, error: float, n: int, k: int) -> Found:
    import numpy as np
    from scipy.special import fdtrc, fdtri

    value = (between - error) / (between + (k - 1) * error + k * (judges - error) / n)
    df = (n - 1) * (k - 1)
    f = between / error if error > 0 else np.inf
    # Satterthwaite's degrees of freedom of the denominator, Shrout and Fleiss 1979, p. 424.
    fj = judges / error if error > 0 else np.inf
    if np.isfinite(fj):
        top = (k - 1) * (n - 1) * (k * value * fj + n * (1 + (k - 1) * value) - k * value) ** 2
        under = (n - 1) * k**2 * value**2 * fj**2 + (n * (1 + (k - 1) * value) - k * value) ** 2
        v = top / under
        up, down = fdtri(n - 1, v, 0.975), fdtri(v, n - 1, 0.975)
        rest = k * judges + (k * n - k - n) * error
        ci = (
            n * (between - up * error) / (up * rest + n * between),
            n * (down * between - error) / (rest + n * down * between),
        )
    else:
        ci = (1.0, 1.0)
    return float(value), (float(ci[0]), float(ci[1])), float(f), df, float(fdtrc(n - 1, df, f))


def _of_mean(single: Found, k: int) -> Found:
    """Convert value and limits to those of the mean of k readers by the Spearman-Brown formula."""
    value, ci, f, df, p = single

    def up(one: float) -> float:
        return k * one / (1 + (k - 1) * one)

    return up(value), (up(ci[0]), up(ci[1])), f, df, p
