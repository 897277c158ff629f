"""Training of latent diffusion: settings, latents that are computed once, and the loss on velocity."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import PCG64, Generator
from torch import Tensor, nn
from tqdm import tqdm

from generation.diffusion.sampling import ImageNoise, Sampling, denoise
from generation.diffusion.schedule import STEPS, scheduler
from generation.errors import InputError
from generation.examples import VALIDATION, Example, Pictures
from generation.latent.autoencoder import FACTOR, Autoencoder
from generation.latent.jitter import jittered
from generation.latent.network import LatentDiffusion
from generation.settings import explained
from generation.training import Optimiser, Training, contact_sheet
from generation.weights import file_of, read_ours, read_safetensors

PICTURES = "lr"
AT_ONCE = 8  # images encoded together


@dataclass(frozen=True)
class LatentNetwork:
    """The network to be trained, and its autoencoder."""

    autoencoder: str = explained("", "folder of the `--stage autoencoder` run whose latents are learnt")
    widths: tuple[int, ...] = explained((64, 128, 160), "channels of each level, each half the size of the last")
    attention: tuple[int, ...] = explained((4,), "levels with attention, by their height in latents")
    blocks: int = explained(1, "residual blocks per level", least=1)
    components: int = explained(96, "principal directions of the linear estimate that the network starts from", least=1)
    guidance: float = explained(
        1.5, "how far samples are moved away from those of the linear estimate; 1 for none", least=0
    )
    views: int = explained(12, "times each image is encoded, each time shifted a little", least=1)
    jitter: float = explained(1.0, "how much images are shifted, rotated, enlarged and brightened; 0 for none", least=0)


@dataclass(frozen=True)
class LatentSettings:
    """Everything that determines a training of this stage, apart from the corpus and the seed."""

    network: LatentNetwork = field(default_factory=LatentNetwork)
    optimiser: Optimiser = field(default_factory=lambda: Optimiser(5e-4, warmup=100, ema=0.998))
    training: Training = field(default_factory=lambda: Training(epochs=130, batch=16, save_every=150, look_every=10))
    sampling: Sampling = field(default_factory=Sampling)


PRESETS = {"recommended": LatentSettings()}


class LatentTask:
    """A network that learns to remove noise from latents (`generation.training.Task`), made by `prepare`."""

    def __init__(self, settings: LatentSettings, pictures: Pictures):
        path = _autoencoder(settings)
        config = read_safetensors(path)[1]["config"]
        height, width = (side * FACTOR for side in pictures.pixels.shape[3:])
        self.about: dict[str, Any] = {"stage": "diffusion", "design": "latent"}
        self.about["config"] = {
            "height": height,
            "width": width,
            "widths": list(settings.network.widths),
            "attention": list(settings.network.attention),
            "blocks": settings.network.blocks,
            "components": settings.network.components,
            "autoencoder": config,
            "guidance": settings.network.guidance,
        }
        least = settings.network.components + 1
        if pictures.pixels.shape[0] * pictures.pixels.shape[1] < least:
            views = f"{len(pictures)} pictures of {pictures.pixels.shape[1]} views"
            raise InputError(f"network.components: at least {least} latents are needed, found {views}")
        try:
            self.network = LatentDiffusion(**self.about["config"])
        except ValueError as error:
            raise InputError(f"[network] cannot be built for pictures of {width} x {height}: {error}") from None
        self.network.autoencoder.load_state_dict(load(path).state_dict())
        self.network.linear.learn(torch.from_numpy(pictures.pixels).flatten(0, 1).float())
        self.settings = settings
        self.networks: dict[str, nn.Module] = {"network": self.network}
        self.solver = scheduler("latent", "ddim")

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """Return the latents of one view of an image, the noise to be added, and its amount."""
        latents = torch.from_numpy(pixels[int(rng.integers(len(pixels)))]).float()
        return {
            "latents": self.network.linear.standardised(latents.to(self.network.linear.mean.device)).cpu(),
            "noise": torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32)),
            "timestep": torch.tensor(int(rng.integers(STEPS))),
        }

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """Return the mean square between the estimated and the true velocity."""
        latents, noise, timestep = batch["latents"], batch["noise"], batch["timestep"]
        noisy = self.solver.add_noise(latents, noise, timestep).contiguous(memory_format=torch.channels_last)
        target = self.solver.get_velocity(latents, noise, timestep)
        return {"loss": F.mse_loss(network(noisy, timestep).float(), target)}

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return the training loss on held-out images with fixed noise."""
        return self.losses("network", network, batch)["loss"]

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return samples from the same seeds every time, to show the progress of a training."""
        noise = ImageNoise(0, range(count), (self.network.in_channels, *self.network.size))
        return contact_sheet(denoise(self.network, noise, self.settings.sampling), columns=4)


def load(path: Path) -> Autoencoder:
    """Load an autoencoder written by `--stage autoencoder`. Raises InputError like `weights.read_ours`."""
    return read_ours(file_of(path), "autoencoder", lambda about: Autoencoder(**about["config"]))


def prepare(settings: LatentSettings, pictures: dict[str, Pictures], seed: int) -> dict[str, Pictures]:
    """Return the images as latents: see `encoded`."""
    chosen = settings.network
    return encoded(load(_autoencoder(settings)), pictures, chosen.views, chosen.jitter, seed)


def encoded(
    network: Autoencoder, pictures: dict[str, Pictures], views: int, jitter: float, seed: int
) -> dict[str, Pictures]:
    """The images of each split as latents, float16 (N, views, channels, H / 8, W / 8); one view for held-out images.

    Views depend only on the seed, the image's number and their own number. Raises InputError for images with sides that
    are not multiples of 8 px.
    """
    return {
        split: replace(found, pixels=_encoded(network, found.pixels, views * (split == "train"), jitter, seed))
        for split, found in pictures.items()
    }


@torch.inference_mode()
def _encoded(network: Autoencoder, pixels: np.ndarray, views: int, jitter: float, seed: int) -> np.ndarray:
    height, width = pixels.shape[1:]
    if height % FACTOR or width % FACTOR:
        raise InputError(
            f"the autoencoder needs images with sides that are multiples of {FACTOR} px, found {width} x {height}"
        )
    found = []
    for number, picture in enumerate(tqdm(pixels, desc="encoding", leave=False)):
        moved = [
            jittered(picture, jitter if views else 0, Generator(PCG64([seed, VALIDATION - 1, number, view])))
            for view in range(max(views, 1))
        ]
        parts = [network.encode(torch.stack(moved[at : at + AT_ONCE])) for at in range(0, len(moved), AT_ONCE)]
        found.append(torch.cat(parts).half().numpy())
    return np.stack(found)


def _autoencoder(settings: LatentSettings) -> Path:
    if not settings.network.autoencoder:
        raise InputError("network.autoencoder is required: the folder of a run of `generate train --stage autoencoder`")
    return file_of(Path(settings.network.autoencoder))


def make_task(settings: LatentSettings, pictures: Pictures) -> LatentTask:
    """Return the task of this stage for latents from `prepare`. Raises InputError if the settings do not match them."""
    return LatentTask(settings, pictures)
