"""Training of super-resolution: settings, and the losses of the network and its discriminator."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import PCG64, Generator
from torch import Tensor, nn

from generation.errors import InputError
from generation.examples import Example, Pictures
from generation.settings import explained
from generation.superresolution import checkpoints
from generation.superresolution.degradations import area, real_esrgan
from generation.superresolution.hat import HAT
from generation.superresolution.losses import Discriminator, Perceptual, vanilla_gan
from generation.superresolution.upscaling import enlarge
from generation.training import Optimiser, Training, contact_sheet
from generation.weights import adopt

PICTURES = "hr"
SCALE = 4


@dataclass(frozen=True)
class SuperResolutionNetwork:
    """The network to be trained."""

    channels: int = explained(3, "3 as published (grey repeated three times), or 1", least=1, most=3)
    depths: tuple[int, ...] = explained((6, 6, 6, 6, 6, 6), "blocks of each group")
    heads: int = explained(6, "attention heads per block", least=1)
    width: int = explained(180, "channels", least=1)
    window: int = explained(16, "side of the attention windows, px", least=2)
    squeeze: int = explained(30, "factor by which channel attention narrows", least=1)
    start_from: str = explained("", "checkpoint to fine-tune, such as Real_HAT_GAN_SRx4.pth; empty for fresh weights")


@dataclass(frozen=True)
class Losses:
    """The losses and the training crops."""

    pixel: float = explained(1.0, "weight of the L1 distance", least=0)
    perceptual: float = explained(1.0, "weight of the distance by VGG19 features", least=0)
    adversarial: float = explained(0.1, "weight of the discriminator loss; 0 for none", least=0)
    vgg: str = explained("", "file of VGG19 weights (vgg19-dcbb9e9d.pth); without it the perceptual term is off")
    crop: int = explained(256, "side of the training crops of the sharp image, px", least=32)
    degradation: Literal["real-esrgan", "area"] = explained(
        "real-esrgan", "how small images are made: real-esrgan as published, or area, like those of our first stage"
    )


@dataclass(frozen=True)
class SuperResolutionSettings:
    """Everything that determines a training of the second stage, apart from the corpus and the seed."""

    network: SuperResolutionNetwork = field(default_factory=SuperResolutionNetwork)
    losses: Losses = field(default_factory=Losses)
    optimiser: Optimiser = field(default_factory=Optimiser)
    training: Training = field(default_factory=Training)


LIGHT = SuperResolutionNetwork(channels=1, depths=(2, 2), heads=4, width=32, window=8, squeeze=8)
PRESETS = {
    "recommended": SuperResolutionSettings(
        losses=Losses(degradation="area"),
        optimiser=Optimiser(ema=0.999),
        training=Training(epochs=30, batch=8),
    ),
    "published": SuperResolutionSettings(
        optimiser=Optimiser(ema=0.999, decay="constant", warmup=0, clip=0.0),
        training=Training(epochs=30, batch=4, precision="fp32"),
    ),
    "light": SuperResolutionSettings(
        LIGHT,
        Losses(adversarial=0.0, degradation="area", crop=128),
        Optimiser(learning_rate=5e-4, ema=0.999),
        Training(epochs=30, batch=8, save_every=200),
    ),
    "phantom": SuperResolutionSettings(
        LIGHT,
        Losses(adversarial=0.0, degradation="area", crop=64),
        Optimiser(learning_rate=1e-3, warmup=20, ema=0.99),
        Training(epochs=15, batch=8, precision="fp32", save_every=200, look_every=5, samples=4),
    ),
}


def build(chosen: SuperResolutionNetwork, scale: int) -> tuple[HAT, dict[str, Any]]:
    """Return the network for these settings that enlarges `scale` times, and what is needed to rebuild it.

    Raises InputError if it cannot be built, or the initial checkpoint does not match.
    """
    config: dict[str, Any] = {
        "upscale": scale,
        "in_chans": chosen.channels,
        "depths": list(chosen.depths),
        "num_heads": [chosen.heads] * len(chosen.depths),
        "embed_dim": chosen.width,
        "window_size": chosen.window,
        "squeeze_factor": chosen.squeeze,
    }
    if chosen.width % chosen.heads:
        raise InputError(f"network.width: expected a multiple of {chosen.heads} heads, found {chosen.width}")
    try:
        network = HAT(**config)
    except ValueError as error:
        raise InputError(f"[network] cannot be built: {error}") from None
    if chosen.start_from:
        start = checkpoints.load(chosen.start_from)
        adopt(network, start.state_dict(), Path(chosen.start_from))
    return network, config


class SuperResolutionTask:
    """HAT, and optionally a discriminator (`generation.training.Task`)."""

    def __init__(self, settings: SuperResolutionSettings, pictures: Pictures):
        self.settings = settings
        self._check(pictures)
        chosen = settings.network
        self.network, config = build(chosen, SCALE)
        self.networks: dict[str, nn.Module] = {"network": self.network}
        if settings.losses.adversarial:
            self.networks["discriminator"] = Discriminator(chosen.channels)
        self.perceptual = Perceptual(settings.losses.vgg) if settings.losses.vgg else None
        if settings.losses.perceptual and not self.perceptual:
            logging.getLogger(__name__).warning("losses.vgg names no file, so training is without the perceptual term")
        self.about = {"stage": "superresolution", "config": config}
        self._made = torch.empty(0)

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """Return a crop of the sharp image and the small image made from it, both in [0, 1]."""
        side = self.settings.losses.crop
        top, left = (int(rng.integers(length - side + 1)) for length in pixels.shape)
        sharp = pixels[top : top + side, left : left + side] / np.float32(255)
        small = area(sharp, SCALE) if self.settings.losses.degradation == "area" else real_esrgan(sharp, rng, SCALE)
        return {name: torch.from_numpy(picture)[None] for name, picture in (("small", small), ("sharp", sharp))}

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """Return the network's L1, perceptual and adversarial terms, or the discriminator's error on both classes."""
        channels, weights = self.settings.network.channels, self.settings.losses
        sharp = batch["sharp"].expand(-1, channels, -1, -1)
        if name == "discriminator":
            real, fake = network(torch.cat((sharp, self._made))).float().chunk(2)
            return {"real": vanilla_gan(real, True), "fake": vanilla_gan(fake, False)}
        made = network(batch["small"].expand(-1, channels, -1, -1)).float()
        terms = {"pixel": weights.pixel * F.l1_loss(made, sharp)}
        if self.perceptual is not None and weights.perceptual:
            terms["perceptual"] = weights.perceptual * self.perceptual.to(made.device)(made, sharp)
        if weights.adversarial:
            judge = self.networks["discriminator"].requires_grad_(False)
            terms["adversarial"] = weights.adversarial * vanilla_gan(judge(made).float(), True)
            judge.requires_grad_(True)
            self._made = made.detach()
        return terms

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return the L1 distance, which does not depend on the discriminator."""
        small = batch["small"].expand(-1, self.settings.network.channels, -1, -1)
        return F.l1_loss(network(small).float().clamp(0, 1).mean(1, keepdim=True), batch["sharp"])

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return crops in rows of three: the small image, the enlarged one, the sharp one."""
        rows = []
        for number in range(min(count, len(validation))):
            example = self.example(validation.pixels[number], 0, Generator(PCG64([0, number])))
            small = example["small"][None]
            rows += [small.repeat_interleave(SCALE, 2).repeat_interleave(SCALE, 3), enlarge(self.network, small)]
            rows.append(example["sharp"][None])
        return contact_sheet(torch.cat(rows), columns=3)

    def _check(self, pictures: Pictures) -> None:
        side, faults = self.settings.losses.crop, []
        if side > min(pictures.pixels.shape[1:]):
            faults.append(f"losses.crop: {side} px, but the images have {pictures.pixels.shape[1:]}")
        if side % 8:
            faults.append(f"losses.crop: expected a multiple of 8, found {side}")
        if faults:
            raise InputError("these settings cannot be used", faults)


def make_task(settings: SuperResolutionSettings, pictures: Pictures) -> SuperResolutionTask:
    """Return the task of this stage for the images of a corpus. Raises InputError if the settings do not match them."""
    return SuperResolutionTask(settings, pictures)
