"""Free-response analysis of marks on images with faults at known places.

Synthetic images with known faults are the abnormal images, their faults the lesions, and real images the normal ones.
A mark within the ellipse of a fault finds it; every other mark is a non-localisation.

Marks are rows (reader, case, x, y, rating, level) and faults rows (case, x, y, rx, ry, angle), or mappings of columns
(DataFrames too) with these names. Readers and cases are numbers from 0, places fractions of width and height; rating
and level are higher for surer marks, NaN where there is none; without a rating, the level is used. `angle`
(degrees, counter-clockwise) is optional; a rotated ellipse needs `aspect`, the width of the images divided by their
height.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arrays import Floats, as_floats, as_truth
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.mrmc import of_figures
from analysis.statistics.readings import bare
from analysis.statistics.roc import placements

MARKS = ("reader", "case", "x", "y", "rating", "level")
FAULTS = ("case", "x", "y", "rx", "ry", "angle")
AFROC = "AFROC area (JAFROC, jackknife over cases)"
Table = ArrayLike | Mapping[str, ArrayLike]


@dataclass(frozen=True)
class Search:
    """Checked marks and faults, and which mark lies in which fault.

    `inside` pairs every mark with every fault of its image: `mark`, `fault`, and whether it lies within. `rating` is
    the rating of the mark, or the level of its trial, or 1. `read` (readers x cases) says who judged which image.
    """

    reader: NDArray[np.intp]
    case: NDArray[np.intp]
    place: Floats  # marks x 2
    rating: Floats
    faults: Floats  # as FAULTS
    synthetic: NDArray[np.bool_]
    read: NDArray[np.bool_]
    aspect: float
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]]
    within: NDArray[np.bool_]

    @property
    def faulty(self) -> NDArray[np.intp]:
        """How many known faults each case has."""
        return np.bincount(self.faults[:, 0].astype(int), minlength=self.synthetic.size)

    @property
    def wide(self) -> NDArray[np.bool_]:
        """Which marks lie in no known fault."""
        hits = np.zeros(self.reader.size, dtype=bool)
        hits[self.pairs[0][self.within]] = True
        return ~hits

    @property
    def found(self) -> Floats:
        """The highest rating with which each reader marked each fault (readers x faults), -inf without a mark."""
        best = np.full((len(self.read), len(self.faults)), -np.inf)
        mark, fault = (index[self.within] for index in self.pairs)
        np.maximum.at(best, (self.reader[mark], fault), self.rating[mark])
        return best

    @property
    def highest(self) -> Floats:
        """The highest rating of any mark by each reader on each case (readers x cases), -inf without a mark."""
        best = np.full(self.read.shape, -np.inf)
        np.maximum.at(best, (self.reader, self.case), self.rating)
        return best

    def shuffled(self, rng: np.random.Generator) -> Search:
        """The same marks, each moved to the place of another mark by the same reader, on any image."""
        order = np.lexsort((rng.random(self.reader.size), self.reader))
        place = np.empty_like(self.place)
        place[np.argsort(self.reader, kind="stable")] = self.place[order]
        return replace(self, place=place, within=_within(place, self.faults, self.pairs, self.aspect))


def search(
    marks: Table,
    faults: Table,
    truth: ArrayLike,
    *,
    readers: int | None = None,
    read: ArrayLike | None = None,
    aspect: float = 1.0,
) -> Search:
    """Check marks, faults and truth (1 = synthetic, one per case), and find which mark lies in which fault.

    `readers`: number of readers, including those without marks (by default up to the last who marked); `read`: readers
    x cases, 1 where the reader judged the image (by default everywhere). Raises ValueError naming the problem: an
    unknown case or reader, a fault in a real image, a place outside the image.

    >>> given = search([[0, 1, 0.5, 0.5, 4, 5], [0, 1, 0.1, 0.1, 2, 5]], [[1, 0.5, 0.5, 0.2, 0.2, 0]], [0, 1])
    >>> given.found.tolist(), given.wide.tolist()
    ([[4.0]], [False, True])
    """
    known = as_floats(truth, "truth")
    synthetic = as_truth(known, known.size)
    mark, fault = _columns(marks, MARKS, "marks", 4), _columns(faults, FAULTS, "faults", 5)
    fault[:, 5] = np.nan_to_num(fault[:, 5])
    cases = _index(mark[:, 1], known.size, "marks: case"), _index(fault[:, 0], known.size, "faults: case")
    if not synthetic[cases[1]].all():
        raise ValueError("faults: expected faults in synthetic images only, got one in a real image")
    for name, place in (("marks", mark[:, 2:4]), ("faults", fault[:, 1:5])):
        if not ((place >= 0) & (place <= 1)).all():
            raise ValueError(f"{name}: expected places and half-axes as fractions from 0 to 1")
    given = int(mark[:, 0].max()) + 1 if len(mark) else 1
    count = given if readers is None else readers
    judged = np.ones((count, known.size)) if read is None else as_floats(read, "read", 2)
    if judged.shape != (count, known.size):
        raise ValueError(f"read: expected {count} readers x {known.size} cases, got {judged.shape}")
    rating = np.where(np.isnan(mark[:, 4]), mark[:, 5], mark[:, 4])
    pairs = _together(cases[0], cases[1])
    return Search(
        _index(mark[:, 0], count, "marks: reader"),
        cases[0],
        mark[:, 2:4],
        np.where(np.isnan(rating), 1.0, rating),
        fault,
        synthetic,
        judged == 1,
        aspect,
        pairs,
        _within(mark[:, 2:4], fault, pairs, aspect),
    )


def jafroc(
    marks: Table,
    faults: Table,
    truth: ArrayLike,
    *,
    readers: int | None = None,
    read: ArrayLike | None = None,
    aspect: float = 1.0,
) -> Estimate:
    """The area under the AFROC curve, for each reader and over readers and cases, with its jackknife interval.

    The area is the probability that the highest rating of a mark in a fault is above the highest rating of any mark on
    a real image, ties counting one half and no mark rating below all; every fault has the same weight (Chakraborty and
    Berbaum 2004, Med Phys 31:2313). Marks outside the faults of synthetic images are not used. Each case with all its
    faults is left out in turn, and the readers' areas are combined by the Obuchowski-Rockette method, readers and cases
    random (`mrmc.of_figures`). Arguments as in `search`; unread images, and synthetic images without known faults, are
    left out.

    One half is not chance: it means that real images are marked as surely and as often as faults are found. A reader
    who marks many places at random, with random ratings, is expected to score lower; `by_chance` gives the result of
    the same marks at other places.

    The value is the mean area; `each` has every reader's area with its interval (cases random), or a reason; `faults`,
    `n_synthetic` and `n_real` are counts. There is no p, because one half is not a null hypothesis.

    >>> marks = [[0, 3, 0.5, 0.5, 5, 5], [0, 4, 0.4, 0.5, 3, 5], [0, 0, 0.2, 0.2, 3, 4], [0, 4, 0.9, 0.9, 5, 5]]
    >>> faults = [[3, 0.5, 0.5, 0.1, 0.2, 0], [4, 0.5, 0.5, 0.2, 0.2, 0], [4, 0.1, 0.1, 0.1, 0.1, 0]]
    >>> estimate = jafroc(marks, faults, [0, 0, 0, 1, 1])
    >>> round(estimate.value, 4)  # of 3 x 3 pairs: 3 + 2.5 + 1 won
    0.7222
    """
    return area(search(marks, faults, truth, readers=readers, read=read, aspect=aspect))


def area(given: Search) -> Estimate:
    """`jafroc` for the result of `search`.

    >>> area(search([[0, 1, 0.5, 0.5, 4, 5]], [[1, 0.5, 0.5, 0.2, 0.2, 0]], [0, 1])).reason
    'no reader judged two real images and two with known faults'
    """
    found, highest, faulty = given.found, given.highest, given.faulty
    of = given.faults[:, 0].astype(int)
    lowest = min(given.rating.min(initial=1.0) - 1, 0.0)
    values, leanings, reasons = [], [], {}
    for reader, read in enumerate(given.read):
        normal = np.flatnonzero(read & ~given.synthetic)
        counted = read[of]
        if normal.size < 2 or np.unique(of[counted]).size < 2:
            reasons[reader] = "the reader judged fewer than two real images, or fewer than two with known faults"
            continue
        scores = np.r_[found[reader, counted], highest[reader, normal]]
        scores[np.isneginf(scores)] = lowest
        parts = placements(scores, np.arange(scores.size) < counted.sum())
        value = float(parts.synthetic.mean())
        without = np.full(read.size, np.nan)
        sums = np.bincount(of[counted], parts.synthetic, minlength=read.size)
        abnormal = np.flatnonzero(read & (faulty > 0))
        without[abnormal] = (parts.synthetic.sum() - sums[abnormal]) / (parts.synthetic.size - faulty[abnormal])
        without[normal] = (normal.size * value - parts.real) / (normal.size - 1)
        values.append(value)
        leanings.append(_leaning(without))
    extra = {"faults": len(of), "n_synthetic": int((faulty > 0).sum()), "n_real": int((~given.synthetic).sum())}
    if not values:
        return undefined("no reader judged two real images and two with known faults", AFROC, **extra)
    return _joined(values, leanings, reasons, len(given.read), AFROC, extra, 1.0)


def rates(given: Search, kinds: Mapping[str, ArrayLike] | None = None) -> dict[str, Any]:
    """How many faults were found and how many marks lay elsewhere, over readers and cases (jackknife).

    `faults`: the lesion-localisation fraction, a reader's found faults divided by all. `kinds`: the same for each of
    `kinds`, a name with one boolean per fault. `elsewhere_real`: marks per real image; `elsewhere_synthetic`: marks
    outside known faults per image with a known fault.

    >>> found = rates(search([[0, 1, 0.5, 0.5, 4, 5]], [[1, 0.5, 0.5, 0.2, 0.2, 0], [2, 0.5, 0.5, 0.2, 0.2, 0]],
    ...                      [0, 1, 1, 0]))
    >>> found["faults"].value, found["elsewhere_real"].value
    (0.5, 0.0)
    """
    of, hits = given.faults[:, 0].astype(int), np.isfinite(given.found)
    shape = given.read.shape

    def localised(chosen: NDArray[np.bool_], name: str) -> Estimate:
        in_case = np.eye(shape[1])[of[chosen]]  # faults x cases
        return ratio(hits[:, chosen] @ in_case, in_case.sum(axis=0) * given.read, name, most=1.0)

    beside = np.zeros(shape)
    np.add.at(beside, (given.reader[given.wide], given.case[given.wide]), 1.0)
    every = np.ones(len(of), dtype=bool)
    return {
        "faults": localised(every, "share of faults found"),
        "kinds": {
            kind: localised(np.asarray(chosen, dtype=bool), f"share of faults found, {kind}")
            for kind, chosen in (kinds or {}).items()
        },
        "elsewhere_real": ratio(beside, given.read & ~given.synthetic, "marks per real image"),
        "elsewhere_synthetic": ratio(beside, given.read & (given.faulty > 0), "marks outside known faults per image"),
    }


def ratio(part: ArrayLike, whole: ArrayLike, name: str, most: float = math.inf) -> Estimate:
    """The mean over readers of sum(part) / sum(whole), readers and cases random, by the jackknife over cases.

    `part`, `whole`: readers x cases; where `whole` is 0, `part` does not count. The interval is cut to 0 and `most`.
    `each` has every reader's own ratio; readers with fewer than two cases that count have none.

    >>> found = ratio([[1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 1, 0]], [[1] * 4] * 3, "share", most=1.0)
    >>> round(found.value, 3), [round(limit, 3) for limit in found.ci]
    (0.5, [0.0, 1.0])
    """
    wholes = as_floats(whole, "whole", 2)
    parts = as_floats(part, "part", 2) * (wholes > 0)
    values, leanings, reasons = [], [], {}
    for reader, (own, all_of_it) in enumerate(zip(parts, wholes, strict=True)):
        used = all_of_it > 0
        if used.sum() < 2:
            reasons[reader] = "fewer than two cases that count"
            continue
        without = np.full(own.size, np.nan)
        without[used] = (own.sum() - own[used]) / (all_of_it.sum() - all_of_it[used])
        values.append(float(own.sum() / all_of_it.sum()))
        leanings.append(_leaning(without))
    method = f"{name}, jackknife over cases"
    extra = {"part": float(parts.sum()), "whole": float(wholes.sum())}
    if not values:
        return undefined("no reader has two cases that count", method, **extra)
    return _joined(values, leanings, reasons, len(parts), method, extra, most)


def by_chance(given: Search, replicates: int = 199, seed: int = 0) -> dict[str, dict[str, Any]]:
    """The results expected if the places of marks were unrelated to their image, by permutation.

    Places are shuffled among all marks of a reader, which keeps image, number, rating and the habit of marking certain
    regions. `faults` (share found) and `area` (AFROC): `value` under permutation, and one-sided `p` of finding as much
    or more (Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39). Both are None if there is nothing to compare, as
    for the area without real images.

    >>> marks = [[0, case, x, 0.5, 4, 5] for case, x in ((2, 0.2), (3, 0.4), (4, 0.6), (5, 0.8))]
    >>> faults = [[case, x, 0.5, 0.05, 0.1, 0] for case, x in ((2, 0.2), (3, 0.4), (4, 0.6), (5, 0.8))]
    >>> by_chance(search(marks, faults, [0, 0, 1, 1, 1, 1]))["faults"]["p"] < 0.1
    True
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    measures: dict[str, Callable[[Search], float]] = {"faults": _share_found, "area": _mean_area}
    observed = {name: measure(given) for name, measure in measures.items()}
    drawn: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(replicates):
        other = given.shuffled(rng)
        for name, measure in measures.items():
            drawn[name].append(measure(other))
    return {
        name: {
            "value": None if math.isnan(seen) else float(np.mean(drawn[name])),
            "p": None
            if math.isnan(seen)
            else float((1 + np.sum(np.array(drawn[name]) >= seen - 1e-12)) / (replicates + 1)),
            "replicates": replicates,
            "method": "places shuffled among the marks of each reader",
        }
        for name, seen in observed.items()
    }


