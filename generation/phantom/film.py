"""From attenuation to a developed film: unsharpness, scatter, the film's curve, grain, exposure, edges, the label."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

LABEL = "PHANTOM"


def develop(rng: np.random.Generator, film: np.ndarray) -> np.ndarray:
    """Convert attenuation, float32 (height, width), to an 8-bit radiograph labelled as a phantom in its corner."""
    height, width = film.shape
    film = gaussian_filter(film, rng.uniform(0.8, 1.35), truncate=3.0)
    veil = np.asarray(Image.fromarray(film).reduce(16).resize((width, height), Image.Resampling.BICUBIC))
    film = film + rng.uniform(0.10, 0.30) * (film - veil)  # the vendor's filter
    image = 1.0 - np.exp(-np.clip(film, 0.02, None) * 1.25)
    grain = gaussian_filter(rng.standard_normal(film.shape, dtype=np.float32), rng.uniform(0.45, 0.75), truncate=3.0)
    image += grain / grain.std() * rng.uniform(0.010, 0.020) * (1.25 - image)
    # Exposure is random for every film, so that brightness and contrast do not reveal its class.
    image = (image - image.mean()) / image.std() * rng.uniform(0.165, 0.205) + rng.uniform(0.40, 0.50)
    image *= _collimation(rng, height, width)
    pixels = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    label = _label()
    corner = pixels[height - label.shape[0] - 8 : height - 8, 12 : 12 + label.shape[1]]
    np.maximum(corner, label, out=corner)
    return pixels


def _collimation(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return where the slit lets the beam through: 1, falling off over a few px at the edges of some films."""
    margin, soft = rng.uniform(-6, 7), rng.uniform(1.5, 5)
    down, across = np.arange(height), np.arange(width)
    rows = np.clip((np.minimum(down, height - 1 - down) - margin) / soft, 0, 1)
    columns = np.clip((np.minimum(across, width - 1 - across) - margin) / soft, 0, 1)
    return np.outer(rows, columns).astype(np.float32)


@lru_cache(maxsize=1)
def _label() -> np.ndarray:
    font = ImageFont.load_default(size=13)
    left, top, right, bottom = font.getbbox(LABEL)
    plate = Image.new("L", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(plate).text((-left, -top), LABEL, fill=235, font=font)
    return np.asarray(plate)
