"""Remove technical cues that give a class away, as far as possible, from both classes in the same way.

Every image is cropped by its padding and a small random frame (which disrupts the grid of an upsampler or of JPEG),
resized, given the pool's mean distribution of grey levels and fine-detail spectrum, and given the same faint grain
before it is rounded to 8 bits. The image content is not changed, and images are never mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.fft import irfft2, rfft2, rfftfreq
from scipy.stats import rankdata

from generation.known_faults import Box

LEVELS = np.linspace(0.0, 1.0, 257)  # probabilities at which quantile functions are stored
FINE = 0.08  # cycles per px; coarser detail is anatomy and is not changed
BANDS = np.linspace(0.0, np.sqrt(0.5), 49)
GRAIN = 2.0  # grey levels
TRACE = 1.02  # larger block steps indicate JPEG


def harmonise(
    images: Sequence[Image.Image], truths: Sequence[str], size: tuple[int, int], seed: int
) -> tuple[list[np.ndarray], list[Box]]:
    """Return images (mode L) as uint8 arrays of `size` (width, height), with the same grey levels, spectrum and grain.

    Also return which part of each image was used. truths: truth of each image; the pool's figures give both classes
    equal weight, regardless of their numbers.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    frames, boxes = [], []
    for image in images:
        pixels = deblocked(np.asarray(image, dtype=np.float32))
        boxes.append(_box(pixels, rng))
        part = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, box=boxes[-1])
        frames.append(np.asarray(part))
    levels = _level(frames, truths)
    for _ in range(2):  # each step slightly affects the other
        frames = [np.interp(_ranks(frame), LEVELS, levels).astype(np.float32) for frame in frames]
        frames = _match_spectra(_match_noise(frames, rng), truths)
    return [_rounded(frame, rng) for frame in frames], boxes


def padding(pixels: np.ndarray, tolerance: float = 2.0) -> tuple[int, int, int, int]:
    """How many rows and columns at each side (top, left, bottom, right) have one grey level, within `tolerance`."""

    def run(lines: np.ndarray) -> int:
        flat = (np.ptp(lines, axis=1) <= tolerance) & (np.abs(lines[:, 0] - lines[0, 0]) <= tolerance)
        return int(len(flat) if flat.all() else flat.argmin())

    return run(pixels), run(pixels.T), run(pixels[::-1]), run(pixels.T[::-1])


def block_steps(pixels: np.ndarray) -> np.ndarray:
    """Return the second difference between columns by position modulo 8: (8,), relative to the median."""
    bends = np.abs(np.diff(pixels, 2, axis=1)).mean(axis=0)
    phases = np.array([bends[phase::8].mean() for phase in range(8)])
    return phases / max(float(np.median(phases)), 1e-6)


def deblocked(pixels: np.ndarray) -> np.ndarray:
    """Return an image, float (height, width), with the steps between JPEG's 8 x 8 blocks smoothed."""
    for axis in (0, 1):
        turned = np.moveaxis(pixels, axis, 1).copy()
        steps = block_steps(turned)
        pair = int(np.argmax(steps + np.roll(steps, -1)))  # a step between two columns shows in both
        excess = (steps[pair] + steps[(pair + 1) % 8]) / 2
        if excess > TRACE:
            before = np.arange(pair + 1, turned.shape[1] - 2, 8)
            before = before[before >= 1]
            outer, inner = turned[:, before - 1], turned[:, before]
            next_inner, next_outer = turned[:, before + 1], turned[:, before + 2]
            step = (next_inner - inner) - ((inner - outer) + (next_outer - next_inner)) / 2
            step *= (1 - 1 / excess) * (np.abs(step) < 24)  # larger steps are real edges
            turned[:, before - 1] += 0.15 * step
            turned[:, before] += 0.4 * step
            turned[:, before + 1] -= 0.4 * step
            turned[:, before + 2] -= 0.15 * step
        pixels = np.moveaxis(turned, 1, axis)
    return pixels


def _box(pixels: np.ndarray, rng: np.random.Generator) -> Box:
    """Return the part of an image without its padding and a thin random frame."""
    top, left, bottom, right = padding(pixels)
    height, width = pixels.shape
    if top + bottom >= height or left + right >= width:
        top = left = bottom = right = 0  # a uniform image
    cut = rng.uniform(0.015, 0.03, 4) * ((height - top - bottom, width - left - right) * 2)
    return left + cut[1], top + cut[0], width - right - cut[3], height - bottom - cut[2]


def _weights(truths: Sequence[str]) -> np.ndarray:
    counts = {truth: list(truths).count(truth) for truth in set(truths)}
    return np.array([1 / (len(counts) * counts[truth]) for truth in truths])


def _level(frames: list[np.ndarray], truths: Sequence[str]) -> np.ndarray:
    """The mean quantile function: the grey levels that are nearest to those of all images (Wasserstein barycentre)."""
    quantiles = np.array([np.quantile(frame[::2, ::2], LEVELS) for frame in frames])
    return np.clip(_weights(truths) @ quantiles, 0, 255)


def _ranks(frame: np.ndarray) -> np.ndarray:
    """Return the rank of every pixel in 0..1.

    Equal pixels, such as clipped black or white, share the rank next to the other greys, so that no step appears there.
    """
    values = np.round(frame, 1).ravel()
    ranks = np.where(values < np.median(values), rankdata(values, "max"), rankdata(values, "min"))
    return ((ranks - 0.5) / frame.size).reshape(frame.shape)


def noise_level(pixels: np.ndarray) -> float:
    """The standard deviation of noise, by the median of Haar's finest diagonal detail (Donoho and Johnstone, 1994)."""
    even = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
    diagonal = (even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(diagonal))) / 0.6745


def _match_noise(frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Add grain to smooth images, so that none is smoother than the noisiest quarter of the pool."""
    levels = [noise_level(frame) for frame in frames]
    wanted = np.quantile(levels, 0.75)
    return [
        frame + max(wanted**2 - level**2, 0.0) ** 0.5 * rng.standard_normal(frame.shape, dtype=np.float32)
        for frame, level in zip(frames, levels, strict=True)
    ]


def _rings(shape: tuple[int, int]) -> np.ndarray:
    down, across = np.fft.fftfreq(shape[0])[:, None], rfftfreq(shape[1])[None, :]
    return np.hypot(down, across)


def _match_spectra(frames: list[np.ndarray], truths: Sequence[str]) -> list[np.ndarray]:
    """Scale the fine detail of each image, ring by ring of its spectrum, to the typical power of the weaker class."""
    radius = _rings(frames[0].shape)
    ring = np.digitize(radius, BANDS) - 1
    cells = np.maximum(np.bincount(ring.ravel()), 1)
    power = np.array([np.bincount(ring.ravel(), (np.abs(rfft2(frame)) ** 2).ravel()) / cells for frame in frames])
    logs = np.log(np.maximum(power, 1e-12))
    classes = [np.median(logs[np.array(truths) == truth], axis=0) for truth in sorted(set(truths))]
    target = np.min(classes, axis=0)
    gain = np.exp(np.clip((target - logs) / 2, -3.0, 0.7))
    blend = np.clip((radius - FINE) / FINE, 0.0, 1.0)
    shape = frames[0].shape
    return [
        irfft2(rfft2(frame) * (1 + blend * (own[ring] - 1)), s=shape).astype(np.float32)
        for frame, own in zip(frames, gain, strict=True)
    ]


def _rounded(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grained = frame + GRAIN * rng.standard_normal(frame.shape, dtype=np.float32)
    return np.clip(np.rint(grained), 0, 255).astype(np.uint8)
