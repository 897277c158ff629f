"""Degradation of radiographs without a network: `degrade(good, rng) -> poor`.

`parametric` models the acquisition: blur by focal spot and detector, scatter, low contrast, a coarser grid, and noise.
`bicubic` is the plain resize on which the paper's baseline is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.ndimage import gaussian_filter

Degrade = Callable[[np.ndarray, Generator, int], np.ndarray]


@dataclass(frozen=True)
class Ranges:
    """Ranges of degradation, drawn for each image. Lengths in px of the good image, grey levels in 0..1."""

    blur: tuple[float, float] = (0.8, 2.0)  # sigma of the Gaussian
    haze: tuple[float, float] = (0.05, 0.25)  # share of scattered radiation
    spread: tuple[float, float] = (0.06, 0.15)  # sigma of the scatter, as a share of the shorter side
    contrast: tuple[float, float] = (0.6, 0.95)
    coarse: tuple[float, float] = (1.0, 1.5)  # factor by which the image was sampled more coarsely than the result
    noise: tuple[float, float] = (0.01, 0.04)  # standard deviation at mid grey
    grain: tuple[float, float] = (0.0, 0.6)  # sigma over which noise is correlated, px of the result


RANGES = Ranges()


def parametric(good: np.ndarray, rng: Generator, scale: int = 2, ranges: Ranges = RANGES) -> np.ndarray:
    """Return a poor version, float32 (H / scale, W / scale) in [0, 1], of a good image, float32 (H, W) in [0, 1].

    The variance of the noise is proportional to the grey level (quantum noise), plus a floor of a tenth (electronics).
    Raises ValueError if `scale` does not divide the sides.
    """
    height, width = _small(good, scale)
    seen = gaussian_filter(good, rng.uniform(*ranges.blur), mode="nearest")
    seen = _hazy(seen, rng.uniform(*ranges.haze), rng.uniform(*ranges.spread) * min(good.shape))
    factor = rng.uniform(*ranges.coarse)
    coarse = _resized(seen, (max(1, round(height / factor)), max(1, round(width / factor))), Image.Resampling.BOX)
    seen = _resized(coarse, (height, width), Image.Resampling.BILINEAR)
    seen = seen.mean() + rng.uniform(*ranges.contrast) * (seen - seen.mean())
    grain = gaussian_filter(rng.standard_normal((height, width), dtype=np.float32), rng.uniform(*ranges.grain))
    grain *= rng.uniform(*ranges.noise) / max(float(grain.std()), 1e-6)
    return (seen + grain * np.sqrt(0.1 + 1.8 * seen.clip(0, 1))).clip(0, 1).astype(np.float32)


def bicubic(good: np.ndarray, rng: Generator, scale: int = 2) -> np.ndarray:
    """Return the image reduced `scale` times by Pillow's bicubic filter, without other changes; arguments as above."""
    return _resized(good, _small(good, scale), Image.Resampling.BICUBIC).clip(0, 1)


def shrunk(good: np.ndarray, scale: int) -> np.ndarray:
    """The mean of each square of scale x scale px, float32 (H / scale, W / scale). Raises ValueError as above."""
    return _resized(good, _small(good, scale), Image.Resampling.BOX)


DEGRADATIONS: dict[str, Degrade] = {"parametric": parametric, "bicubic": bicubic}


def _small(good: np.ndarray, scale: int) -> tuple[int, int]:
    height, width = good.shape
    if height % scale or width % scale:
        raise ValueError(f"{width} x {height} is not a multiple of {scale}")
    return height // scale, width // scale


def _hazy(seen: np.ndarray, share: float, spread: float) -> np.ndarray:
    """Replace a share of the image by scatter: the image itself, smoothed on a coarse grid for speed."""
    step = max(1, int(spread / 4))
    small = _resized(seen, (-(-seen.shape[0] // step), -(-seen.shape[1] // step)), Image.Resampling.BOX)
    veil = _resized(gaussian_filter(small, spread / step, mode="nearest"), seen.shape, Image.Resampling.BICUBIC)
    return (1 - share) * seen + share * veil


def _resized(picture: np.ndarray, size: tuple[int, ...], how: Image.Resampling) -> np.ndarray:
    picture = np.asarray(picture, dtype=np.float32)
    return np.asarray(Image.fromarray(picture).resize((size[1], size[0]), how), dtype=np.float32)
