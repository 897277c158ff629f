"""Training of MUNIT-LQ on unpaired good and poor images: settings and losses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import PCG64, Generator
from torch import Tensor, nn

from generation.errors import InputError
from generation.examples import Example, Pictures, read_pictures
from generation.restoration import crops
from generation.restoration.degradations import shrunk
from generation.restoration.munit import DOMAINS, Discriminators, Munit, degrade, least_squares
from generation.settings import explained
from generation.training import Optimiser, Training, contact_sheet

PICTURES = "hr"


@dataclass(frozen=True)
class MunitNetwork:
    """The network to be trained."""

    width: int = explained(64, "channels of the first layers", least=8)
    halvings: int = explained(2, "number of times the content is halved in size", least=1, most=4)
    blocks: int = explained(4, "residual blocks of each encoder and decoder", least=1)
    styles: int = explained(8, "numbers that describe a style", least=1)
    scales: int = explained(3, "discriminators per domain, each on an image half the size", least=1)


@dataclass(frozen=True)
class MunitLosses:
    """The losses."""

    picture: float = explained(
        10.0, "weight of the L1 distance to an image rebuilt from its own content and style", least=0
    )
    cycle: float = explained(10.0, "weight of the L1 distance to an image translated there and back", least=0)
    content: float = explained(1.0, "weight of the L1 distance of contents after translation", least=0)
    style: float = explained(1.0, "weight of the L1 distance of styles after translation", least=0)
    adversarial: float = explained(1.0, "weight of the discriminators' least-squares loss", least=0)


@dataclass(frozen=True)
class Unpaired:
    """The training images in addition to the good images of --data."""

    poor: str = explained("", "corpus of the poor images, made by `generation corpus`; no pairs are needed")
    scale: int = explained(2, "how many times larger the good images are", least=1)
    crop: int = explained(128, "side of the training crops of the poor images, px", least=16)


@dataclass(frozen=True)
class MunitSettings:
    """Everything that determines a training of MUNIT-LQ, apart from the corpus and the seed."""

    network: MunitNetwork = field(default_factory=MunitNetwork)
    losses: MunitLosses = field(default_factory=MunitLosses)
    pictures: Unpaired = field(default_factory=Unpaired)
    optimiser: Optimiser = field(default_factory=Optimiser)
    training: Training = field(default_factory=Training)


PRESETS = {
    "recommended": MunitSettings(optimiser=Optimiser(beta1=0.5, beta2=0.999, ema=0.999), training=Training(batch=8)),
    "phantom": MunitSettings(
        MunitNetwork(16, halvings=1, blocks=2, styles=4, scales=2),
        MunitLosses(adversarial=2.0),
        Unpaired(crop=64),
        Optimiser(learning_rate=1e-3, beta1=0.5, beta2=0.999, warmup=50, ema=0.98),
        Training(epochs=30, batch=4, precision="fp32", save_every=200, look_every=10, samples=2),
    ),
}


class MunitTask:
    """Encoders and decoders of both domains, and their discriminators (`generation.training.Task`)."""

    def __init__(self, settings: MunitSettings, pictures: Pictures):
        chosen = settings.network
        config: dict[str, Any] = {
            "width": chosen.width,
            "halvings": chosen.halvings,
            "blocks": chosen.blocks,
            "styles": chosen.styles,
        }
        self.network = Munit(**config)
        self.settings = settings
        pairs, faults = settings.pictures, []
        if not pairs.poor:
            raise InputError("pictures.poor is required: a corpus of poor images, made by `generation corpus`")
        self.poor = read_pictures(Path(pairs.poor), PICTURES, "train").pixels
        size = pictures.pixels.shape[1:]
        if any(side % pairs.scale for side in size):
            faults.append(f"pictures.scale: {pairs.scale} does not divide {size[1]} x {size[0]}")
        least = min(*(side // pairs.scale for side in size), *self.poor.shape[1:])
        if pairs.crop > least:
            faults.append(f"pictures.crop: {pairs.crop} px, but the shortest side is {least}")
        unit = max(self.network.unit, 4 << chosen.scales)
        if pairs.crop % unit:
            faults.append(f"pictures.crop: expected a multiple of {unit}, found {pairs.crop}")
        if faults:
            raise InputError("these settings cannot be used", faults)
        self.networks: dict[str, nn.Module] = {"network": self.network}
        if settings.losses.adversarial:
            self.networks["discriminator"] = Discriminators(chosen.width, chosen.scales)
        self.about = {"stage": "munit-lq", "config": config}
        self._made: dict[str, Tensor] = {}

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """Return a reduced crop of the good image, and one of any poor image, in [-1, 1]; random styles and noise."""
        side, styles = self.settings.pictures.crop, self.settings.network.styles
        good = shrunk(pixels / np.float32(255), self.settings.pictures.scale)
        poor = self.poor[rng.integers(len(self.poor))] / np.float32(255)
        example: Example = {}
        for domain, whole in zip(DOMAINS, (good, poor), strict=True):
            example[domain] = torch.from_numpy(whole[crops.place(whole.shape, side, rng)] * 2 - 1)[None]
            example[f"style {domain}"] = torch.from_numpy(rng.standard_normal(styles, dtype=np.float32))
        return example | {"noise": torch.from_numpy(rng.standard_normal((1, side, side), dtype=np.float32))}

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """The network's losses (images, contents, styles, discriminator scores), or those of the discriminators."""
        weights, pictures = self.settings.losses, {domain: batch[domain] for domain in DOMAINS}
        if name == "discriminator":
            both = network({domain: torch.cat((pictures[domain], self._made[domain])) for domain in DOMAINS})
            terms = {"real": torch.zeros(()), "fake": torch.zeros(())}
            for scores in both.values():
                real, fake = zip(*(score.chunk(2) for score in scores), strict=True)
                terms = {
                    "real": terms["real"] + least_squares(list(real), 1.0),
                    "fake": terms["fake"] + least_squares(list(fake), 0.0),
                }
            return terms
        found = network(pictures, {domain: batch[f"style {domain}"] for domain in DOMAINS}, batch["noise"])
        found = {entry: tensor.float() for entry, tensor in found.items()}

        def both_ways(distance: Any) -> Tensor:
            return torch.stack([distance(*pair) for pair in (DOMAINS, DOMAINS[::-1])]).sum()

        terms = {
            "picture": weights.picture * both_ways(lambda d, _: F.l1_loss(found[f"again {d}"], batch[d])),
            "cycle": weights.cycle * both_ways(lambda d, _: F.l1_loss(found[f"cycle {d}"], batch[d])),
            "content": weights.content
            * both_ways(lambda d, other: F.l1_loss(found[f"content made {d}"], found[f"content {other}"])),
            "style": weights.style * both_ways(lambda d, _: F.l1_loss(found[f"style made {d}"], batch[f"style {d}"])),
        }
        if weights.adversarial:
            made = {domain: found[f"made {domain}"] for domain in DOMAINS}
            judges = self.networks["discriminator"].requires_grad_(False)
            terms["adversarial"] = (
                weights.adversarial
                * torch.stack([least_squares(scores, 1.0) for scores in judges(made).values()]).sum()
            )
            judges.requires_grad_(True)
            self._made = {domain: picture.detach() for domain, picture in made.items()}
        return terms

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """The distances of images from their reconstructions and cycles, which do not depend on discriminators."""
        pictures = {domain: batch[domain] for domain in DOMAINS}
        found = network(pictures, {domain: batch[f"style {domain}"] for domain in DOMAINS}, batch["noise"])
        terms = [F.l1_loss(found[f"{way} {d}"].float(), batch[d]) for way in ("again", "cycle") for d in DOMAINS]
        return torch.stack(terms).sum()

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return rows of four: a good image, its versions in two styles, and an unrelated poor image."""
        rows, scale = [], self.settings.pictures.scale
        for number, pixels in enumerate(validation.pixels[:count]):
            good = pixels / np.float32(255)
            made = [degrade(self.network, good, Generator(PCG64([draw, number])), scale) for draw in range(2)]
            poor = self.poor[number % len(self.poor), : made[0].shape[0], : made[0].shape[1]] / np.float32(255)
            framed = np.ones_like(made[0])
            framed[: poor.shape[0], : poor.shape[1]] = poor
            rows += [shrunk(good, scale), *made, framed]
        return contact_sheet(torch.from_numpy(np.stack(rows))[:, None], columns=4)


def make_task(settings: MunitSettings, pictures: Pictures) -> MunitTask:
    """Return the task of this stage for the images of a corpus. Raises InputError if the settings do not match them."""
    return MunitTask(settings, pictures)
