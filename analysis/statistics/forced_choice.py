"""Finding the one among several (m-alternative forced choice): were readers right more often than by chance?

Which question: does the reader who must choose one of m images find it more often than one time in m? Every answer
counts alike; that answers of one reader, or to one set of images, may go together is the business of a model.
"""

from __future__ import annotations

from typing import Any

from analysis.statistics import detection, proportions
from analysis.statistics.arrays import as_floats
from analysis.statistics.estimate import Estimate, undefined


def proportion(correct: Any, alternatives: int) -> Estimate:
    """The share of choices that were right, against chance 1 / `alternatives`.

    `correct`: 0 or 1 for each trial, in any shape (trials, or readers x trials); NaN = not answered. The interval is
    Wilson's; `p` (also `p_exact`) is the exact binomial test (scipy's binomtest, two-sided), `chi_square` and
    `p_chisquare` Pearson's test of right and wrong against chance (scipy's chisquare, no continuity correction), and
    `dprime` the d' of `detection.mafc_dprime` with its interval. Raises ValueError for fewer than two alternatives or
    an entry other than 0, 1 and NaN.

    >>> found = proportion([1] * 116 + [0] * 284, 4)     # cervical-spine quartets, arXiv 2510.22166
    >>> round(found.value, 2), round(found.chi_square, 3), round(found.p_chisquare, 4)
    (0.29, 3.413, 0.0647)
    """
    import numpy as np
    from scipy.stats import binomtest, chisquare

    if alternatives < 2 or alternatives != int(alternatives):
        raise ValueError(f"alternatives: expected a whole number from 2, got {alternatives}")
    entries = as_floats(np.ravel(correct), "correct")
    entries = entries[~np.isnan(entries)]
    if strange := [entry for entry in entries if entry not in (0, 1)]:
        raise ValueError(f"correct: expected 0, 1 or NaN, got {strange[0]:g}")
    n, k, chance = len(entries), int(entries.sum()), 1 / alternatives
    method = f"share of right choices among {alternatives}, Wilson 95% interval, exact binomial test"
    if not n:
        return undefined(proportions.NOTHING_COUNTED, method, k=0, n=0, chance=chance)
    share = proportions.interval(k, n)
    exact = float(binomtest(k, n, chance).pvalue)
    pearson = chisquare([k, n - k], [n * chance, n * (1 - chance)])
    extra = {
        "k": k,
        "n": n,
        "chance": chance,
        "p_exact": exact,
        "chi_square": float(pearson.statistic),
        "p_chisquare": float(pearson.pvalue),
        "dprime": detection.mafc_dprime(k / n, int(alternatives), trials=n),
    }
    return Estimate(share.value, share.se, share.ci, exact, method, extra=extra)
