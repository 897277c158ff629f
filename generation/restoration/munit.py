"""MUNIT-LQ: good and poor images as content, which they share, and style, in which they differ (arXiv 1804.04732).

It needs no pairs: the poor version of a good image is its content in a random style.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from torch import Tensor, nn

from generation.restoration.degradations import shrunk
from generation.weights import file_of, read_ours

Domain = Literal["good", "poor"]
DOMAINS: tuple[Domain, Domain] = ("good", "poor")


class ContentEncoder(nn.Sequential):
    """Images (B, 1, H, W) to contents (B, C, h, w): convolutions with instance norm, halved `halvings` times."""

    def __init__(self, width: int, halvings: int, blocks: int):
        layers: list[nn.Module] = [_convolution(1, width, 7), nn.InstanceNorm2d(width), nn.ReLU()]
        for _ in range(halvings):
            layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, padding_mode="reflect")]
            layers += [nn.InstanceNorm2d(2 * width), nn.ReLU()]
            width *= 2
        super().__init__(*layers, *(Residual(width) for _ in range(blocks)))


class Residual(nn.Module):
    """Two convolutions with a skip connection and instance norm; a style gives each channel its gain and shift."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = _convolution(width, width, 3), _convolution(width, width, 3)

    def forward(self, x: Tensor, style: Tensor | None = None) -> Tensor:
        """x: (B, C, H, W). style: (B, 4 C), adaptive instance normalisation (arXiv 1703.06868)."""
        parts = (None, None) if style is None else style.chunk(2, 1)
        hidden = F.relu(_normalised(self.first(x), parts[0]))
        return x + _normalised(self.second(hidden), parts[1])


class StyleEncoder(nn.Module):
    """Images to styles (B, styles): convolutions without norm, then the mean over the image."""

    def __init__(self, width: int, styles: int):
        super().__init__()
        layers: list[nn.Module] = [_convolution(1, width, 7), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, padding_mode="reflect"), nn.ReLU()]
            width *= 2
        self.layers, self.last = nn.Sequential(*layers), nn.Linear(width, styles)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layers(x).mean((2, 3)))


