"""Training of DDPM-LQ on poor images: settings, and the loss on the velocity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.random import PCG64, Generator
from torch import Tensor, nn

from generation.diffusion.sampling import Sampling
from generation.errors import InputError
from generation.examples import Example, Pictures
from generation.restoration import crops
from generation.restoration.ddpm_lq import PoorUNet, content, degrade
from generation.restoration.network import STEPS, velocity_loss
from generation.settings import explained
from generation.training import Optimiser, Training, contact_sheet

PICTURES = "hr"
UNTOLD = 0.15  # share of the images without a content, so that the network also supports SDEdit


@dataclass(frozen=True)
class PoorNetwork:
    """The network to be trained, and the size of its crops."""

    widths: tuple[int, ...] = explained((64, 128, 256, 256), "channels of each level, each half the size before")
    attention: int = explained(1, "number of deepest levels with attention", least=0)
    head: int = explained(64, "channels per attention head; small numbers are slow", least=8)
    blocks: int = explained(2, "residual blocks per level", least=1)
    patch: int = explained(1, "side of the pixel squares that are folded into channels", least=1)
    smooth: float = explained(1.5, "sigma of the smoothing that removes detail from the content, px", least=0)
    crop: int = explained(128, "side of the training crops of the poor image, px", least=16)
    loss: Literal["l1", "l2"] = explained("l2", "distance between the estimate and the truth")


@dataclass(frozen=True)
class PoorSettings:
    """Everything that determines a training of DDPM-LQ, apart from the corpus and the seed."""

    network: PoorNetwork = field(default_factory=PoorNetwork)
    optimiser: Optimiser = field(default_factory=Optimiser)
    training: Training = field(default_factory=Training)
    sampling: Sampling = field(default_factory=Sampling)


PRESETS = {
    "recommended": PoorSettings(),
    "phantom": PoorSettings(
        PoorNetwork((32, 64), attention=0, head=8, blocks=1, patch=2, crop=64),
        Optimiser(learning_rate=1e-3, warmup=50, ema=0.99),
        Training(epochs=60, batch=8, precision="fp32", save_every=200, look_every=20, samples=2),
        Sampling(steps=10),
    ),
}


class PoorTask:
    """A network that learns the appearance of poor images (`generation.training.Task`)."""

    def __init__(self, settings: PoorSettings, pictures: Pictures):
        chosen = settings.network
        config: dict[str, Any] = {
            "widths": list(chosen.widths),
            "attention": chosen.attention,
            "head": chosen.head,
            "blocks": chosen.blocks,
            "patch": chosen.patch,
            "smooth": chosen.smooth,
        }
        try:
            self.network = PoorUNet(**config)
        except ValueError as error:
            raise InputError(f"[network] cannot be built: {error}") from None
        faults = crops.faults("network.crop", chosen.crop, pictures.pixels.shape[1:], self.network.unit)
        if faults:
            raise InputError("these settings cannot be used", faults)
        self.settings = settings
        self.networks: dict[str, nn.Module] = {"network": self.network}
        self.about = {"stage": "ddpm-lq", "config": config}

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """Return a crop of a poor image in [-1, 1], its content or zeros, the noise to be added, and its amount."""
        side = self.settings.network.crop
        cut = crops.place(pixels.shape, side, rng)
        told = rng.random() >= UNTOLD
        shown = content(pixels, self.network.smooth)[cut] * np.float32(told)
        return {
            "poor": torch.from_numpy(pixels[cut] / np.float32(127.5) - 1)[None],
            "content": torch.from_numpy(shown)[None],
            "noise": torch.from_numpy(rng.standard_normal((1, side, side), dtype=np.float32)),
            "timestep": torch.tensor(int(rng.integers(STEPS))),
        }

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """The distance between the velocity and its estimate, in units of the linear estimate's error at each step."""
        pictures, drawn = (batch["poor"], batch["content"]), (batch["noise"], batch["timestep"])
        return {"loss": velocity_loss(network, self.network, *pictures, *drawn, self.settings.network.loss)}

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return the training loss on held-out images with fixed noise."""
        return self.losses("network", network, batch)["loss"]

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return whole images in rows of two: a poor one, and the network's result from its content."""
        rows = []
        for number in range(min(count, len(validation))):
            poor = validation.pixels[number] / np.float32(255)
            rng = Generator(PCG64([0, number]))
            rows += [poor, degrade(self.network, poor, rng, 1, self.settings.sampling)]
        return contact_sheet(torch.from_numpy(np.stack(rows))[:, None], columns=2)


def make_task(settings: PoorSettings, pictures: Pictures) -> PoorTask:
    """Return the task of this stage for the images of a corpus. Raises InputError if the settings do not match them."""
    return PoorTask(settings, pictures)
