"""Degradation of images for training super-resolution, after Real-ESRGAN (arXiv 2107.10833).

Two rounds of blur, resizing, noise and JPEG, then a ringing (sinc) filter and JPEG again, in either order. Ranges and
probabilities are those of the paper; images are always grey.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.ndimage import convolve
from scipy.special import j1

RESAMPLINGS = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


@dataclass(frozen=True)
class Round:
    """The ranges of one round."""

    blur: tuple[float, float]  # sigma, px
    blurred: float  # probability
    enlarged: float  # probability of enlarging; those of reducing and of no change are as in the paper
    shrunk: float
    scale: tuple[float, float]
    noise: tuple[float, float]  # sigma of Gaussian noise, grey levels of 255
    photons: tuple[float, float]  # scale of Poisson noise


FIRST = Round((0.2, 3.0), 1.0, 0.2, 0.7, (0.15, 1.5), (1, 30), (0.05, 3.0))
SECOND = Round((0.2, 1.5), 0.8, 0.3, 0.4, (0.3, 1.2), (1, 25), (0.05, 2.5))
QUALITY = (30, 95)
RINGING = 0.1  # probability of a sinc filter instead of a blur; at the end it is 8 in 10


def area(picture: np.ndarray, scale: int = 4) -> np.ndarray:
    """Return the mean of every scale x scale square: float32 (H, W) to (H / scale, W / scale)."""
    height, width = picture.shape
    return picture.reshape(height // scale, scale, width // scale, scale).mean((1, 3), dtype=np.float32)


def real_esrgan(picture: np.ndarray, rng: Generator, scale: int = 4) -> np.ndarray:
    """Return a degraded image, float32 in [0, 1], `scale` times smaller than `picture` (float32 (H, W) in [0, 1])."""
    height, width = picture.shape
    small = (height // scale, width // scale)
    degraded = picture
    for number, ranges in enumerate((FIRST, SECOND)):
        if rng.random() < ranges.blurred:
            degraded = convolve(degraded, _blur(rng, ranges.blur), mode="mirror")
        degraded = _resize(degraded, _size(rng, ranges, (height, width) if number == 0 else small), rng)
        degraded = _noisy(degraded, ranges, rng)
        if number == 0:
            degraded = _jpeg(degraded, rng)
    ringing = _sinc(rng) if rng.random() < 0.8 else np.ones((1, 1), dtype=np.float32)
    if rng.random() < 0.5:
        degraded = _jpeg(convolve(_resize(degraded, small, rng), ringing, mode="mirror"), rng)
    else:
        degraded = convolve(_resize(_jpeg(degraded, rng), small, rng), ringing, mode="mirror")
    return degraded.clip(0, 1)


def _size(rng: Generator, ranges: Round, base: tuple[int, int]) -> tuple[int, int]:
    low, high = ranges.scale
    chance = rng.random()
    if chance < ranges.enlarged:
        factor = rng.uniform(1, high)
    elif chance < ranges.enlarged + ranges.shrunk:
        factor = rng.uniform(low, 1)
    else:
        factor = 1.0
    return max(8, round(base[0] * factor)), max(8, round(base[1] * factor))


def _resize(picture: np.ndarray, size: tuple[int, int], rng: Generator) -> np.ndarray:
    resampling = RESAMPLINGS[rng.integers(len(RESAMPLINGS))]
    return np.asarray(Image.fromarray(picture).resize(size[::-1], resampling), dtype=np.float32)


def _noisy(picture: np.ndarray, ranges: Round, rng: Generator) -> np.ndarray:
    picture = picture.clip(0, 1)
    if rng.random() < 0.5:
        noise = rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(rng.uniform(*ranges.noise) / 255)
    else:
        noise = (rng.poisson(picture * 255.0) / 255.0 - picture) * rng.uniform(*ranges.photons)
    return (picture + noise).clip(0, 1).astype(np.float32)


def _jpeg(picture: np.ndarray, rng: Generator) -> np.ndarray:
    buffer = io.BytesIO()
    pixels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(QUALITY[0], QUALITY[1] + 1)))
    return np.asarray(Image.open(buffer), dtype=np.float32) / np.float32(255)


def _blur(rng: Generator, sigmas: tuple[float, float]) -> np.ndarray:
    """Return an odd kernel of 7 to 21 px: a round or oblong Gaussian, sometimes peaked or flat; sometimes a sinc."""
    if rng.random() < RINGING:
        return _sinc(rng)
    reach = int(rng.integers(3, 11))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along = rng.uniform(*sigmas)
    across, angle = (rng.uniform(*sigmas), rng.uniform(-np.pi, np.pi)) if rng.random() < 0.35 else (along, 0.0)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    distance = (u / along) ** 2 + (v / across) ** 2
    kind = rng.random()
    if kind < 0.7:
        kernel = np.exp(-distance / 2)
    elif kind < 0.85:
        kernel = np.exp(-(distance ** rng.uniform(0.5, 4.0)) / 2)  # generalised
    else:
        kernel = 1 / (1 + distance ** rng.uniform(1.0, 2.0))  # plateau
    return (kernel / kernel.sum()).astype(np.float32)


def _sinc(rng: Generator) -> np.ndarray:
    """Return a circular low-pass filter, which causes ringing."""
    reach = int(rng.integers(3, 11))
    cutoff = rng.uniform(np.pi / 3, np.pi)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    radius = np.hypot(x, y)
    with np.errstate(invalid="ignore", divide="ignore"):
        kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[reach, reach] = cutoff**2 / (4 * np.pi)
    return (kernel / kernel.sum()).astype(np.float32)
