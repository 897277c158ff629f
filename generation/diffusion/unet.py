"""The denoising network of PanoDiff (arXiv 2507.09227), so that the published checkpoints load here.

Attribute names are the published tensor names. The network differs from diffusers' `UNet2DModel` in its
arithmetic (norm after the convolution, time added after the activation, attention with a fixed inner width).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

TIME_FEATURES = 64
TIME_WIDTH = 256
GROUPS = 8
HEADS, HEAD_WIDTH = 4, 32


class PanoDiffUNet(nn.Module):
    """Estimate the noise in `x`.

    `forward(x, timesteps)` takes x (B, C, H, W) in [-1, 1] plus noise, H and W multiples of 2 ** (levels - 1),
    and integer timesteps (B,) or (); it returns the noise estimate (B, C, H, W). `widths[0]` is the number of channels
    at full resolution; each further level halves the resolution. All levels except the first, and the middle, have
    attention. `size` (height, width) is the size of its samples.
    """

    design = "published"
    sources: tuple[str, ...] = ()

    def __init__(
        self,
        in_channels: int = 3,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        size: tuple[int, int] = (128, 256),
    ):
        super().__init__()
        self.in_channels = in_channels
        self.size = (size[0], size[1])
        self.widths = tuple(widths)
        levels = list(pairwise(self.widths))
        first, middle = self.widths[0], self.widths[-1]
        self.time_embedding = nn.Sequential(
            nn.Linear(TIME_FEATURES, TIME_WIDTH), nn.SiLU(), nn.Linear(TIME_WIDTH, TIME_WIDTH)
        )
        self.init_conv = nn.Conv2d(in_channels, first, 3, padding=1)
        self.down_blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    ResidualBlock(width, width),
                    ResidualBlock(width, width),
                    Attention(width) if level else nn.Identity(),
                    _downsample(width, below) if level < len(levels) - 1 else _conv3(width, below),
                ]
            )
            for level, (width, below) in enumerate(levels)
        )
        self.mid_block1 = ResidualBlock(middle, middle)
        self.mid_attn = Attention(middle)
        self.mid_block2 = ResidualBlock(middle, middle)
        self.up_blocks = nn.ModuleList(
            nn.ModuleList(
                [
                    ResidualBlock(below + width, below),
                    ResidualBlock(below + width, below),
                    Attention(below) if level else nn.Identity(),
                    _upsample(below, width) if level else _conv3(below, width),
                ]
            )
            for level, (width, below) in reversed(list(enumerate(levels)))
        )
        self.out_block = ResidualBlock(2 * first, first)
        self.conv_out = nn.Conv2d(first, in_channels, 1)

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        # the published network has one more activation here than in each block
        time = F.silu(self.time_embedding(sinusoids(timesteps.expand(len(x))).to(x.dtype)))
        x = self.init_conv(x)
        entry, skips = x, []
        for first, second, attention, resample in _levels(self.down_blocks):
            x = first(x, time)
            skips.append(x)
            x = attention(second(x, time))
            skips.append(x)
            x = resample(x)
        x = self.mid_block2(self.mid_attn(self.mid_block1(x, time)), time)
        for first, second, attention, resample in _levels(self.up_blocks):
            x = first(torch.cat((x, skips.pop()), 1), time)
            x = resample(attention(second(torch.cat((x, skips.pop()), 1), time)))
        return self.conv_out(self.out_block(torch.cat((x, entry), 1), time))


class ResidualBlock(nn.Module):
    """Convolution, norm and activation, twice; the time is added in between."""

    def __init__(self, width_in: int, width_out: int):
        super().__init__()
        self.time_emb_proj = nn.Sequential(nn.SiLU(), nn.Linear(TIME_WIDTH, width_out))
        self.residual_conv = nn.Conv2d(width_in, width_out, 1) if width_in != width_out else nn.Identity()
        self.conv1 = _conv3(width_in, width_out)
        self.conv2 = _conv3(width_out, width_out)
        self.norm1 = nn.GroupNorm(GROUPS, width_out)
        self.norm2 = nn.GroupNorm(GROUPS, width_out)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        hidden = F.silu(self.norm1(self.conv1(x)))
        hidden = hidden + self.time_emb_proj(time)[:, :, None, None]
        return F.silu(self.norm2(self.conv2(hidden))) + self.residual_conv(x)


class Attention(nn.Module):
    """Self-attention over all pixels with a residual: four heads of 32, regardless of the width."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = RMSNorm(width)
        self.to_qkv = nn.Conv2d(width, 3 * HEADS * HEAD_WIDTH, 1, bias=False)
        self.to_out = nn.Conv2d(HEADS * HEAD_WIDTH, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        qkv = self.to_qkv(self.norm(x)).unflatten(1, (3, HEADS, HEAD_WIDTH)).flatten(4)
        query, key, value = qkv.transpose(3, 4).unbind(1)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.to_out(mixed.transpose(2, 3).flatten(1, 2).unflatten(2, size)) + x


class RMSNorm(nn.Module):
    """Scale each pixel's channels to root mean square 1, times a gain."""

    def __init__(self, width: int):
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1) * self.g * math.sqrt(x.shape[1])


def sinusoids(timesteps: Tensor) -> Tensor:
    """Time features (B, 64): sines, then cosines, of wavelengths from 2 pi to 10000 * 2 pi (arXiv 1706.03762)."""
    half = TIME_FEATURES // 2
    rates = torch.exp(torch.arange(half, device=timesteps.device) * (-math.log(10_000) / (half - 1)))
    angles = timesteps[:, None].float() * rates
    return torch.cat((angles.sin(), angles.cos()), 1)


def _conv3(width_in: int, width_out: int) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 3, padding=1)


def _downsample(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * width_in, width_out, 1))


def _upsample(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2), _conv3(width_in, width_out))


def _levels(blocks: nn.ModuleList) -> list[tuple[nn.Module, nn.Module, nn.Module, nn.Module]]:
    return [cast("tuple[nn.Module, nn.Module, nn.Module, nn.Module]", tuple(cast(nn.ModuleList, b))) for b in blocks]