class Decoder(nn.Module):
    """Contents and styles to images in [-1, 1]. The last layer also sees noise, for grain not in the content."""

    def __init__(self, width: int, halvings: int, blocks: int, styles: int):
        super().__init__()
        deep = width << halvings
        self.blocks = nn.ModuleList(Residual(deep) for _ in range(blocks))
        self.ways = nn.Sequential(nn.Linear(styles, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.styles = nn.Linear(64, 4 * deep * blocks)
        self.up = nn.ModuleList(_convolution(deep >> level, deep >> (level + 1), 5) for level in range(halvings))
        self.last = _convolution(width + 1, 1, 7)

    def forward(self, content: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """content (B, C, h, w), style (B, styles), noise (B, 1, H, W); returns images (B, 1, H, W)."""
        x = content
        for block, part in zip(self.blocks, self.styles(self.ways(style)).chunk(len(self.blocks), 1), strict=True):
            x = block(x, part)
        for layer in self.up:
            x = F.relu(F.group_norm(layer(F.interpolate(x, scale_factor=2.0)), 1))
        return torch.tanh(self.last(torch.cat((x, noise), 1)))


class Munit(nn.Module):
    """Both domains, each with its encoders and its decoder. Sides of images must be multiples of `unit`."""

    def __init__(self, width: int = 64, halvings: int = 2, blocks: int = 4, styles: int = 8):
        super().__init__()
        self.styles, self.unit = styles, 1 << max(halvings, 2)
        self.contents = nn.ModuleDict({domain: ContentEncoder(width, halvings, blocks) for domain in DOMAINS})
        self.manners = nn.ModuleDict({domain: StyleEncoder(width, styles) for domain in DOMAINS})
        self.decoders = nn.ModuleDict({domain: Decoder(width, halvings, blocks, styles) for domain in DOMAINS})

    def forward(self, pictures: dict[str, Tensor], styles: dict[str, Tensor], noise: Tensor) -> dict[str, Tensor]:
        """Return everything that the losses need, by name and domain.

        pictures: (B, 1, H, W) in [-1, 1] by domain. styles: random, (B, styles) by domain. again: the image from its
        own content and style; made: in a domain, the content of the other in the random style; content, style: as found
        by the encoders in the made image, and as expected; cycle: the image translated there and back.
        """
        found: dict[str, Tensor] = {}
        still = torch.zeros_like(noise)  # random grain cannot match that of the image, and the loss would suppress it
        content = {domain: self.contents[domain](pictures[domain]) for domain in DOMAINS}
        style = {domain: self.manners[domain](pictures[domain]) for domain in DOMAINS}
        for domain, other in (DOMAINS, DOMAINS[::-1]):
            decode = self.decoders[domain]
            found[f"again {domain}"] = decode(content[domain], style[domain], still)
            made = found[f"made {domain}"] = decode(content[other], styles[domain], noise)
            found[f"content {other}"], found[f"content made {domain}"] = content[other], self.contents[domain](made)
            found[f"style made {domain}"] = self.manners[domain](made)
            found[f"cycle {other}"] = self.decoders[other](found[f"content made {domain}"], style[other], still)
        return found

    def translate(self, picture: Tensor, to: Domain, style: Tensor, noise: Tensor) -> Tensor:
        """Translate images of the other domain, (B, 1, H, W) in [-1, 1], to a style (B, styles) of this one."""
        other: Domain = "good" if to == "poor" else "poor"
        return self.decoders[to](self.contents[other](picture), style, noise)


class Discriminators(nn.Module):
    """For each domain `scales` discriminators, each on an image of half the size: (B, 1, H, W) to maps of scores."""

    def __init__(self, width: int = 64, scales: int = 3):
        super().__init__()
        self.judges = nn.ModuleDict({d: nn.ModuleList(_judge(width) for _ in range(scales)) for d in DOMAINS})

    def forward(self, pictures: dict[str, Tensor]) -> dict[str, list[Tensor]]:
        scores: dict[str, list[Tensor]] = {}
        for domain, x in pictures.items():
            scores[domain] = []
            for judge in cast(nn.ModuleList, self.judges[domain]):
                scores[domain].append(judge(x))
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return scores


def least_squares(scores: list[Tensor], answer: float) -> Tensor:
    """The mean squared distance of the discriminators' scores from a target (arXiv 1611.04076)."""
    return torch.stack([(score.float() - answer).square().mean() for score in scores]).mean()


def load(path: Path) -> Munit:
    """Load a network trained with Discern, on the CPU and ready to degrade. Raises InputError like `read_ours`."""
    return read_ours(file_of(path), "munit-lq", lambda about: Munit(**about["config"]))


@torch.inference_mode()
def degrade(network: Munit, good: np.ndarray, rng: Generator, scale: int) -> np.ndarray:
    """Return a poor version, float32 (H / scale, W / scale) in [0, 1], of a good image, float32 (H, W) in [0, 1].

    Style and noise are random. Raises ValueError if `scale` does not divide the sides.
    """
    small = shrunk(good, scale)
    height, width = small.shape
    padding = (0, -width % network.unit, 0, -height % network.unit)
    picture = F.pad(torch.from_numpy(small * 2 - 1)[None, None], padding, mode="replicate")
    style, noise = (
        torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)) for shape in ((1, network.styles), picture.shape)
    )
    device = next(network.parameters()).device
    made = network.translate(picture.to(device), "poor", style.to(device), noise.to(device))
    return (made[0, 0, :height, :width].float().cpu().numpy() / 2 + 0.5).clip(0, 1)


def _convolution(before: int, after: int, side: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, side, padding=side // 2, padding_mode="reflect")


def _normalised(x: Tensor, style: Tensor | None) -> Tensor:
    x = F.instance_norm(x)
    if style is None:
        return x
    gain, shift = style[:, :, None, None].chunk(2, 1)
    return x * (1 + gain) + shift


def _judge(width: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for level in range(2):
        layers += [nn.Conv2d(width << level, width << (level + 1), 4, 2, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(width << 2, 1, 1))
