"""Training of restoration: settings, and the loss on the velocity, on pairs made on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from generation.diffusion.sampling import Sampling
from generation.errors import InputError
from generation.examples import Example, Pictures
from generation.restoration import crops
from generation.restoration.network import STEPS, RestorationUNet, enlarged, velocity_loss
from generation.restoration.pairs import MadePairs, Pairs
from generation.restoration.restoring import restore
from generation.settings import explained
from generation.training import Optimiser, Training, contact_sheet

PICTURES = "hr"


@dataclass(frozen=True)
class RestorationNetwork:
    """The network to be trained."""

    widths: tuple[int, ...] = explained(
        (64, 128, 256, 512, 512, 512), "channels of each level, each half the size before"
    )
    attention: int = explained(2, "number of deepest levels with attention", least=0)
    head: int = explained(64, "channels per attention head; small numbers are slow", least=8)
    blocks: int = explained(2, "residual blocks per level", least=1)
    patch: int = explained(1, "side of the pixel squares that are folded into channels", least=1)
    loss: Literal["l1", "l2"] = explained("l1", "distance between the estimate and the truth")


@dataclass(frozen=True)
class RestorationSettings:
    """Everything that determines a training of restoration, apart from the corpus and the seed."""

    network: RestorationNetwork = field(default_factory=RestorationNetwork)
    pairs: Pairs = field(default_factory=Pairs)
    optimiser: Optimiser = field(default_factory=Optimiser)
    training: Training = field(default_factory=Training)
    sampling: Sampling = field(default_factory=Sampling)


PRESETS = {
    "recommended": RestorationSettings(),
    "phantom": RestorationSettings(
        RestorationNetwork((32, 64, 96), attention=1, head=8, blocks=1, patch=2),
        Pairs(crop=128),
        Optimiser(learning_rate=1e-3, warmup=50, ema=0.99),
        Training(epochs=20, batch=8, precision="fp32", save_every=200, look_every=5, samples=2),
    ),
}


class RestorationTask:
    """A network that learns to turn poor images into good ones (`generation.training.Task`)."""

    def __init__(self, settings: RestorationSettings, pictures: Pictures):
        chosen, pairs = settings.network, settings.pairs
        config: dict[str, Any] = {
            "widths": list(chosen.widths),
            "attention": chosen.attention,
            "head": chosen.head,
            "blocks": chosen.blocks,
            "patch": chosen.patch,
            "scale": pairs.scale,
        }
        try:
            self.network = RestorationUNet(**config)
        except ValueError as error:
            raise InputError(f"[network] cannot be built: {error}") from None
        self.pairs = MadePairs(pairs, pictures.pixels.shape[1:], self.network.unit)
        self.settings = settings
        self.networks: dict[str, nn.Module] = {"network": self.network}
        self.about = {"stage": "restoration", "config": config, "degradation": pairs.degradation}

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """Return a crop of the good and of the enlarged poor image, in [-1, 1], the noise to be added, and its amount.

        The whole image is degraded before it is cropped, so that haze and contrast are those of whole images.
        """
        crop = self.settings.pairs.crop
        good, poor = self.pairs.pair(pixels, rng)
        cut = crops.place(pixels.shape, crop, rng)
        return {
            "good": torch.from_numpy(good[cut] * 2 - 1)[None],
            "poor": torch.from_numpy(enlarged(poor, self.network.scale)[cut] * 2 - 1)[None],
            "noise": torch.from_numpy(rng.standard_normal((1, crop, crop), dtype=np.float32)),
            "timestep": torch.tensor(int(rng.integers(STEPS))),
        }

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """The distance between the velocity and its estimate, in units of the linear estimate's error at each step."""
        pictures, drawn = (batch["good"], batch["poor"]), (batch["noise"], batch["timestep"])
        return {"loss": velocity_loss(network, self.network, *pictures, *drawn, self.settings.network.loss)}

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return the training loss on held-out images with fixed noise and degradations."""
        return self.losses("network", network, batch)["loss"]

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return whole images in rows of three: the poor one enlarged, the restored one, the good one."""
        rows, scale = [], self.network.scale
        for number in range(min(count, len(validation))):
            good, small = self.pairs.shown(validation.pixels[number], number)
            made = restore(self.network, np.rint(small * 255).astype(np.uint8), self.settings.sampling, 0, number)
            rows += [enlarged(small, scale), made, good]
        return contact_sheet(torch.from_numpy(np.stack(rows))[:, None], columns=3)


def make_task(settings: RestorationSettings, pictures: Pictures) -> RestorationTask:
    """Return the task of this stage for the images of a corpus. Raises InputError if the settings do not match them."""
    return RestorationTask(settings, pictures)
