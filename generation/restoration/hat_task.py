"""Training of HAT for restoration: settings, and the L1 loss, on the same pairs as the diffusion network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from torch import Tensor, nn

from generation.examples import Example, Pictures
from generation.restoration import crops
from generation.restoration.network import enlarged
from generation.restoration.pairs import MadePairs, Pairs
from generation.superresolution.task import LIGHT, SuperResolutionNetwork, build
from generation.superresolution.upscaling import enlarge
from generation.training import Optimiser, Training, contact_sheet

PICTURES = "hr"


@dataclass(frozen=True)
class HatSettings:
    """Everything that determines a training of HAT for restoration, apart from the corpus and the seed."""

    network: SuperResolutionNetwork = field(default_factory=lambda: SuperResolutionNetwork(channels=1))
    pairs: Pairs = field(default_factory=Pairs)
    optimiser: Optimiser = field(default_factory=lambda: Optimiser(ema=0.999))
    training: Training = field(default_factory=lambda: Training(batch=8))


PRESETS = {
    "recommended": HatSettings(),
    "phantom": HatSettings(
        LIGHT,
        Pairs(crop=64),
        Optimiser(learning_rate=1e-3, warmup=20, ema=0.99),
        Training(epochs=30, batch=8, precision="fp32", save_every=200, look_every=10, samples=2),
    ),
}


class HatTask:
    """HAT, which estimates the good image in one pass (`generation.training.Task`)."""

    def __init__(self, settings: HatSettings, pictures: Pictures):
        chosen, pairs = settings.network, settings.pairs
        self.network, config = build(chosen, pairs.scale)
        self.pairs = MadePairs(pairs, pictures.pixels.shape[1:], pairs.scale * chosen.window)
        self.settings = settings
        self.networks: dict[str, nn.Module] = {"network": self.network}
        self.about = {"stage": "superresolution", "config": config, "degradation": pairs.degradation}

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """Return a crop of the poor image and of the good one, which is `scale` times larger, both in [0, 1]."""
        scale = self.settings.pairs.scale
        good, poor = self.pairs.pair(pixels, rng)
        cut = crops.place(poor.shape, self.settings.pairs.crop // scale, rng)
        large = tuple(slice(scale * part.start, scale * part.stop) for part in cut)
        return {"poor": torch.from_numpy(poor[cut])[None], "good": torch.from_numpy(good[large])[None]}

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """Return the L1 distance from the good image."""
        channels = self.settings.network.channels
        made = network(batch["poor"].expand(-1, channels, -1, -1)).float()
        return {"loss": F.l1_loss(made, batch["good"].expand(-1, channels, -1, -1))}

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return the training loss on held-out images with fixed degradations."""
        return self.losses("network", network, batch)["loss"]

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return whole images in rows of three: the poor one enlarged, the restored one, the good one."""
        rows = []
        for number in range(min(count, len(validation))):
            good, small = self.pairs.shown(validation.pixels[number], number)
            made = enlarge(self.network, torch.from_numpy(small)[None, None])[0, 0].numpy()
            rows += [enlarged(small, self.settings.pairs.scale), made, good]
        return contact_sheet(torch.from_numpy(np.stack(rows))[:, None], columns=3)


def make_task(settings: HatSettings, pictures: Pictures) -> HatTask:
    """Return the task of this stage for the images of a corpus. Raises InputError if the settings do not match them."""
    return HatTask(settings, pictures)
