"""Our own denoising network: a current version of PanoDiff's, based on diffusers' `UNet2DModel`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import UNet2DModel
from torch import Tensor, nn


class RecommendedUNet(nn.Module):
    """Estimate the velocity of `x` (arXiv 2202.00512).

    `forward(x, timesteps, source=None)` takes grey images (B, 1, H, W) in [-1, 1] plus noise, timesteps (B,) or (), and
    the numbers of the source data sets (B,), 0 for any; it returns (B, 1, H, W).

    height, width: size of the images. widths: channels of each level, each half the size of the one before.
    attention: heights of the levels with attention. blocks: residual blocks per level.
    patch: the network sees squares of patch x patch pixels as channels (arXiv 2301.11093), which reduces the cost by
    patch ** 2. sources: names of the data sets that can be requested.
    """

    design = "recommended"
    in_channels = 1

    def __init__(
        self,
        height: int = 128,
        width: int = 256,
        widths: Sequence[int] = (64, 128, 256, 256),
        attention: Sequence[int] = (16, 32),
        blocks: int = 2,
        patch: int = 1,
        sources: Sequence[str] = (),
    ):
        super().__init__()
        heights = [height // patch >> level for level in range(len(widths))]
        if height % (patch << (len(widths) - 1)) or width % (patch << (len(widths) - 1)):
            raise ValueError(f"{width} x {height} cannot be halved {len(widths) - 1} times after patches of {patch}")
        if set(attention) - set(heights):
            raise ValueError(f"attention names {sorted(set(attention) - set(heights))}, but the levels have {heights}")
        self.size = (height, width)
        self.patch = patch
        self.sources = tuple(sources)
        groups = math.gcd(32, *widths)
        attends = [level in attention for level in heights]
        unet = UNet2DModel(
            in_channels=patch**2,
            out_channels=patch**2,
            block_out_channels=tuple(widths),
            down_block_types=tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attends),
            up_block_types=tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attends)),
            layers_per_block=blocks,
            attention_head_dim=groups,
            norm_num_groups=groups,
            num_class_embeds=len(sources) + 1 if sources else None,
        )
        self.unet = cast(nn.Module, unet)

    def forward(self, x: Tensor, timesteps: Tensor, source: Tensor | None = None) -> Tensor:
        if self.sources and source is None:
            source = torch.zeros(len(x), dtype=torch.long, device=x.device)
        x = F.pixel_unshuffle(x, self.patch)
        velocity = self.unet(x, timesteps, class_labels=source if self.sources else None).sample
        return F.pixel_shuffle(velocity, self.patch)
