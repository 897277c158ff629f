"""Marks as places: their density over an image, and agreement of readers on them.

Places are fractions of width and height. Distances are fractions of the image's width; `aspect`, its width divided by
its height, makes them equal across and down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined

KERNEL = 0.04  # standard deviation of the kernel as a share of the image's width: about the width of a tooth
GRID = (32, 16)  # cells across and down for overlaps
PAIRS = 6_000_000  # of marks, in all permutations together
OVERLAPS = 5  # permutations for the mean overlap by chance


def density(places: ArrayLike, size: tuple[int, int] = GRID, aspect: float = 2.0, kernel: float = KERNEL) -> Floats:
    """The density of marks over an image: height x width cells that sum to 1, by a Gaussian kernel.

    `places`: marks x 2; `size`: cells across and down; `kernel`: standard deviation as a share of the image's width.
    The width of the kernel is fixed, because a single mark has no spread (scipy's `gaussian_kde` derives it from the
    marks). All zeros without marks.

    >>> spread = density([[0.25, 0.5], [0.26, 0.5]], (8, 4))
    >>> round(float(spread.sum()), 6), np.unravel_index(spread.argmax(), spread.shape)[1] in (1, 2)
    (1.0, True)
    """
    found = as_floats(places, "places", 2) if len(places) else np.empty((0, 2))  # type: ignore[arg-type]
    across, down = _profiles(found, size, aspect, kernel)
    total = down.T @ across
    return np.asarray(total / total.sum()) if len(found) else total


def peak(places: ArrayLike, aspect: float = 2.0, kernel: float = KERNEL) -> tuple[float, float]:
    """Return where the density is highest, as fractions of width and height. Raises ValueError without marks.

    >>> [round(at, 2) for at in peak([[0.3, 0.5], [0.31, 0.5], [0.8, 0.2]])]
    [0.31, 0.49]
    """
    if not len(places):  # type: ignore[arg-type]
        raise ValueError("places: expected at least one")
    spread = density(places, (128, 64), aspect, kernel)
    down, across = np.unravel_index(spread.argmax(), spread.shape)
    return float((across + 0.5) / 128), float((down + 0.5) / 64)


def spread(places: ArrayLike, aspect: float = 2.0) -> float | None:
    """The root mean square distance of marks from their mean, as a share of the image's width; None for fewer than two.

    >>> round(spread([[0.4, 0.5], [0.6, 0.5]]), 3), spread([[0.4, 0.5]])
    (0.1, None)
    """
    found = as_floats(places, "places", 2)
    if len(found) < 2:
        return None
    away = (found - found.mean(axis=0)) * [1.0, 1 / aspect]
    return float(np.sqrt((away**2).sum(axis=1).mean()))


def nearest(
    reader: ArrayLike, case: ArrayLike, places: ArrayLike, aspect: float = 2.0, replicates: int = 999, seed: int = 0
) -> Estimate:
    """The mean distance from a mark to the nearest mark of another reader on the same image, against chance.

    `reader`, `case`: a whole number from 0 for each mark. Permutations shuffle each reader's places among all marks of
    that reader, which keeps the number of marks per image and a reader's preferred regions. `chance` is the mean
    distance under permutation, p the one-sided probability of being as near or nearer (Phipson and Smyth 2010, Stat
    Appl Genet Mol Biol 9:39); fewer `replicates` are used if there are very many pairs. Undefined if no image has marks
    by two readers.

    >>> found = nearest([0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2], [[0.1, 0.1], [0.12, 0.1], [0.5, 0.5], [0.5, 0.52],
    ...                 [0.9, 0.9], [0.88, 0.9]])
    >>> round(found.value, 4), found.chance > found.value, found.marks
    (0.0167, True, 6)
    """
    who, which, where = _marks(reader, case, places)
    name = "mean distance to the nearest mark of another reader; places shuffled within readers"
    one, other = _pairs(who, which)
    if not one.size:
        return undefined("no image has marks by two readers", name)
    starts = np.flatnonzero(np.r_[True, np.diff(one) > 0])
    scaled = where[:, 0] + 1j * where[:, 1] / aspect

    def statistic(place: NDArray[np.complex128]) -> float:
        away = place[one] - place[other]
        return float(np.sqrt(np.minimum.reduceat(away.real**2 + away.imag**2, starts)).mean())

    rng = np.random.Generator(np.random.PCG64(seed))
    times = int(np.clip(PAIRS // one.size, 99, replicates))
    observed = statistic(scaled)
    drawn = np.array([statistic(scaled[_shuffled(who, rng)]) for _ in range(times)])
    p = float((1 + (drawn <= observed + 1e-12).sum()) / (times + 1))
    extra = {
        "chance": float(drawn.mean()),
        "replicates": times,
        "marks": int(starts.size),
        "smallest_p": 1 / (times + 1),
    }
    return Estimate(observed, p=p, method=name, extra=extra)


def overlap(
    reader: ArrayLike, case: ArrayLike, places: ArrayLike, aspect: float = 2.0, kernel: float = KERNEL, seed: int = 0
) -> Estimate:
    """Dice's coefficient of two readers' densities, the mean over pairs of readers who marked the same image.

    For densities p and q that sum to 1 it is the sum of min(p, q): 1 for identical, 0 for distant places (Dice 1945,
    Ecology 26:297). `chance` is its mean with places shuffled as in `nearest`. `cases` has the mean for each image
    marked by two readers. Undefined if there is none.

    >>> found = overlap([0, 1, 0, 1], [0, 0, 1, 1], [[0.2, 0.2], [0.2, 0.2], [0.8, 0.8], [0.1, 0.1]])
    >>> round(found.value, 3), round(found.cases[0], 3), round(found.cases[1], 3)
    (0.5, 1.0, 0.0)
    """
    who, which, where = _marks(reader, case, places)
    name = "Dice's coefficient of densities, mean over pairs of readers"
    units, unit = np.unique(which * (who.max(initial=0) + 1) + who, return_inverse=True)
    case_of, reader_of = np.divmod(units, who.max(initial=0) + 1)
    one, other = _pairs(reader_of, case_of)
    one, other = one[one < other], other[one < other]
    if not one.size:
        return undefined("no image has marks by two readers", name)
    rng = np.random.Generator(np.random.PCG64(seed))
    observed = _dice(where, unit, len(units), one, other, aspect, kernel)
    drawn = [
        _dice(where[_shuffled(who, rng)], unit, len(units), one, other, aspect, kernel).mean() for _ in range(OVERLAPS)
    ]
    sums, counts = (np.bincount(case_of[one], weights) for weights in (observed, np.ones(one.size)))
    each = {int(number): float(sums[number] / counts[number]) for number in np.flatnonzero(counts)}
    return Estimate(
        float(observed.mean()),
        method=name,
        extra={"chance": float(np.mean(drawn)), "pairs": int(one.size), "cases": each},
    )


def _dice(
    where: Floats, unit: NDArray[np.intp], units: int, one: NDArray, other: NDArray, aspect: float, kernel: float
) -> Floats:
    """Return Dice's coefficient of each pair of densities; `unit` assigns marks to densities."""
    across, down = (profile.astype(np.float32) for profile in _profiles(where, GRID, aspect, kernel))
    order = np.argsort(unit, kind="stable")
    maps = np.empty((units, GRID[0] * GRID[1]), dtype=np.float32)
    for number, own in enumerate(np.split(order, np.searchsorted(unit[order], np.arange(1, units)))):
        maps[number] = (down[own].T @ across[own]).ravel()
    maps /= maps.sum(axis=1, keepdims=True)
    parts = np.array_split(np.arange(one.size), max(1, one.size // 2000))
    return np.concatenate([np.minimum(maps[one[part]], maps[other[part]]).sum(axis=1) for part in parts]).astype(float)


def _profiles(places: Floats, size: tuple[int, int], aspect: float, kernel: float) -> tuple[Floats, Floats]:
    """The kernel of each mark across (marks x width) and down (marks x height)."""
    across = (np.arange(size[0]) + 0.5) / size[0] - places[:, :1]
    down = ((np.arange(size[1]) + 0.5) / size[1] - places[:, 1:]) / aspect
    return np.exp(-((across / kernel) ** 2) / 2), np.exp(-((down / kernel) ** 2) / 2)


def _marks(reader: ArrayLike, case: ArrayLike, places: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    who, which = (as_floats(one, name).astype(np.intp) for one, name in ((reader, "reader"), (case, "case")))
    where = as_floats(places, "places", 2) if len(who) else np.empty((0, 2))
    if not len(who) == len(which) == len(where):
        raise ValueError(
            f"places: expected one per mark, got {len(who)} readers, {len(which)} cases, {len(where)} places"
        )
    return who, which, where


def _pairs(who: NDArray[np.intp], which: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair every mark with every mark by another reader on the same image, in order of the first."""
    order = np.argsort(which, kind="stable")
    bounds = np.flatnonzero(np.r_[True, np.diff(which[order]) > 0]) if which.size else np.empty(0, dtype=int)
    ones, others = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    for own in np.split(order, bounds[1:]):
        one, other = np.nonzero(who[own][:, None] != who[own][None, :])
        ones.append(own[one])
        others.append(own[other])
    one, other = np.concatenate(ones), np.concatenate(others)
    sequence = np.argsort(one, kind="stable")
    return one[sequence], other[sequence]


def _shuffled(who: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return an order of the marks in which each reader's marks are permuted among themselves."""
    order = np.empty(who.size, dtype=np.intp)
    order[np.argsort(who, kind="stable")] = np.lexsort((rng.random(who.size), who))
    return order
