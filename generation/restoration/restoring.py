"""Restorers: `restore(poor, number) -> good`, by diffusion, by HAT, or by plain interpolation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from generation import devices
from generation.devices import Precision, autocast
from generation.diffusion.sampling import ImageNoise, Sampling, solve
from generation.diffusion.schedule import scheduler
from generation.errors import InputError
from generation.restoration import network as diffusion
from generation.restoration.network import STEPS, RestorationUNet, enlarged
from generation.superresolution import checkpoints
from generation.superresolution.upscaling import INTERPOLATIONS, enlarge, interpolate, tiles
from generation.weights import file_of, read_safetensors

Restore = Callable[[np.ndarray, int], np.ndarray]  # (uint8 (h, w), number of the image) to float32 (s h, s w) in [0, 1]
OVERLAP = 32  # px by which tiles overlap


def restorer(
    what: str, scale: int, sampling: Sampling, seed: int, tile: int, precision: Precision, device: torch.device
) -> Restore:
    """Return the restorer named by `what`: bicubic, lanczos, a training of the restoration stage, or a HAT.

    scale: enlargement of the results. tile: longest side of the result that a network sees at once, 0 for all of it.
    Raises InputError if the checkpoint cannot be used or restores by another scale.
    """
    if what in INTERPOLATIONS:
        return lambda poor, number: interpolate(poor, what, scale)
    path = file_of(Path(what))
    if path.suffix == ".safetensors" and read_safetensors(path)[1].get("stage") == "restoration":
        network = devices.prepared(diffusion.load(path), device)
        if network.scale != scale:
            raise InputError(f"{path} makes images {network.scale} times larger, but --scale is {scale}")
        return lambda poor, number: restore(network, poor, sampling, seed, number, tile=tile, precision=precision)
    hat = devices.prepared(checkpoints.load(path), device)
    if hat.upscale % scale:
        raise InputError(f"{path} makes images {hat.upscale} times larger, which is not a multiple of --scale {scale}")

    def by_hat(poor: np.ndarray, number: int) -> np.ndarray:
        small = torch.from_numpy(poor / np.float32(255))[None, None]
        large = enlarge(hat, small, tile=tile // scale, overlap=OVERLAP, precision=precision)
        return F.avg_pool2d(large, hat.upscale // scale)[0, 0].numpy()

    return by_hat


def restore(
    network: RestorationUNet,
    poor: np.ndarray,
    sampling: Sampling,
    seed: int = 0,
    number: int = 0,
    *,
    tile: int = 0,
    overlap: int = OVERLAP,
    precision: Precision = "fp32",
) -> np.ndarray:
    """Return a good image, float32 (s * h, s * w) in [0, 1], for a poor one, uint8 (h, w).

    The noise depends only on the seed and the image's number. tile: longest side of the result that the network sees at
    once, 0 for all of it; in every step each tile sees at least `overlap` more px on every side, so that tiles match.
    """
    device, unit = next(network.parameters()).device, network.unit
    large = torch.from_numpy(enlarged(poor / np.float32(255), network.scale))[None, None] * 2 - 1
    height, width = large.shape[2:]
    down, across = -height % unit, -width % unit
    seen = F.pad(large, (0, across, 0, down), mode="replicate").to(device, memory_format=torch.channels_last)

    def estimate(x: Tensor, timestep: Tensor) -> Tensor:
        velocity = torch.empty_like(x)
        for (top, bottom), (left, right) in _tiles(x.shape[2], x.shape[3], tile, unit):
            margin = -(-overlap // unit) * unit
            y, x0 = max(top - margin, 0), max(left - margin, 0)
            piece = (..., slice(y, bottom + margin), slice(x0, right + margin))
            with autocast(precision, device):
                found = network(x[piece], timestep, seen[piece]).float()
            velocity[..., top:bottom, left:right] = found[..., top - y : bottom - y, left - x0 : right - x0]
        return velocity

    noise = ImageNoise(seed, [number], (1, height + down, width + across))
    solver = scheduler("recommended", sampling.sampler, STEPS)
    return solve(solver, estimate, noise, sampling, device)[0, 0, :height, :width].numpy()


def _tiles(height: int, width: int, tile: int, unit: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield tiles with edges at multiples of `unit`, as required by the network."""
    most = max(1, (tile or max(height, width)) // unit)
    for rows, columns in tiles(height // unit, width // unit, most):
        yield (unit * rows[0], unit * rows[1]), (unit * columns[0], unit * columns[1])