def _share_found(given: Search) -> float:
    counted = given.read[:, given.faults[:, 0].astype(int)]
    return float((np.isfinite(given.found) & counted).sum() / max(counted.sum(), 1))


def _mean_area(given: Search) -> float:
    """The mean area of the readers, without its interval."""
    found, highest, of = given.found, given.highest, given.faults[:, 0].astype(int)
    areas = []
    for reader, read in enumerate(given.read):
        lesions, normal = found[reader, read[of]], highest[reader, read & ~given.synthetic]
        if lesions.size and normal.size:
            normal = np.sort(normal)
            below, upto = (np.searchsorted(normal, lesions, side) for side in ("left", "right"))
            areas.append(float((below + upto).mean() / 2 / normal.size))
    return float(np.mean(areas)) if areas else math.nan


def _leaning(without: Floats) -> Floats:
    """The influence of each case on a figure, from the figures without that case; NaN if the case does not count."""
    count = int((~np.isnan(without)).sum())
    return np.nan_to_num((np.nanmean(without) - without) * math.sqrt((count - 1) / count))


def _joined(
    values: list[float],
    leanings: list[Floats],
    reasons: dict[int, str],
    readers: int,
    name: str,
    extra: dict[str, Any],
    most: float,
) -> Estimate:
    def cut(estimate: Estimate) -> Estimate:
        ci = estimate.ci and (max(0.0, estimate.ci[0]), min(most, estimate.ci[1]))
        return replace(estimate, ci=ci, p=None)

    kept = iter(zip(values, leanings, strict=True))
    each = []
    for reader in range(readers):
        if reader in reasons:
            each.append({"value": None, "reason": reasons[reader]})
        else:
            value, leaning = next(kept)
            each.append(bare(cut(of_figures([value], [leaning], name, readers="fixed"))))
    whole = cut(of_figures(values, leanings, name))
    return replace(whole, extra=whole.extra | extra | {"readers": len(values), "each": each})


