"""Features without weights: grey levels, texture and spectrum of a radiograph.

A Frechet distance over features scaled by the real set's own spread is a radiomic Frechet distance (after Konz et
al., "Frechet radiomic distance", 2024); ours are first-order statistics, a co-occurrence matrix, local binary patterns,
gradient directions and the radial spectrum, of the image at 256 x 128 px and at half that size.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

SIZE = (256, 128)  # width x height
GREYS = 16  # levels of the co-occurrence matrix
RINGS = 12


def radiomics(image: Image.Image) -> np.ndarray:
    """Return the features of an 8-bit grey image, float (DIMENSIONS,)."""
    small = image.convert("L").resize(SIZE, Image.Resampling.BOX)
    return np.concatenate([_features(np.asarray(view, dtype=np.float64)) for view in (small, small.reduce(2))])


def _features(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [
            _first_order(pixels),
            _co_occurrence(pixels),
            _binary_patterns(pixels),
            _directions(pixels),
            np.log(radial_spectrum(pixels, RINGS) + 1.0),
        ]
    )


def _first_order(pixels: np.ndarray) -> np.ndarray:
    centred = pixels - pixels.mean()
    spread = max(float(pixels.std()), 1e-6)
    shape = [(centred**3).mean() / spread**3, (centred**4).mean() / spread**4]
    counts = np.bincount(pixels.astype(int).ravel() // 4, minlength=64) / pixels.size
    entropy = -(counts[counts > 0] * np.log2(counts[counts > 0])).sum()
    return np.array([pixels.mean(), spread, *shape, entropy, *np.quantile(pixels, (0.05, 0.25, 0.5, 0.75, 0.95))])


def _co_occurrence(pixels: np.ndarray) -> np.ndarray:
    """Haralick's contrast, correlation, energy and homogeneity (1973) of neighbours 1 and 3 px apart, both ways."""
    edges = np.quantile(pixels, np.linspace(0, 1, GREYS + 1)[1:-1])
    levels = np.digitize(pixels, edges)
    i, j = np.mgrid[0:GREYS, 0:GREYS]
    found = []
    for step in (1, 3):
        for left, right in ((levels[:, :-step], levels[:, step:]), (levels[:-step], levels[step:])):
            matrix = np.bincount((left * GREYS + right).ravel(), minlength=GREYS**2).reshape(GREYS, GREYS).astype(float)
            matrix = (matrix + matrix.T) / (2 * matrix.sum())
            mean = (i * matrix).sum()
            variance = max(((i - mean) ** 2 * matrix).sum(), 1e-9)
            found += [
                ((i - j) ** 2 * matrix).sum(),
                ((i - mean) * (j - mean) * matrix).sum() / variance,
                (matrix**2).sum(),
                (matrix / (1 + (i - j) ** 2)).sum(),
            ]
    return np.array(found)


def _binary_patterns(pixels: np.ndarray) -> np.ndarray:
    """Count how often 0 to 8 of a pixel's neighbours are brighter: binary patterns (after Ojala et al., 2002)."""
    smooth = gaussian_filter(pixels, 0.7)
    height, width = smooth.shape
    centre = smooth[1:-1, 1:-1]
    brighter = sum(
        (smooth[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx] > centre).astype(int)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dy, dx) != (0, 0)
    )
    return np.bincount(np.asarray(brighter).ravel(), minlength=9) / centre.size


def _directions(pixels: np.ndarray) -> np.ndarray:
    """Return gradient strength by direction in eight bins, divided by its sum; and the mean strength."""
    down, across = np.gradient(gaussian_filter(pixels, 1.0))
    strength, turn = np.hypot(down, across), np.mod(np.arctan2(down, across), np.pi)
    bins = np.bincount(np.minimum((turn / np.pi * 8).astype(int), 7).ravel(), strength.ravel(), minlength=8)
    return np.append(bins / max(bins.sum(), 1e-9), strength.mean())


def radial_spectrum(pixels: np.ndarray, rings: int) -> np.ndarray:
    """Return mean power by spatial frequency, in rings from 0 to .5 cycles per px, of an image without its mean."""
    window = np.outer(np.hanning(pixels.shape[0]), np.hanning(pixels.shape[1]))
    power = np.abs(np.fft.rfft2((pixels - pixels.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(pixels.shape[0])[:, None], np.fft.rfftfreq(pixels.shape[1])[None, :])
    ring = np.minimum((radius * 2 * rings).astype(int), rings).ravel()  # the corners beyond .5 are left out
    count = np.bincount(ring, minlength=rings + 1)
    return (np.bincount(ring, power.ravel(), rings + 1) / np.maximum(count, 1))[:rings]


DIMENSIONS = len(radiomics(Image.new("L", SIZE)))
