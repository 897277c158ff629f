"""m-alternative forced choice: did readers find the right image among several more often than by chance?

Question: does a reader who must choose one of m images find the right one more often than once in m trials? All answers
have the same weight; that answers by one reader, or to one set of images, are correlated is left to a model. Further
questions: are choices spread evenly over places, or over sources?
"""

from __future__ import annotations

from typing import Any

from analysis.statistics import detection, proportions
from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined


def proportion(correct: Any, alternatives: int) -> Estimate:
    """The share of correct choices, against chance 1 / `alternatives`.

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
        raise ValueError(f"alternatives: expected a whole number of 2 or more, got {alternatives}")
    entries = as_floats(np.ravel(correct), "correct")
    entries = entries[~np.isnan(entries)]
    if strange := [entry for entry in entries if entry not in (0, 1)]:
        raise ValueError(f"correct: expected 0, 1 or NaN, got {strange[0]:g}")
    n, k, chance = len(entries), int(entries.sum()), 1 / alternatives
    method = f"share of correct choices among {alternatives}, Wilson 95% interval, exact binomial test"
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


def even(counts: Any, shown: Any = None) -> Estimate:
    """Pearson's test that all alternatives are chosen equally often, or in proportion to `shown` (scipy's chisquare).

    `counts`: choices of each of two or more alternatives; `shown`: how often each could be chosen. `value` is the
    chi-square; its distribution is reliable if `smallest_expected` is 5 or more. Undefined without choices, or with one
    alternative. Raises ValueError for negative counts or unequal lengths.

    >>> found = even([31, 24, 22, 23])
    >>> round(found.value, 2), found.df, round(found.p, 3)
    (2.0, 3, 0.572)
    """
    import numpy as np
    from scipy.stats import chisquare

    chosen = as_floats(counts, "counts")
    offered = np.ones(chosen.size) if shown is None else as_floats(shown, "shown")
    if offered.size != chosen.size or (chosen < 0).any() or (offered < 0).any():
        raise ValueError("counts, shown: expected equally many numbers, each 0 or more")
    method = "chi-square test of equal shares"
    kept = offered > 0
    chosen, offered = chosen[kept], offered[kept]
    if chosen.size < 2 or chosen.sum() == 0:
        return undefined("it needs at least one choice and two alternatives", method)
    expected = chosen.sum() * offered / offered.sum()
    found = chisquare(chosen, expected)
    extra = {"smallest_expected": float(expected.min())}
    return Estimate(float(found.statistic), p=float(found.pvalue), method=method, df=chosen.size - 1, extra=extra)


def within(counts: Any, names: Any, replicates: int = 10_000, seed: int = 0) -> Estimate:
    """Are all `names` chosen equally often, when several readers chose among the same images?

    `counts`: sets x images, how many readers chose each image; `names`: the same shape, a name for each image, e.g.
    its source. Images keep their choices, and the names are permuted among the images of each set (Fisher 1935), so
    an image that many readers chose still counts as one image. `value` is the sum over the names of (chosen -
    expected)^2 / expected, expected over the permutations; p is the share of `replicates` draws with `seed` that reach
    it, counting the observed value as one more draw (Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39). Undefined
    without choices, or if no set has two names. Raises ValueError for unequal shapes, negative counts or no draws.

    >>> found = within([[4, 1], [3, 0], [5, 1], [2, 2], [4, 0], [6, 1]], [["A", "B"]] * 6)
    >>> round(found.value, 2), 0.05 < found.p < 0.08        # 4 of the 64 permutations are as extreme
    (12.45, True)
    """
    import numpy as np

    from analysis.statistics.reader_tests import tail

    chosen, kinds = as_floats(counts, "counts", ndim=2), np.asarray(names)
    if chosen.shape != kinds.shape or not (chosen >= 0).all() or replicates < 1:
        raise ValueError(
            "counts, names: expected two tables of the same shape, counts of 0 or more, and at least one draw"
        )
    method = f"permutation of names within sets, {replicates} draws"
    mixed = (chosen.sum(axis=1) > 0) & (kinds != kinds[:, :1]).any(axis=1)
    if not mixed.any():
        return undefined("it needs at least one choice, and a set with two names", method)
    chosen, kinds = chosen[mixed], kinds[mixed]
    of = (kinds[:, :, None] == np.unique(kinds)).astype(float)  # sets x images x names
    expected = (chosen.mean(axis=1, keepdims=True) * of.sum(axis=1)).sum(axis=0)

    def away(shuffled: Floats) -> Floats:
        return ((np.tensordot(shuffled, of, 2) - expected) ** 2 / expected).sum(axis=-1)

    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = np.array([away(rng.permuted(chosen, axis=1)) for _ in range(replicates)])
    observed = float(away(chosen))
    p, smallest = tail(drawn, observed, drawn=True)
    extra = {"smallest_p": smallest, "replicates": replicates, "seed": seed}
    return Estimate(observed, p=p, method=method, extra=extra)


def association(table: Any) -> Estimate:
    """Are the rows of a table of counts distributed alike over its columns? Cramer's V with Pearson's chi-square.

    `table`: rows x columns, e.g. readers x sources chosen as real; empty rows and columns are dropped. `value` is
    Cramer's V (0 none, 1 complete), `chi_square` and `p` the test without continuity correction; both are scipy's.
    Undefined if fewer than two rows or columns are left. Raises ValueError for negative counts.

    >>> found = association([[12, 5, 3], [4, 9, 7], [6, 6, 8]])
    >>> round(found.value, 3), round(found.chi_square, 2), found.df, round(found.p, 3)
    (0.264, 8.36, 4, 0.079)
    """
    from scipy.stats import chi2_contingency
    from scipy.stats.contingency import association as strength

    counts = as_floats(table, "table", ndim=2)
    if (counts < 0).any():
        raise ValueError("table: expected counts of 0 or more")
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    method = "chi-square test of independence, Cramer's V"
    if min(counts.shape) < 2:
        return undefined("fewer than two rows or columns have a count", method)
    whole = counts.astype(int)
    found = chi2_contingency(whole, correction=False)
    extra = {"chi_square": float(found.statistic), "smallest_expected": float(found.expected_freq.min())}
    v = float(strength(whole, method="cramer"))
    return Estimate(v, p=float(found.pvalue), method=method, df=int(found.dof), extra=extra)
