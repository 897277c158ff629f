"""Convert stored values to 8-bit grey with a table over the values: window, look-up table, or robust percentiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PERCENTILES = (0.5, 99.5)  # of the pixels without padding; the same rule for both classes
WIDEST = 2**17  # with more distinct values, no table is used
Display = Callable[[np.ndarray, np.ndarray], np.ndarray]  # values, how many pixels have each -> 0 to 1


def rendered(
    pixels: np.ndarray,
    display: Display,
    inverted: bool = False,
    padding: tuple[int, int] | None = None,
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """Convert stored pixels (height, width) to uint8 with `display`, negated if `inverted`.

    Values from padding[0] to padding[1] are black and do not count, like pixels that are not `seen` (bool, same shape).
    Raises ValueError for pixels with a wrong shape, or that are not numbers.
    """
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(f"its pixels have the shape {pixels.shape}")
    least, greatest = pixels.min(), pixels.max()
    if not np.isfinite([float(least), float(greatest)]).all():
        raise ValueError("some of its pixels are not numbers")
    if pixels.dtype.kind in "iu" and int(greatest) - int(least) < WIDEST:
        offset = int(least) if int(least) < 0 or int(greatest) >= WIDEST else 0  # shifting 4 million pixels takes time
        values = np.arange(offset, int(greatest) + 1)
        places = pixels.astype(np.int32) - offset if offset else pixels
        counts = np.bincount((places if seen is None else places[seen]).ravel(), minlength=len(values))
        padded = (values >= padding[0]) & (values <= padding[1]) if padding else np.zeros(len(values), bool)
        if counts[~padded].sum() == 0:
            padded[:] = False
        table = _bytes(display(values.astype(float), np.where(padded, 0, counts)), inverted)
        table[padded] = 0
        return np.take(table, places)
    values, places, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    if seen is not None:
        counts = np.bincount(places.reshape(pixels.shape)[seen], minlength=len(values))
    return _bytes(display(values.astype(float), counts), inverted)[places].reshape(pixels.shape)


def _bytes(shown: np.ndarray, inverted: bool) -> np.ndarray:
    table = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    return 255 - table if inverted else table


def between_percentiles(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Map values (n,), rising or falling, from 0 at the lower to 1 at the upper percentile of the pixels."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(counts[order])
    at = [min(int(np.searchsorted(reached, share / 100 * reached[-1])), len(values) - 1) for share in PERCENTILES]
    low, high = values[order[at[0]]], values[order[at[1]]]
    if high <= low:  # nearly all pixels are equal: the few others are the image
        present = values[counts > 0]
        low, high = present.min(), present.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def stretched(pixels: np.ndarray) -> np.ndarray:
    """Convert more than 8 bits to uint8, between robust percentiles."""
    return rendered(pixels, between_percentiles)


def windowed(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Map values through a window, from 0 to 1: DICOM PS3.3 C.11.2.1.2, LINEAR, LINEAR_EXACT or SIGMOID."""
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -500, 500)))
    if (
        function == "LINEAR_EXACT" or width < 1
    ):  # LINEAR does not allow such narrow windows: the file means the exact one
        return (values - centre) / width + 0.5
    return (values - (centre - 0.5)) / (width - 1) + 0.5 if width > 1 else (values > centre - 0.5).astype(float)
