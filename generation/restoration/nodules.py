"""Planted nodules after restoration, and false structures.

Blobs are detected at the size of the nodules by the difference of two Gaussians, with half and with one radius.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from generation.errors import InputError
from generation.phantom.chest import Nodule

MEASURES = {
    "before": "contrast before, grey levels",
    "after": "after, grey levels",
    "kept": "share of the contrast kept",
    "shift": "shift, px",
    "found": "share of nodules still seen",
    "invented": "invented blobs per image",
    "lost": "lost blobs per image",
}
SEEN = 0.5  # share of the response in the original at which a nodule still counts as seen


def read(path: Path) -> dict[str, list[Nodule]]:
    """Return the nodules in a table `image,x,y,radius`, by image. Raises InputError naming each unusable row."""
    names = [field.name for field in fields(Nodule)]
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from None
    if not rows or not {"image", *names} <= rows[0].keys():
        raise InputError(f"{path}: expected the columns image, {', '.join(names)} and at least one row")
    found: dict[str, list[Nodule]] = {}
    faults = []
    for line, row in enumerate(rows, start=2):
        try:
            nodule = Nodule(*(float(row[name]) for name in names))
        except (TypeError, ValueError):
            faults.append(f"line {line}: expected numbers in {', '.join(names)}, found {[row[name] for name in names]}")
            continue
        if not np.isfinite([nodule.x, nodule.y]).all() or not 2 <= nodule.radius < np.inf:
            faults.append(f"line {line}: expected a place in the image and a radius of at least 2 px")
        found.setdefault(row["image"], []).append(nodule)
    if faults:
        raise InputError(f"{path}: {len(faults)} row(s) cannot be used", faults)
    return found


def contrast(picture: np.ndarray, nodule: Nodule) -> float:
    """Return the mean grey within 70 % of the nodule's radius minus that of the ring from 1.4 to 2 radii around it."""
    y, x = np.ogrid[0 : picture.shape[0], 0 : picture.shape[1]]
    away = np.hypot(y - nodule.y, x - nodule.x) / nodule.radius
    return float(picture[away <= 0.7].mean() - picture[(away >= 1.4) & (away <= 2)].mean())


def blobs(picture: np.ndarray, radius: float) -> np.ndarray:
    """The response to a bright ball of this radius (px) at each place; float, in the shape and units of the image."""
    picture = np.asarray(picture, dtype=np.float32)
    return gaussian_filter(picture, radius / 2, mode="nearest") - gaussian_filter(picture, radius, mode="nearest")


def measure(original: np.ndarray, restored: np.ndarray, nodules: Sequence[Nodule]) -> list[dict[str, float]]:
    """Return, for each nodule, contrast before and after, the shift of its brightest place (px), and its strength.

    Both images uint8 (H, W). strength: the response of `blobs` as a share of that in the original. Raises ValueError if
    a nodule is outside the image.
    """
    height, width = original.shape
    found = []
    for nodule in nodules:
        if not (0 <= nodule.x < width and 0 <= nodule.y < height):
            raise ValueError(f"a nodule at {nodule.x:g}, {nodule.y:g} is outside {width} x {height}")
        places, strengths = [], []
        for picture in (original, restored):
            response = blobs(picture, nodule.radius)
            y, x = np.ogrid[0:height, 0:width]
            near = np.where(np.hypot(y - nodule.y, x - nodule.x) <= max(nodule.radius, 1), response, -np.inf)
            place = np.unravel_index(int(near.argmax()), near.shape)
            places.append(np.array(place))
            strengths.append(float(response[place]))
        found.append(
            {
                "before": contrast(original.astype(float), nodule),
                "after": contrast(restored.astype(float), nodule),
                "shift": float(np.hypot(*(places[1] - places[0]))),
                "strength": strengths[1] / strengths[0] if strengths[0] > 0 else np.nan,
            }
        )
    return found


def strength(original: np.ndarray, nodules: Sequence[Nodule]) -> float:
    """Return the median response of `blobs` at planted nodules of an image, the threshold for similar structures."""
    return float(np.median([blobs(original, n.radius)[round(n.y), round(n.x)] for n in nodules]))


def difference(original: np.ndarray, restored: np.ndarray, radius: float) -> np.ndarray:
    """Return what the restored image shows more (negative: less) at the nodules' size: grey levels, float (H, W).

    Overall brightness and contrast are first matched by least squares, because exposure is not a structure.
    """
    true, made = original.astype(float), restored.astype(float)
    spread = made.var()
    gain = np.cov(made.ravel(), true.ravel(), bias=True)[0, 1] / spread if spread else 1.0
    return blobs(gain * (made - made.mean()) + true.mean() - true, radius)


def false_structures(difference: np.ndarray, radius: float, least: float) -> tuple[int, int]:
    """Return the numbers of invented and of lost blobs: peaks of the difference, and of its negative, above `least`."""
    size = 2 * max(1, round(radius)) + 1
    counts = []
    for field in (difference, -difference):
        counts.append(int(((field == maximum_filter(field, size)) & (field > least)).sum()))
    return counts[0], counts[1]


def as_map(original: np.ndarray, difference: np.ndarray, least: float) -> np.ndarray:
    """A colour image (3, H, W) in [0, 1]: the faint original, red where structure was added, blue where it was lost.

    Full colour means a difference of `least` or more.
    """
    grey = original / 255 * 0.6
    more, less = ((sign * difference / least).clip(0, 1) for sign in (1, -1))
    return np.stack(
        [grey * (1 - less) + more * (1 - grey), grey * (1 - more) * (1 - less), grey * (1 - more) + less * (1 - grey)]
    )
