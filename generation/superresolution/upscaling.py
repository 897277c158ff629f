"""Enlarge images with HAT, whole or in tiles, and by interpolation as a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from generation.devices import Precision, autocast
from generation.superresolution.hat import HAT

INTERPOLATIONS = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


@torch.inference_mode()
def enlarge(
    network: HAT, pictures: Tensor, *, tile: int = 0, overlap: int = 32, precision: Precision = "fp32"
) -> Tensor:
    """Enlarge images (B, C, H, W) in [0, 1], one or three channels, to (B, C, s * H, s * W) in [0, 1], float32 on CPU.

    A three-channel network gets grey images as three equal channels, and the mean of its channels is returned.
    tile: longest side that the network sees at once, 0 for all. Each tile sees `overlap` more pixels on every side,
    which are cropped from its result.
    """
    device = next(network.parameters()).device
    batch, channels, height, width = pictures.shape
    scale, own = network.upscale, network.conv_first.in_channels
    seen = pictures.mean(1, keepdim=True) if own == 1 else pictures.expand(-1, own, -1, -1)
    large = torch.empty(batch, own, scale * height, scale * width)
    for (top, bottom), (left, right) in tiles(height, width, tile or max(height, width)):
        y, x = max(top - overlap, 0), max(left - overlap, 0)
        piece = seen[..., y : bottom + overlap, x : right + overlap].to(device)
        with autocast(precision, device):
            result = network(piece).float()
        rows, columns = (slice(scale * (top - y), scale * (bottom - y)), slice(scale * (left - x), scale * (right - x)))
        large[..., scale * top : scale * bottom, scale * left : scale * right] = result[..., rows, columns].cpu()
    large.clamp_(0, 1)
    return large.mean(1, keepdim=True).expand(-1, channels, -1, -1) if own != channels else large


def tiles(height: int, width: int, tile: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield rows and columns (first, past the last) of nearly equal tiles of at most tile x tile pixels."""
    for rows in _spans(height, tile):
        for columns in _spans(width, tile):
            yield rows, columns


def interpolate(pixels: np.ndarray, method: str, scale: int = 4) -> np.ndarray:
    """Enlarge a grey image uint8 (H, W) by `bicubic` or `lanczos`, in [0, 1], as a baseline for networks."""
    height, width = pixels.shape
    image = Image.fromarray(pixels).resize((scale * width, scale * height), INTERPOLATIONS[method])
    return np.asarray(image) / np.float32(255)


def _spans(length: int, most: int) -> list[tuple[int, int]]:
    count = -(-length // most)
    edges = [round(i * length / count) for i in range(count + 1)]
    return list(pairwise(edges))
