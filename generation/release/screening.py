"""Screening of synthetic images that are too close to a training image to be released."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from generation import duplicates
from generation.arguments import bar
from generation.errors import InputError
from generation.evaluation import embedding, features, memorisation

LEAST = 5  # images per set
DIGITS = 9  # of a threshold, so that the recorded value is the one used


@dataclass(frozen=True)
class Judgement:
    """Distance to the nearest training image, correlation with a copied one, and the reason for exclusion."""

    distance: float
    correlation: float | None
    reason: str  # empty if it is released


class Screen:
    """Compares images with the training images.

    An image is a `copy` if `generation.duplicates` finds a training image in it, possibly cropped or mirrored, and
    `near` if its cosine distance to the nearest one is below the threshold: by default the smallest such distance of a
    held-out real image (or between training images, if none was held out).
    """

    def __init__(self, training: Path, held_out: Path | None, weights: Path | None, threshold: float | None):
        """weights: embedding weights written by `generation neighbours`; by default, radiomic features are used.

        Raises InputError if images cannot be read or are too few.
        """
        self.space = _space(weights)
        paths, unseen = memorisation.real(training, held_out)
        kept, self.known = memorisation.distinct(paths)
        paths = [paths[n] for n in kept]
        if unseen:
            unseen = [unseen[n] for n in memorisation.distinct(unseen, paths)[0]]
        small = [f"training: {len(paths)}"] if len(paths) < LEAST else []
        small += [f"held-out: {len(unseen)}"] if unseen and len(unseen) < LEAST else []
        if small:
            raise InputError(f"each set of real images needs at least {LEAST} distinct ones:", small)
        self.images = len(paths)
        self.reference = f"{len(unseen)} held-out images" if unseen else "other training images"
        with tempfile.TemporaryDirectory() as scratch:
            values = self._extracted(paths, Path(scratch, "training"))
            self.middle, self.spread = values.mean(axis=0), values.std(axis=0) + 1e-9
            self.training = (values - self.middle) / self.spread
            if threshold is None:
                threshold = self._least(paths, unseen, Path(scratch, "held-out"))
        self.threshold = round(threshold, DIGITS)

    def judge(self, images: Sequence[Image.Image]) -> list[Judgement]:
        """Judge 8-bit grey images, a few at a time."""
        found = memorisation.neighbours(
            self._scaled(images), self._scaled([ImageOps.mirror(image) for image in images]), self.training
        )
        copies: dict[int, float] = {}
        for i, _, alike in duplicates.pairs([duplicates.signature(image) for image in images], self.known):
            copies[i] = max(alike, copies.get(i, 0.0))
        return [
            Judgement(float(distance), copies.get(n), self._reason(float(distance), n in copies))
            for n, distance in enumerate(found.distance)
        ]

    def _reason(self, distance: float, copy: bool) -> str:
        return "copy" if copy else "near" if distance < self.threshold else ""

    def _scaled(self, images: Sequence[Image.Image]) -> np.ndarray:
        return (self.space.features(images) - self.middle) / self.spread

    def _least(self, paths: list[Path], unseen: list[Path], scratch: Path) -> float:
        groups = None if unseen else (np.arange(len(paths)),) * 2
        upright, turned = (
            (self._extracted(unseen or paths, scratch, mirrored) - self.middle) / self.spread
            for mirrored in (False, True)
        )
        return float(memorisation.neighbours(upright, turned, self.training, groups).distance.min())

    def _extracted(self, paths: list[Path], scratch: Path, mirrored: bool = False) -> np.ndarray:
        with bar("real images seen") as progress:
            arrays = features.extract([self.space], paths, scratch, progress, mirrored)
        return np.array(arrays[self.space.name], dtype=np.float64)


def _space(weights: Path | None) -> features.Space:
    if weights is None:
        return features.radiomic()
    network = embedding.load(weights)
    return features.Space("embedding", weights.name, lambda images: embedding.embed(network, images))
