"""Load diffusion networks: the authors' `ddpm-model-epNN.pth`, and those written by `generation train`."""

from __future__ import annotations

from pathlib import Path

from generation.diffusion.recommended import RecommendedUNet
from generation.diffusion.schedule import LATENT
from generation.diffusion.unet import PanoDiffUNet
from generation.errors import InputError
from generation.latent.network import LatentDiffusion
from generation.weights import adopt, is_ours, read_ours, read_pickle, weights_under

Network = PanoDiffUNet | RecommendedUNet | LatentDiffusion
FLASH = "down_blocks.0.2.to_qkv.weight"


def load(path: str | Path) -> Network:
    """Load the network in a checkpoint, with its averaged (EMA) weights, on the CPU and ready to sample.

    A `.safetensors` file, a training folder or packed weights are in our format; anything else must be in the authors'
    format, with `ema_model_state`. Raises InputError naming the problem: missing, truncated, would run code, a
    different network, or trained with the authors' flash-attention flag.
    """
    path = Path(path)
    if is_ours(path):
        return read_ours(path, "diffusion", lambda about: build(about["design"], about["config"]))
    return _authors(path).eval().requires_grad_(False)


def build(design: str, config: dict) -> Network:
    """Build a network with random weights. Raises ValueError for an unknown design or an invalid size."""
    if design == "published":
        return PanoDiffUNet(**config)
    if design == "recommended":
        return RecommendedUNet(**config)
    if design in LATENT:
        return LatentDiffusion(**config)
    raise ValueError(f"design {design!r} is not one of published, recommended, latent, student")


def _authors(path: Path) -> PanoDiffUNet:
    state = weights_under(read_pickle(path), "ema_model_state", path)
    if FLASH in state:
        raise InputError(f"{path} was trained with the flash-attention flag, a different network: it has {FLASH}")
    network = PanoDiffUNet()
    adopt(network, state, path)
    return network