def _columns(given: Any, names: tuple[str, ...], what: str, least: int) -> Floats:
    """Return a table as rows of `names`; columns after the first `least` are optional."""
    if hasattr(given, "keys"):
        missing = [name for name in names[:least] if name not in given]
        if missing:
            raise ValueError(f"{what}: no column {', '.join(missing)}; expected {', '.join(names)}")
        columns = [as_floats(given[name], f"{what}: {name}") for name in names if name in given]
        there = [name for name in names if name in given]
        table = np.full((len(columns[0]), len(names)), np.nan)
        for name, column in zip(there, columns, strict=True):
            table[:, names.index(name)] = column
        return table
    rows = as_floats(given if len(given) else np.empty((0, len(names))), what, 2)
    if not least <= rows.shape[1] <= len(names):
        raise ValueError(f"{what}: expected rows of {', '.join(names)}, got {rows.shape[1]} columns")
    table = np.full((len(rows), len(names)), np.nan)
    table[:, : rows.shape[1]] = rows
    return table


def _index(numbers: Floats, count: int, what: str) -> NDArray[np.intp]:
    if not (np.isin(numbers, np.arange(count))).all():
        raise ValueError(f"{what}: expected whole numbers from 0 to {count - 1}")
    return numbers.astype(np.intp)


def _together(cases: NDArray[np.intp], of: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair every mark with every fault of its case, as two lists of indices."""
    order = np.argsort(of, kind="stable")
    first, last = (np.searchsorted(of[order], cases, side) for side in ("left", "right"))
    counts = last - first
    mark = np.repeat(np.arange(cases.size), counts)
    behind = np.arange(mark.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return mark, order[np.repeat(first, counts) + behind]


def _within(place: Floats, faults: Floats, pairs: tuple[Any, Any], aspect: float) -> NDArray[np.bool_]:
    mark, fault = pairs
    _, x, y, rx, ry, angle = faults[fault].T
    turn = np.radians(angle)
    across, down = (place[mark, 0] - x) * aspect, place[mark, 1] - y
    along = (across * np.cos(turn) - down * np.sin(turn)) / np.maximum(rx * aspect, 1e-12)
    aside = (across * np.sin(turn) + down * np.cos(turn)) / np.maximum(ry, 1e-12)
    return np.asarray(along**2 + aside**2 <= 1)
