"""Augmentation that keeps a network from memorising radiographs: shifts, scaling, rotation, brightness."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from torch import Tensor

SHIFT, SCALE, TURN, GAMMA = 0.03, 0.06, 1.5, 0.12  # of the side; of the size; degrees; of the exponent (log)


def jittered(pixels: np.ndarray, strength: float, rng: Generator) -> Tensor:
    """Return an image uint8 (H, W) as (1, H, W) in [-1, 1], transformed by an affine map and a power law of its greys.

    strength: 1 for the amounts above, 0 for none. Images are never mirrored, because left and right differ in meaning.
    Areas from outside repeat the image's edge.
    """
    picture = torch.from_numpy(pixels / np.float32(255))[None, None]
    if strength:
        turn = math.radians(TURN) * strength * rng.uniform(-1, 1)
        size = np.exp(-SCALE * strength * rng.uniform(-0.5, 1.5, 2))  # mostly enlarge, to avoid borders
        shift = 2 * SHIFT * strength * rng.uniform(-1, 1, 2)
        height, width = pixels.shape
        affine = torch.tensor(
            [
                [size[0] * math.cos(turn), -size[0] * math.sin(turn) * height / width, shift[0]],
                [size[1] * math.sin(turn) * width / height, size[1] * math.cos(turn), shift[1]],
            ],
            dtype=torch.float32,
        )
        grid = F.affine_grid(affine[None], [1, 1, height, width], align_corners=False)
        picture = F.grid_sample(picture, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(0, 1)
        picture = picture ** math.exp(GAMMA * strength * rng.uniform(-1, 1))
    return picture[0] * 2 - 1
