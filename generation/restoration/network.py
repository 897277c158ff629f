"""DDPM-HQ: a U-Net from diffusers that sees the noisy image and the enlarged poor one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import UNet2DModel
from PIL import Image
from torch import Tensor, nn

from generation.diffusion.schedule import scheduler
from generation.weights import file_of, read_ours

STEPS = 2000  # noise steps, as in DiffusionXRay (arXiv 2603.01686)
# Root mean square difference of good images in [-1, 1] from enlarged poor ones, the network's starting point.
APART = 0.2


class RestorationUNet(nn.Module):
    """Estimates the velocity (arXiv 2202.00512) of an image from the noisy image and the enlarged poor one.

    The U-Net adds to the best linear estimate for good images that differ from poor ones by APART, in units of its
    error (like arXiv 2206.00364 about zero), so that only the difference between poor and good is learnt.
    widths: channels of each level, each half the size of the last. attention: number of deepest levels with attention.
    patch: side of the pixel squares that are folded into channels. scale: how many times larger good images are than
    poor ones. head: channels per attention head; small numbers are slow. Raises ValueError for widths that are not
    multiples of 8 (or of `head` in levels with attention), or for more levels with attention than there are levels.
    """

    alpha_bars: Tensor
    apart = APART

    def __init__(
        self,
        widths: tuple[int, ...],
        attention: int = 1,
        blocks: int = 2,
        patch: int = 1,
        scale: int = 2,
        head: int = 8,  # the value for checkpoints that do not give it
    ):
        super().__init__()
        self.register_buffer("alpha_bars", scheduler("recommended", "ddim", STEPS).alphas_cumprod, persistent=False)
        if any(width % 8 for width in widths) or not widths:
            raise ValueError(f"widths must be multiples of 8, not {list(widths)}")
        if not 0 <= attention <= len(widths):
            raise ValueError(f"{attention} of {len(widths)} levels cannot have attention")
        plain = len(widths) - attention
        if any(width % head for width in widths[plain:]):
            raise ValueError(f"widths with attention must be multiples of {head} (head), not {list(widths[plain:])}")
        self.patch, self.scale = patch, scale
        self.unit = patch * 2 ** (len(widths) - 1)  # sides must be multiples of it
        self.unet: Any = UNet2DModel(  # not a module for mypy, because diffusers has no types
            in_channels=2 * patch**2,
            out_channels=patch**2,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",) * attention,
            up_block_types=("AttnUpBlock2D",) * attention + ("UpBlock2D",) * plain,
            block_out_channels=tuple(widths),
            layers_per_block=blocks,
            add_attention=attention > 0,
            attention_head_dim=head,
            norm_num_groups=8,
        )

    def forward(self, noisy: Tensor, timestep: Tensor, poor: Tensor) -> Tensor:
        """Take noisy and poor images (B, 1, H, W) in [-1, 1], steps in 0..STEPS-1; return the velocity (B, 1, H, W)."""
        return self._estimate(noisy, timestep, poor, poor)

    def spread(self, timestep: Tensor) -> Tensor:
        """Return the root mean square error of the linear estimate of the velocity at each step: (B, 1, 1, 1)."""
        alpha_bar = self._alpha_bar(timestep)
        return self.apart / (alpha_bar * self.apart**2 + 1 - alpha_bar).sqrt()

    def _estimate(self, noisy: Tensor, timestep: Tensor, about: Tensor | float, beside: Tensor) -> Tensor:
        """Estimate the velocity of an image that differs by `apart` from `about`; the U-Net also sees `beside`."""
        alpha_bar = self._alpha_bar(timestep)
        alpha, sigma, spread = alpha_bar.sqrt(), (1 - alpha_bar).sqrt(), self.spread(timestep)
        linear = sigma * (alpha * (1 - self.apart**2) * noisy - about) * (spread / self.apart) ** 2
        seen = F.pixel_unshuffle(torch.cat((noisy, beside), 1), self.patch)
        return linear + spread * F.pixel_shuffle(self.unet(seen, timestep).sample, self.patch)

    def _alpha_bar(self, timestep: Tensor) -> Tensor:
        return self.alpha_bars[timestep].reshape(-1, 1, 1, 1)


def velocity_loss(
    network: nn.Module, own: RestorationUNet, picture: Tensor, beside: Tensor, noise: Tensor, timestep: Tensor, by: str
) -> Tensor:
    """The distance (`by`: l1 or l2) between the velocity and its estimate, in units of the linear estimate's error.

    `network` estimates: `own`, or its wrapper in a training. Images, `beside` and noise: (B, 1, H, W); steps (B,).
    """
    solver = scheduler("recommended", "ddim", STEPS)
    noisy = solver.add_noise(picture, noise, timestep).contiguous(memory_format=torch.channels_last)
    estimate, spread = network(noisy, timestep, beside).float(), own.spread(timestep)
    distance = F.l1_loss if by == "l1" else F.mse_loss
    return distance(estimate / spread, solver.get_velocity(picture, noise, timestep) / spread)


def load(path: Path) -> RestorationUNet:
    """Load a network trained with Discern, on the CPU and ready to restore. Raises InputError like `read_ours`."""
    return read_ours(file_of(path), "restoration", lambda about: RestorationUNet(**about["config"]))


def enlarged(poor: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge a poor image, float32 (h, w) in [0, 1], for the network: bicubic, (scale * h, scale * w) in [0, 1]."""
    height, width = poor.shape
    large = Image.fromarray(poor).resize((scale * width, scale * height), Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32).clip(0, 1)
