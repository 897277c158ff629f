"""Load HAT: the authors' `Real_HAT_GAN_SRx4_finetuned.pth`, and networks written by `generation train`."""

from __future__ import annotations

from pathlib import Path

from generation.superresolution.hat import HAT
from generation.weights import adopt, is_ours, read_ours, read_pickle, weights_under


def load(path: str | Path) -> HAT:
    """Load the network in a checkpoint, on the CPU and ready to upscale.

    A `.safetensors` file, a training folder or packed weights are in our format; anything else must be in the released
    format, with `params_ema`, and have the published size. Raises InputError naming the problem: missing, truncated,
    would run code, or not HAT.
    """
    path = Path(path)
    if is_ours(path):
        return read_ours(path, "superresolution", lambda about: HAT(**about["config"]))
    return _authors(path).eval().requires_grad_(False)


def _authors(path: Path) -> HAT:
    network = HAT()
    adopt(network, weights_under(read_pickle(path), "params_ema", path), path)
    return network
