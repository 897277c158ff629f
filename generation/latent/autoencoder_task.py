"""Training of the autoencoder: settings, losses, and the losses of the discriminator that keeps its images sharp."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from torch import Tensor, nn

from generation.errors import InputError
from generation.examples import Example, Pictures
from generation.latent.autoencoder import FACTOR, GROUPS, Autoencoder, PatchDiscriminator
from generation.latent.jitter import jittered
from generation.settings import explained
from generation.training import Optimiser, Training, contact_sheet
from generation.weights import adopt, file_of, read_safetensors

PICTURES = "lr"


@dataclass(frozen=True)
class AutoencoderNetwork:
    """The network to be trained."""

    channels: int = explained(8, "numbers that represent each square of 8 x 8 px", least=1)
    widths: tuple[int, ...] = explained((32, 64, 128), "channels at a half, a quarter and an eighth of the size")
    blocks: int = explained(2, "residual blocks per level", least=1)
    noise: float = explained(0.15, "standard deviation of the training noise on the latents, whose own is 1", least=0)
    start_from: str = explained(
        "", "folder of an autoencoder run to continue: its encoder is kept, its decoder sharpened"
    )


@dataclass(frozen=True)
class AutoencoderLosses:
    """The losses and the augmentation."""

    pixel: float = explained(1.0, "weight of the L1 distance of pixels", least=0)
    gradient: float = explained(2.0, "weight of the L1 distance of neighbouring pixels' differences", least=0)
    adversarial: float = explained(
        0.5, "weight of the discriminator, relative to the gradient of the other terms", least=0
    )
    features: float = explained(1.0, "weight of the distance in the discriminator's features, once it is used", least=0)
    from_step: int = explained(500, "steps after which the discriminator is used; it learns from the first", least=0)
    jitter: float = explained(1.0, "how much images are shifted, rotated, enlarged and brightened; 0 for none", least=0)


@dataclass(frozen=True)
class AutoencoderSettings:
    """Everything that determines a training of the autoencoder, apart from the corpus and the seed."""

    network: AutoencoderNetwork = field(default_factory=AutoencoderNetwork)
    losses: AutoencoderLosses = field(default_factory=AutoencoderLosses)
    optimiser: Optimiser = field(default_factory=lambda: Optimiser(5e-4, beta1=0.5, warmup=50, ema=0.995))
    training: Training = field(default_factory=lambda: Training(epochs=50, batch=8, save_every=200, look_every=5))


PRESETS = {"recommended": AutoencoderSettings()}


class AutoencoderTask:
    """The autoencoder and its discriminator (`generation.training.Task`)."""

    def __init__(self, settings: AutoencoderSettings, pictures: Pictures):
        self.settings = settings
        self._check(pictures)
        chosen = settings.network
        config = {"channels": chosen.channels, "widths": list(chosen.widths), "blocks": chosen.blocks}
        self.network = Autoencoder(**config)  # type: ignore[arg-type]
        if chosen.start_from:
            path = file_of(Path(chosen.start_from))
            adopt(self.network, read_safetensors(path)[0], path)
            self.network.keep_encoder()
        self.networks: dict[str, nn.Module] = {"network": self.network}
        if settings.losses.adversarial or settings.losses.features:
            self.networks["discriminator"] = PatchDiscriminator()
        self.about: dict[str, Any] = {"stage": "autoencoder", "config": config}
        self._made = torch.empty(0)

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """Return an image in [-1, 1], slightly shifted, and the noise for its latents."""
        picture = jittered(pixels, self.settings.losses.jitter, rng)
        shape = (self.network.channels, pixels.shape[0] // FACTOR, pixels.shape[1] // FACTOR)
        noise = self.settings.network.noise * rng.standard_normal(shape, dtype=np.float32)
        return {"picture": picture, "noise": torch.from_numpy(noise)}

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """Return the autoencoder's losses (pixels, differences, discriminator), or the discriminator's hinge loss."""
        picture, weights = batch["picture"], self.settings.losses
        if name == "discriminator":
            self._judge.steps += 1
            real, made = network(torch.cat((picture, self._made)))[0].float().chunk(2)
            return {"real": F.relu(1 - real).mean(), "fake": F.relu(1 + made).mean()}
        made = network(picture, batch["noise"]).float()
        terms = {
            "pixel": weights.pixel * F.l1_loss(made, picture),
            "gradient": weights.gradient * _gradient_distance(made, picture),
        }
        self._made = made.detach()
        if "discriminator" in self.networks and int(self._judge.steps) >= weights.from_step:
            judge = self._judge.requires_grad_(False)
            answers, seen = judge(made)
            with torch.no_grad():
                wanted = judge(picture)[1]
            distances = [F.l1_loss(a.float(), b.float()) for a, b in zip(seen, wanted, strict=True)]
            terms["features"] = weights.features * torch.stack(distances).mean()
            adversarial = -answers.float().mean()
            share = self._share(torch.stack(list(terms.values())).sum(), adversarial) if network.training else 1.0
            terms["adversarial"] = weights.adversarial * share * adversarial
            judge.requires_grad_(True)
        return terms

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return the L1 distance, which does not depend on the discriminator."""
        return F.l1_loss(network(batch["picture"]).float().clamp(-1, 1), batch["picture"])

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return held-out images, each next to its reconstruction."""
        chosen = torch.from_numpy(validation.pixels[:count] / np.float32(127.5) - 1)[:, None]
        device = next(self.network.parameters()).device
        made = self.network(chosen.to(device)).float().cpu().clamp(-1, 1)
        return contact_sheet(torch.stack((chosen, made), 1).flatten(0, 1) / 2 + 0.5, columns=4)

    @property
    def _judge(self) -> PatchDiscriminator:
        judge = self.networks["discriminator"]
        assert isinstance(judge, PatchDiscriminator)
        return judge

    def _share(self, others: Tensor, adversarial: Tensor) -> Tensor:
        """Return the ratio of the other terms' gradient norm at the last layer (arXiv 2012.09841, eq. 7)."""
        last = self.network.last.weight
        ours, theirs = (torch.autograd.grad(term, last, retain_graph=True)[0].norm() for term in (others, adversarial))
        return (ours / (theirs + 1e-6)).clamp(0, 1e4).detach()

    def _check(self, pictures: Pictures) -> None:
        (height, width), chosen = pictures.pixels.shape[1:], self.settings.network
        if height % FACTOR or width % FACTOR:
            raise InputError(
                f"the autoencoder needs images with sides that are multiples of {FACTOR} px, found {width} x {height}"
            )
        if len(chosen.widths) != 3 or any(channels % GROUPS for channels in chosen.widths):
            raise InputError(f"network.widths: expected three multiples of {GROUPS}, found {list(chosen.widths)}")


def _gradient_distance(made: Tensor, picture: Tensor) -> Tensor:
    across = F.l1_loss(made.diff(dim=3), picture.diff(dim=3))
    return across + F.l1_loss(made.diff(dim=2), picture.diff(dim=2))


def make_task(settings: AutoencoderSettings, pictures: Pictures) -> AutoencoderTask:
    """Return the task of this stage for the images of a corpus. Raises InputError if the settings do not match them."""
    return AutoencoderTask(settings, pictures)
