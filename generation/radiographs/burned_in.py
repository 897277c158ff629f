"""Detect text burnt into a radiograph: names, dates, numbers. Single letters such as L and R are not searched for.

Letters are thin, uniform in grey, sharp-edged, and in rows. A white top-hat keeps structures thinner than a stroke, and
strokes end at half of the local maximum; connected pieces that are sharp, and next to others of similar height and
grey, count as text. Dark letters are searched for in the inverted image, large ones in a smaller image.
`benchmarks/burned_in.py` measures what is found and missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

MOST_SIDE = 2000  # px; larger images are reduced first
LEAST_SIDE = 128  # px: a letter is at most a fifth of an image
SIZES = (1, 2, 4)  # factors by which the image is reduced
STROKE = 7  # px, maximum width of a letter's stroke
CONTRAST = 36  # grey levels between a letter and what is around it
HEIGHTS = (4, 26)  # px, of a letter
WIDEST = 4  # times its height; touching letters form one piece
SHARP = 0.64  # share of its contrast over which a letter's edge falls within 3 px
SHARP_ROW, SHARP_THREE = 0.76, 0.82  # the same, averaged over a row; and for a row of three, which may be fillings
ALIKE = 24  # grey levels between neighbours
TALLER = 1.7  # times as high as a neighbour
LEVEL = 0.2  # of their height: neighbours begin or end at the same level
CLOSE = 1.4  # times their height between neighbours: a colon or a dash between digits is not a piece
CLOSE_ROW = 0.6  # the same for the median of a row: orthodontic brackets are further apart
FEWEST = 3  # pieces in a row
MOST_PIECES = 2000  # if there are more, it is texture; only the sharpest are examined


class Box(NamedTuple):
    """A box in an image, in px; `bottom` and `right` are exclusive."""

    top: int
    left: int
    bottom: int
    right: int


def find(pixels: np.ndarray) -> list[Box]:
    """Return what looks like text in a grey image, uint8 (height, width): one box per row, from top to bottom.

    Raises TypeError for other arrays.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise TypeError(f"expected uint8 (height, width), got {pixels.dtype} {pixels.shape}")
    image = Image.fromarray(pixels)
    first = max(1, -(-max(image.size) // MOST_SIDE))
    found = []
    for factor in (first * size for size in SIZES):
        if factor > first and min(image.size) // factor < LEAST_SIDE:
            break
        small = np.asarray(image.reduce(factor))
        for bright in (small, 255 - small):
            found += [np.minimum(row * factor, pixels.shape * 2) for row in _rows(bright)]
    return _joined(Box(*row.tolist()) for row in found)


def shares(boxes: Iterable[Box], size: tuple[int, int]) -> list[tuple[float, float, float, float]]:
    """Convert boxes to shares (left, top, right, bottom) of an image of `size` (width, height)."""
    width, height = size
    return [
        (
            round(box.left / width, 5),
            round(box.top / height, 5),
            round(box.right / width, 5),
            round(box.bottom / height, 5),
        )
        for box in boxes
    ]


def _rows(image: np.ndarray) -> list[np.ndarray]:
    """Return bright letters in rows: top, left, bottom, right of each."""
    pieces, grey, sharp = _pieces(image)
    if len(pieces) < FEWEST:
        return []
    _, row = connected_components(_are_neighbours(pieces, grey), directed=False)
    found = []
    for number in np.flatnonzero(np.bincount(row) >= FEWEST):
        own = pieces[row == number]
        needed = SHARP_ROW if len(own) > FEWEST else SHARP_THREE
        if sharp[row == number].mean() >= needed and _median_gap(own) <= CLOSE_ROW:
            found.append(np.r_[own[:, :2].min(axis=0), own[:, 2:].max(axis=0)])
    return found


def _pieces(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pieces that may be letters: top, left, bottom, right (n, 4), grey (n,) and sharpness (n,) of each."""
    thin = image - _extreme(_extreme(image, STROKE + 2, np.minimum), STROKE + 2, np.maximum)
    if thin.max() < CONTRAST:
        return np.empty((0, 4), int), np.empty(0, int), np.empty(0)
    peak = _extreme(thin, 2 * STROKE + 1, np.maximum)
    inside = (thin > peak // 2) & (peak >= CONTRAST)
    labels, count = ndimage.label(inside, np.ones((3, 3)))
    beyond = np.pad(inside, 1)
    core = beyond[:-2, 1:-1] & beyond[2:, 1:-1] & beyond[1:-1, :-2] & beyond[1:-1, 2:]
    edge = np.unravel_index(np.flatnonzero(inside & ~core), inside.shape)  # ten times as fast as nonzero
    piece = labels[edge] - 1
    least, greatest = np.full((2, count), max(image.shape)), np.zeros((2, count), int)
    for axis in (0, 1):
        np.minimum.at(least[axis], piece, edge[axis])
        np.maximum.at(greatest[axis], piece, edge[axis])
    pieces = np.vstack([least, greatest + 1]).T
    around = np.pad(thin, 1, mode="edge")
    near = [around[edge[0] + down, edge[1] + across] for down in range(3) for across in range(3)]
    fall = (np.max(near, axis=0) - np.min(near, axis=0)) / peak[edge]
    sharp = np.bincount(piece, fall, count) / np.maximum(np.bincount(piece, minlength=count), 1)
    height, width = (pieces[:, 2:] - pieces[:, :2]).T
    fits = (height >= HEIGHTS[0]) & (height <= HEIGHTS[1]) & (width <= WIDEST * height) & (sharp >= SHARP)
    kept = np.flatnonzero(fits)
    kept = kept[np.argsort(-sharp[kept], kind="stable")[:MOST_PIECES]]
    grey = ndimage.maximum(image[inside], labels[inside], kept + 1)
    return pieces[kept], np.asarray(grey, dtype=int), sharp[kept]


def _extreme(image: np.ndarray, size: int, of: np.ufunc) -> np.ndarray:
    """`scipy.ndimage.minimum_filter` (or maximum) over squares of odd `size`, 17 times as fast on bytes.

    The minimum over two overlapping windows is that of their union, so windows grow by doubling.
    """
    for axis in (0, 1):
        edge = [(0, 0), (0, 0)]
        edge[axis] = size // 2, size // 2
        found, reached = np.pad(image, edge, mode="symmetric").swapaxes(0, axis), 1
        while reached < size:
            step = min(reached, size - reached)
            found = of(found[:-step], found[step:])
            reached += step
        image = found.swapaxes(0, axis)
    return image


def _are_neighbours(pieces: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Return whether pieces (n, 4) are neighbours with similar height, grey and level: (n, n)."""
    top, left, bottom, right = pieces.T.astype(np.int32)
    height = bottom - top
    taller, lower = np.maximum.outer(height, height), np.minimum.outer(height, height)
    gap = np.maximum.outer(left, left) - np.minimum.outer(right, right)
    step = np.minimum(abs(np.subtract.outer(top, top)), abs(np.subtract.outer(bottom, bottom)))
    alike = (taller <= TALLER * lower) & (abs(np.subtract.outer(grey, grey)) <= ALIKE)
    return alike & (gap <= CLOSE * taller) & (step <= np.maximum(1, LEVEL * taller))


def _median_gap(row: np.ndarray) -> float:
    """Return the median gap between the pieces of a row, in units of their mean height."""
    row = row[np.argsort(row[:, 1])]
    gaps = row[1:, 1] - np.maximum.accumulate(row[:, 3])[:-1]
    return float(np.median(gaps) / (row[:, 2] - row[:, 0]).mean())


def _joined(boxes: Iterable[Box]) -> list[Box]:
    """Return the boxes, with overlapping ones joined."""
    joined: list[Box] = []
    for box in boxes:
        while other := next((one for one in joined if _overlap(one, box)), None):
            joined.remove(other)
            box = Box(
                min(box.top, other.top),
                min(box.left, other.left),
                max(box.bottom, other.bottom),
                max(box.right, other.right),
            )
        joined.append(box)
    return sorted(joined)


def _overlap(one: Box, other: Box) -> bool:
    return one.top < other.bottom and other.top < one.bottom and one.left < other.right and other.left < one.right
