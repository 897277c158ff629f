"""Agreement by recoded levels, pairs of readers, class, group, certainty, and on repeated cases.

`ratings` are levels 1 (surely real) ... 5 (surely synthetic), cases x readers, NaN = missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics.agreement import cohen_kappa, fleiss_kappa
from analysis.statistics.arrays import Floats, as_levels, as_truth
from analysis.statistics.estimate import Estimate, undefined

# Takes ratings and all possible categories: AC1 also counts those that nobody chose.
Coefficient = Callable[[ArrayLike, Sequence[float]], Estimate]
LEVELS = (1, 2, 3, 4, 5)

# What each of the levels 1 ... 5 becomes.
SCHEMES: dict[str, tuple[int, int, int, int, int]] = {
    "five_level": (1, 2, 3, 4, 5),
    "three_level": (1, 1, 2, 3, 3),  # real, unsure, synthetic
    "unsure_as_real": (1, 1, 1, 2, 2),
    "unsure_as_synthetic": (1, 1, 2, 2, 2),
    "certainty": (3, 2, 1, 2, 3),  # unsure, partial, full: how certain, whatever the answer
}


def recode(ratings: ArrayLike, scheme: str) -> Floats:
    """Recode levels by one of `SCHEMES`, keeping shape and missing values. Raises ValueError for an unknown scheme.

    >>> recode([[1, 2, 3, 4, 5]], "unsure_as_synthetic").tolist()
    [[1.0, 1.0, 2.0, 2.0, 2.0]]
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme: expected one of {', '.join(SCHEMES)}, got {scheme!r}")
    levels = as_levels(ratings, "ratings", ndim=np.ndim(ratings))
    codes = np.array([math.nan, *SCHEMES[scheme]])
    return codes[np.nan_to_num(levels).astype(int)]


def by_scheme(ratings: ArrayLike, coefficient: Coefficient = fleiss_kappa) -> dict[str, Estimate]:
    """The coefficient under each recoding of `SCHEMES`; like accuracy, it depends on the rule for unsure answers.

    >>> found = by_scheme([[1, 2], [3, 4], [5, 5], [2, 1], [4, 3], [1, 1]])
    >>> round(found["five_level"].value, 3), found["unsure_as_synthetic"].value
    (0.143, 1.0)
    """
    return {scheme: coefficient(recode(ratings, scheme), sorted(set(codes))) for scheme, codes in SCHEMES.items()}


def by_class(ratings: ArrayLike, truth: ArrayLike, coefficient: Coefficient = fleiss_kappa) -> dict[str, Estimate]:
    """The coefficient among real and among synthetic cases.

    Within a class, one answer dominates if readers are good, and kappa falls: see `paradox` in its `extra`.

    >>> found = by_class([[1, 1], [1, 2], [2, 2], [5, 5], [4, 5]], [0, 0, 0, 1, 1])
    >>> round(found["real"].value, 3)
    0.333
    """
    levels = as_levels(ratings, "ratings", ndim=2)
    synthetic = as_truth(truth, len(levels))
    return {"real": coefficient(levels[~synthetic], LEVELS), "synthetic": coefficient(levels[synthetic], LEVELS)}


def by_group(ratings: ArrayLike, groups: Sequence[str], coefficient: Coefficient = fleiss_kappa) -> dict[str, Estimate]:
    """The coefficient within each group of readers; `groups` has one name per reader (column).

    >>> round(by_group([[1, 1, 5], [2, 2, 5], [1, 1, 1]], ["EC", "EC", "EP"])["EC"].value, 3)
    1.0
    """
    levels = as_levels(ratings, "ratings", ndim=2)
    if len(groups) != levels.shape[1]:
        raise ValueError(f"groups: expected one name for each of the {levels.shape[1]} readers, got {len(groups)}")
    names = np.array([str(group) for group in groups])
    return {str(name): coefficient(levels[:, names == name], LEVELS) for name in np.unique(names)}


