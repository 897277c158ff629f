"""Training of a diffusion network: settings, and the loss on noise or velocity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from torch import Tensor, nn

from generation.diffusion.checkpoints import build
from generation.diffusion.sampling import ImageNoise, Sampling, denoise
from generation.diffusion.schedule import STEPS, scheduler
from generation.errors import InputError
from generation.examples import Example, Pictures
from generation.settings import explained
from generation.training import Optimiser, Training, contact_sheet

SOURCE_DROPPED = 0.1  # share of the images whose source is withheld, so that the network also supports "any"


@dataclass(frozen=True)
class DiffusionNetwork:
    """The network to be trained."""

    design: Literal["published", "recommended"] = explained(
        "recommended", "published: PanoDiff's U-Net, which estimates the noise; recommended: ours, the velocity"
    )
    widths: tuple[int, ...] = explained((64, 128, 256, 256), "channels of each level, each half the size of the last")
    attention: tuple[int, ...] = explained((16, 32), "levels with attention, by image height (recommended design only)")
    blocks: int = explained(2, "residual blocks per level (recommended design only)", least=1)
    patch: int = explained(
        1, "side of the pixel squares that are folded into channels (recommended design only)", least=1
    )
    conditional: bool = explained(False, "train with the source data set as a condition (recommended design only)")
    loss: Literal["l1", "l2"] = explained("l2", "distance between the estimate and the truth")


@dataclass(frozen=True)
class DiffusionSettings:
    """Everything that determines a training of the first stage, apart from the corpus and the seed."""

    network: DiffusionNetwork = field(default_factory=DiffusionNetwork)
    optimiser: Optimiser = field(default_factory=Optimiser)
    training: Training = field(default_factory=Training)
    sampling: Sampling = field(default_factory=Sampling)


PRESETS = {
    "recommended": DiffusionSettings(),
    "published": DiffusionSettings(
        DiffusionNetwork("published", (64, 128, 256, 512), loss="l1"),
        Optimiser(clip=0.0, ema=0.996),
        Training(epochs=110, batch=4, precision="fp32"),
        Sampling("ddim", 250, 1.0),
    ),
    "phantom": DiffusionSettings(
        DiffusionNetwork(widths=(32, 64, 96), attention=(8,), patch=2),
        Optimiser(learning_rate=1e-3, warmup=100, ema=0.998),
        Training(epochs=36, batch=8, precision="fp32", save_every=200, look_every=6),
    ),
}


PICTURES = "lr"


class DiffusionTask:
    """A network that learns to remove noise (`generation.training.Task`)."""

    def __init__(self, settings: DiffusionSettings, pictures: Pictures):
        design, (height, width) = settings.network.design, pictures.pixels.shape[1:]
        config: dict[str, Any] = {"widths": list(settings.network.widths)}
        if design == "published":
            config["size"] = [height, width]
        if design == "recommended":
            config |= {
                "height": height,
                "width": width,
                "attention": list(settings.network.attention),
                "blocks": settings.network.blocks,
                "patch": settings.network.patch,
                "sources": list(pictures.names) if settings.network.conditional else [],
            }
        try:
            self.network = build(design, config)
        except ValueError as error:
            raise InputError(f"[network] cannot be built for pictures of {width} x {height}: {error}") from None
        if design == "published" and settings.network.conditional:
            raise InputError("network.conditional: the published design does not support sources")
        self.settings = settings
        self.networks: dict[str, nn.Module] = {"network": self.network}
        self.about = {"stage": "diffusion", "design": design, "config": config}
        self.solver = scheduler(design, "ddim")

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """Return an image in [-1, 1], the noise to be added, and its amount."""
        shape = (self.network.in_channels, *pixels.shape)
        picture = np.broadcast_to(pixels / np.float32(127.5) - 1, shape)
        told = self.settings.network.conditional and rng.random() >= SOURCE_DROPPED
        return {
            "picture": torch.from_numpy(picture.copy()),
            "noise": torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)),
            "timestep": torch.tensor(int(rng.integers(STEPS))),
            "source": torch.tensor(source if told else 0),
        }

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """The distance between the network's estimate and the noise (published) or the velocity (recommended)."""
        picture, noise, timestep = batch["picture"], batch["noise"], batch["timestep"]
        noisy = self.solver.add_noise(picture, noise, timestep).contiguous(memory_format=torch.channels_last)
        if self.network.design == "published":
            target, estimate = noise, network(noisy, timestep)
        else:
            target = self.solver.get_velocity(picture, noise, timestep)
            estimate = network(noisy, timestep, batch["source"])
        distance = F.l1_loss if self.settings.network.loss == "l1" else F.mse_loss
        return {"loss": distance(estimate.float(), target)}

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return the training loss on held-out images with fixed noise."""
        return self.losses("network", network, batch)["loss"]

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return samples from the same seeds every time, to show the progress of a training."""
        noise = ImageNoise(0, range(count), (self.network.in_channels, *self.network.size))
        return contact_sheet(denoise(self.network, noise, self.settings.sampling).mean(1, keepdim=True))


def make_task(settings: DiffusionSettings, pictures: Pictures) -> DiffusionTask:
    """Return the task of this stage for the images of a corpus. Raises InputError if the settings do not match them."""
    return DiffusionTask(settings, pictures)
