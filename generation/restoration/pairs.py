"""Training pairs for restoration: good images of a corpus, degraded on demand."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.random import PCG64, Generator

from generation.diffusion.sampling import Sampling
from generation.errors import InputError
from generation.restoration import crops
from generation.restoration.learnt import degradation
from generation.restoration.network import STEPS
from generation.settings import explained


@dataclass(frozen=True)
class Pairs:
    """The training pairs."""

    degradation: str = explained(
        "parametric",
        "how good images are degraded: parametric, bicubic (the paper's baseline), or a training folder",
    )
    steps: int = explained(10, "denoising steps, if that is a DDPM-LQ network", least=1, most=STEPS)
    draws: int = explained(0, "poor versions drawn of each image and kept; 0 for a new one each time", least=0)
    scale: int = explained(2, "how many times larger the good image is", least=1)
    crop: int = explained(256, "side of the training crops of the good image, px", least=16)


class MadePairs:
    """Good images and their degraded versions.

    size: (height, width) of the images. unit: the side of a crop must be a multiple of it. Raises InputError if the
    settings do not match, or name no degradation.
    """

    def __init__(self, settings: Pairs, size: tuple[int, ...], unit: int):
        height, width = size
        faults = crops.faults("pairs.crop", settings.crop, (height, width), unit)
        if height % settings.scale or width % settings.scale:
            faults.append(f"pairs.scale: {settings.scale} does not divide {width} x {height}")
        if faults:
            raise InputError("these settings cannot be used", faults)
        self.settings = settings
        self.degrade = degradation(settings.degradation, Sampling(steps=settings.steps))
        self.drawn: dict[tuple[int, int], np.ndarray] = {}

    def pair(self, pixels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
        """The good (H, W) and the poor (H / scale, W / scale) version of an image uint8 (H, W), float32 in [0, 1].

        The whole image is degraded, so that haze and contrast are those of whole images: newly each time, or as one of
        `draws` versions, which depend only on the image.
        """
        good = pixels / np.float32(255)
        if not self.settings.draws:
            return good, self.degrade(good, rng, self.settings.scale)
        draw = (zlib.crc32(pixels.tobytes()), int(rng.integers(self.settings.draws)))
        if draw not in self.drawn:
            self.drawn[draw] = self.degrade(good, Generator(PCG64(draw)), self.settings.scale)
        return good, self.drawn[draw]

    def shown(self, pixels: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the same for an image on the sample sheet, degraded in the same way every time."""
        good = pixels / np.float32(255)
        return good, self.degrade(good, Generator(PCG64([0, number])), self.settings.scale)
