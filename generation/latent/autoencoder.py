"""A small convolutional autoencoder: from a radiograph to a grid of one eighth of its height and width, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

FACTOR = 8
GROUPS = 8


class Autoencoder(nn.Module):
    """Grey pictures (B, 1, H, W) in [-1, 1], H and W multiples of 8, to latents (B, channels, H / 8, W / 8) and back.

    widths: channels at a half, a quarter and an eighth of the image's side. Latents are scaled to mean 0 and variance 1
    per channel by running statistics (`nn.BatchNorm2d` without weights), so that noise of a given deviation means the
    same for every encoder. `forward(pictures, noise)` adds noise to the latents: a decoder trained with noise tolerates
    a denoiser's small errors.
    """

    def __init__(self, channels: int = 8, widths: Sequence[int] = (32, 64, 128), blocks: int = 2):
        super().__init__()
        half, quarter, eighth = widths
        self.channels, self.kept = channels, False
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            _conv(16, quarter),
            Block(quarter, quarter),
            _conv(quarter, eighth, stride=2),
            *(Block(eighth, eighth) for _ in range(blocks)),
            nn.GroupNorm(GROUPS, eighth),
            nn.SiLU(),
            _conv(eighth, channels),
        )
        self.scaling = nn.BatchNorm2d(channels, affine=False)
        self.decoder = nn.Sequential(
            _conv(channels, eighth),
            *(Block(eighth, eighth) for _ in range(blocks)),
            nn.Upsample(scale_factor=2),
            _conv(eighth, quarter),
            *(Block(quarter, quarter) for _ in range(blocks)),
            nn.Upsample(scale_factor=2),
            _conv(quarter, half),
            *(Block(half, half) for _ in range(blocks)),
            nn.GroupNorm(GROUPS, half),
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            _conv(half, half // 2),
            nn.SiLU(),
        )
        self.last = _conv(half // 2, 1)

    def forward(self, pictures: Tensor, noise: Tensor | None = None) -> Tensor:
        latents = self.encode(pictures)
        return self.decode(latents if noise is None else latents + noise)

    def keep_encoder(self) -> None:
        """Train only the decoder from now on, so that latents do not change."""
        self.kept = True
        self.encoder.requires_grad_(False)
        self.scaling.eval()

    def train(self, mode: bool = True) -> Autoencoder:
        super().train(mode)
        if self.kept:
            self.scaling.eval()
        return self

    def encode(self, pictures: Tensor) -> Tensor:
        return self.scaling(self.encoder(pictures).float())

    def decode(self, latents: Tensor) -> Tensor:
        return self.last(self.decoder(latents))


class Block(nn.Module):
    """Norm, activation and convolution, twice, added to the input."""

    def __init__(self, width_in: int, width_out: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, width_in), nn.GroupNorm(GROUPS, width_out)
        self.conv1, self.conv2 = _conv(width_in, width_out), _conv(width_out, width_out)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))


class PatchDiscriminator(nn.Module):
    """A discriminator for image patches of about 50 x 50 px (arXiv 1611.07004), with spectral norms.

    `forward(pictures)` takes (B, 1, H, W) in [-1, 1] and returns the scores (B, 1, H / 8, W / 8) and the activations of
    each layer, for a feature-matching loss (arXiv 1711.11585). `steps` counts its training steps.
    """

    steps: Tensor

    def __init__(self, widths: Sequence[int] = (32, 64, 128)):
        super().__init__()
        norm = nn.utils.parametrizations.spectral_norm
        before, layers = 1, []
        for width in widths:
            layers.append(norm(nn.Conv2d(before, width, 4, stride=2, padding=1)))
            before = width
        layers.append(norm(_conv(before, before)))
        self.layers = nn.ModuleList(layers)
        self.last = norm(_conv(before, 1))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, seen = pictures, []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            seen.append(x)
        return self.last(x), seen


def _conv(width_in: int, width_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 3, stride=stride, padding=1)
