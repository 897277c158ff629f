"""Results by case: which images fooled readers, how difficult each is, and how a detector scores them.

Levels are readers x cases, 1 (surely real) ... 5 (surely synthetic), 3 = unsure, NaN = not read; truth 1 = synthetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics import distributions, proportions
from analysis.statistics.arrays import Floats, as_floats, as_levels, as_truth
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.scoring import UNSURE

CATEGORIES = ("TP", "TN", "FP", "FN")


@dataclass(frozen=True)
class Case:
    """The readers' answers to one case.

    `majority` is the side (real, synthetic) chosen by more than half of the case's readers, `certainty` the certainty
    of more than half of those (full, partial), `category` follows from both and the truth (TP, TN, FP, FN); without
    such a side or certainty it is None, and `tie` says why. `right` is the share of correct decisions among all
    readings (unsure is not correct), with its Wilson interval in `right_ci`.
    """

    case: str
    truth: str
    read: int
    real: int
    unsure: int
    synthetic: int
    wrong: int
    right: float | None
    right_ci: tuple[float, float] | None
    mean_level: float | None
    majority: str | None
    category: str | None
    certainty: str | None
    tie: str | None

    @property
    def fooled(self) -> bool:
        """A synthetic image that most readers called real (at least 4 of 6 in PanoDiff-SR)."""
        return self.category == "FN"

    def as_dict(self) -> dict[str, Any]:
        """Return a plain mapping for tables and results.json."""
        return asdict(self) | {"fooled": self.fooled}


def summarise(levels: ArrayLike, truth: ArrayLike, cases: Sequence[str]) -> list[Case]:
    """Return one `Case` per name in `cases`, in order, by the majority rule of PanoDiff-SR (arXiv 2507.09227).

    >>> fooled, tied = summarise([[1, 5], [2, 1], [2, 4], [4, 2]], [1, 0], ["a", "b"])
    >>> fooled.category, fooled.certainty, fooled.wrong
    ('FN', 'partial', 3)
    >>> tied.category, tied.tie
    (None, 'no side has more than half of 4 readers (real 2, unsure 0, synthetic 2)')
    """
    array = as_levels(levels, "levels", ndim=2)
    synthetic = as_truth(truth, array.shape[1])
    if len(cases) != array.shape[1]:
        raise ValueError(f"cases: expected {array.shape[1]} names, one per column of levels, got {len(cases)}")
    return [_summary(str(name), column, bool(of)) for name, column, of in zip(cases, array.T, synthetic, strict=True)]


def _summary(name: str, column: Floats, synthetic: bool) -> Case:
    given = column[~np.isnan(column)]
    said = {
        "real": int((given < UNSURE).sum()),
        "unsure": int((given == UNSURE).sum()),
        "synthetic": int((given > UNSURE).sum()),
    }
    truth = "synthetic" if synthetic else "real"
    majority = next((side for side in ("real", "synthetic") if 2 * said[side] > given.size), None)
    category = certainty = tie = None
    if not given.size:
        tie = "no reader answered this case"
    elif majority is None:
        counts = ", ".join(f"{side} {count}" for side, count in said.items())
        tie = f"no side has more than half of {given.size} readers ({counts})"
    else:
        category = ("T" if majority == truth else "F") + ("P" if majority == "synthetic" else "N")
        full = int((given == (5 if majority == "synthetic" else 1)).sum())
        partial = said[majority] - full
        certainty = "full" if full > partial else "partial" if partial > full else None
        tie = None if certainty else f"equally many of the majority are fully and partly certain ({full} each)"
    right = proportions.interval(said[truth], given.size)
    return Case(
        case=name,
        truth=truth,
        read=given.size,
        **said,
        wrong=said["real" if synthetic else "synthetic"],
        right=right.value,
        right_ci=right.ci,
        mean_level=float(given.mean()) if given.size else None,
        majority=majority,
        category=category,
        certainty=certainty,
        tie=tie,
    )


def by_category(summaries: Sequence[Case]) -> dict[str, dict[str, list[str]]]:
    """Return case names by category and certainty, clearest majorities first; ties are under `undecided`.

    This is the layout of the example figure in PanoDiff-SR: for each category, a row with full and one with partial
    certainty. `undecided` in a category: a majority whose certainty is tied; under `none`: no majority.

    >>> found = by_category(summarise([[1, 5], [2, 1], [2, 4], [4, 2]], [1, 0], ["a", "b"]))
    >>> found["FN"]["partial"], found["none"]["undecided"]
    (['a'], ['b'])
    """
    found: dict[str, dict[str, list[str]]] = {
        category: {"full": [], "partial": [], "undecided": []} for category in CATEGORIES
    }
    found["none"] = {"undecided": []}
    for summary in sorted(summaries, key=lambda one: -max(one.real, one.synthetic) / max(one.read, 1)):
        found[summary.category or "none"][summary.certainty or "undecided"].append(summary.case)
    return found


def hardest(summaries: Sequence[Case], most: int = 10) -> list[Case]:
    """Return up to `most` cases with the largest shares of wrong answers; cases without wrong answers are left out.

    Ties are ordered by the number of readers, largest first, then by name.

    >>> [one.case for one in hardest(summarise([[1, 5], [2, 1], [2, 4], [4, 2]], [1, 0], ["a", "b"]))]
    ['a', 'b']
    """
    missed = [one for one in summaries if one.wrong]
    return sorted(missed, key=lambda one: (-one.wrong / one.read, -one.read, one.case))[:most]


def fooled_counts(levels: ArrayLike, truth: ArrayLike) -> dict[str, list[int]]:
    """Count the cases of each class that were mistaken for the other by 0, 1, ... all readers.

    >>> fooled_counts([[1, 5], [2, 1], [2, 4], [4, 2]], [1, 0])
    {'synthetic': [0, 0, 0, 1, 0], 'real': [0, 0, 1, 0, 0]}
    """
    array = as_levels(levels, "levels", ndim=2)
    synthetic = as_truth(truth, array.shape[1])
    wrong = {"synthetic": (array < UNSURE).sum(axis=0)[synthetic], "real": (array > UNSURE).sum(axis=0)[~synthetic]}
    return {name: np.bincount(counts, minlength=len(array) + 1).tolist() for name, counts in wrong.items()}


def link_to_detector(levels: ArrayLike, truth: ArrayLike, detector: ArrayLike) -> dict[str, Estimate]:
    """Do readers and a detector find the same images difficult? Spearman's rho of mean level and detector score.

    `detector`: one score per case, higher = more synthetic, NaN = none. There is one estimate within the real and one
    within the synthetic cases; across both, any two judges who see the truth correlate. Interval on Fisher's scale with
    the variance (1 + rho^2 / 2) / (n - 3) of Bonett and Wright 2000 (Psychometrika 65:23); p by t. Cases without a
    reading or a score are left out and counted. Undefined for fewer than four cases, or if either side is constant.

    >>> levels = [[1, 2, 2, 4, 4, 5], [1, 1, 2, 3, 5, 4]]
    >>> round(link_to_detector(levels, [1] * 6, [0.1, 0.3, 0.2, 0.5, 0.9, 0.7])["synthetic"].value, 3)
    0.928
    """
    array = as_levels(levels, "levels", ndim=2)
    synthetic = as_truth(truth, array.shape[1])
    scores = as_floats(detector, "detector")
    if scores.size != array.shape[1]:
        raise ValueError(f"detector: expected {array.shape[1]} scores, one per case, got {scores.size}")
    read = ~np.isnan(array)
    means = np.where(read, array, 0).sum(axis=0) / np.maximum(read.sum(axis=0), 1)
    usable = read.any(axis=0) & ~np.isnan(scores)
    found = {}
    for name, of in (("real", ~synthetic), ("synthetic", synthetic)):
        kept = of & usable
        found[name] = _spearman(means[kept], scores[kept], int(of.sum() - kept.sum()))
    return found


def _spearman(x: Floats, y: Floats, left_out: int) -> Estimate:
    from scipy.stats import spearmanr

    name = "Spearman's rho, Bonett-Wright 95% interval"
    extra = {"n": x.size, "left_out": left_out}
    if x.size < 4:
        return undefined("there are fewer than four cases", name, **extra)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return undefined("the readers or the detector give every case the same score", name, **extra)
    found = spearmanr(x, y)
    rho = float(np.clip(found.statistic, -1, 1))
    if abs(rho) > 1 - 1e-12:
        reason = "the orders agree, or are reversed, throughout, so there is no interval"
        return Estimate(rho, p=float(found.pvalue), method=name, reason=reason, extra=extra)
    half = distributions.normal_quantile(0.95) * math.sqrt((1 + rho**2 / 2) / (x.size - 3))
    ci = math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half)
    return Estimate(rho, ci=ci, p=float(found.pvalue), method=name, extra=extra)