def by_certainty(ratings: ArrayLike, coefficient: Coefficient = fleiss_kappa) -> dict[str, Estimate]:
    """The coefficient of the decision (real or synthetic) among readings with full and with partial certainty.

    Readings with the other certainty are treated and counted as missing.

    >>> found = by_certainty([[1, 1, 2], [5, 5, 4], [1, 5, 2], [2, 4, 3]])
    >>> round(found["full"].value, 3), found["full"].missing_readings
    (0.333, 6)
    """
    levels = as_levels(ratings, "ratings", ndim=2)
    full, partial = np.isin(levels, (1, 5)), np.isin(levels, (2, 4))
    decisions = recode(levels, "unsure_as_real")
    chosen = (("full", full), ("partial", partial))
    return {label: coefficient(np.where(kept, decisions, np.nan), (1, 2)) for label, kept in chosen}


class Pairs(NamedTuple):
    """Cohen's kappa of pairs of readers, each named by its two readers, and their mean (Light's kappa)."""

    pairs: dict[tuple[str, str], Estimate]
    mean: Estimate


def cohen_kappa_pairs(
    ratings: ArrayLike,
    readers: Sequence[str],
    weights: str | None = None,
    categories: Sequence[float] | None = None,
    most: int = 2000,
) -> Pairs:
    """Cohen's kappa of every pair of readers (Light 1971, Psychol Bull 76:365, for their mean).

    If there are more than `most` pairs (64 readers or more), `most` of them are used, evenly spread; `mean` gives both
    numbers. `mean` has no standard error, because pairs share readers and cases; `fleiss_kappa` has one.

    >>> found = cohen_kappa_pairs([[1, 1, 2], [2, 2, 2], [1, 1, 1], [2, 2, 1]], ["EC1", "EC2", "EP1"])
    >>> {" ".join(pair): kappa.value for pair, kappa in found.pairs.items()}, round(found.mean.value, 3)
    ({'EC1 EC2': 1.0, 'EC1 EP1': 0.0, 'EC2 EP1': 0.0}, 0.333)
    """
    levels = np.asarray(ratings, dtype=float)
    if levels.ndim != 2 or len(readers) != levels.shape[1]:
        raise ValueError(f"readers: expected one name for each column of ratings {levels.shape}, got {len(readers)}")
    total = len(readers) * (len(readers) - 1) // 2
    drawn = set(np.linspace(0, total - 1, most).astype(int)) if total > most else None
    pairs = {
        (readers[a], readers[b]): cohen_kappa(levels[:, a], levels[:, b], weights, categories)
        for place, (a, b) in enumerate(combinations(range(len(readers)), 2))
        if drawn is None or place in drawn
    }
    values = [kappa.value for kappa in pairs.values() if kappa.value is not None]
    name = f"mean Cohen's kappa over pairs of readers, {weights or 'no'} weights"
    extra = {"pairs": total, "computed": len(pairs), "undefined": len(pairs) - len(values)}
    if not values:
        return Pairs(pairs, undefined("no pair of readers has a kappa", name, **extra))
    return Pairs(pairs, Estimate(float(np.mean(values)), method=name, extra=extra))


def intra_reader(first: ArrayLike, second: ArrayLike) -> dict[str, Estimate]:
    """Intra-reader agreement on cases seen twice: share of equal levels, share of equal sides, and two kappas.

    `first`, `second`: levels of the same cases; pairs with a missing level are left out and counted. The sides are
    real, unsure and synthetic. `kappa` is for sides, `weighted_kappa` for levels, with quadratic weights.

    >>> found = intra_reader([1, 2, 4, 5, 5], [2, 2, 4, 5, 1])
    >>> found["same_level"].value, found["same_side"].value, round(found["weighted_kappa"].value, 3)
    (0.6, 0.8, 0.341)
    """
    from analysis.statistics.proportions import interval

    a, b = as_levels(first, "first"), as_levels(second, "second")
    if a.size != b.size:
        raise ValueError(f"second: expected {a.size} levels as in first, got {b.size}")
    sides = recode(a, "three_level"), recode(b, "three_level")
    both = ~(np.isnan(a) | np.isnan(b))
    return {
        "same_level": interval(int((a == b)[both].sum()), int(both.sum())),
        "same_side": interval(int((sides[0] == sides[1])[both].sum()), int(both.sum())),
        "kappa": cohen_kappa(*sides),
        "weighted_kappa": cohen_kappa(a, b, "quadratic", LEVELS),
    }
