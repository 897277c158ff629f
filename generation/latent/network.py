"""Latent diffusion: the network of a trained run, from noise to an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

from generation.diffusion.schedule import scheduler
from generation.latent.autoencoder import FACTOR, Autoencoder

GROUPS = 32
PLACES = 4  # channels in which the network may learn positions


class LatentDiffusion(nn.Module):
    """Estimate the velocity (arXiv 2202.00512) of latents, and decode them.

    `forward(x, timesteps, guidance=1)` takes latents (B, channels, H / 8, W / 8) plus noise and integer timesteps (B,)
    or (); it returns their shape. `decode(latents)` gives grey pictures (B, 1, H, W), about -1 to 1.

    A few hundred radiographs are enough to estimate the best linear estimate well (`Wiener`), which contains most of
    the anatomy at high noise (arXiv 2311.10892); the U-Net learns the rest. height, width: size of the images.
    widths: channels of each level, each half the size of the one before. attention: heights of the levels with
    attention.
    components: directions in which the linear estimate knows the variance. autoencoder: settings of `Autoencoder`.
    steps: number of DDIM steps for which a student (`student_task`) was trained; 0 if the network is not a student.
    guidance: how far samples are moved away from those of the linear estimate alone (autoguidance, arXiv 2406.02507,
    with the weaker model available at no cost); 1 is not at all.
    """

    sources: tuple[str, ...] = ()

    def __init__(
        self,
        height: int,
        width: int,
        widths: Sequence[int],
        attention: Sequence[int],
        blocks: int,
        components: int,
        autoencoder: dict,
        steps: int = 0,
        guidance: float = 1.0,
    ):
        super().__init__()
        self.design = "student" if steps else "latent"
        self.steps, self.guidance = steps, guidance
        self.autoencoder = Autoencoder(**autoencoder).requires_grad_(False)
        self.in_channels = self.autoencoder.channels
        self.size = (height // FACTOR, width // FACTOR)
        heights = [self.size[0] >> level for level in range(len(widths))]
        if any(side % (FACTOR << (len(widths) - 1)) for side in (height, width)):
            raise ValueError(f"{width} x {height} cannot be halved {len(widths) - 1} times after squares of {FACTOR}")
        if set(attention) - set(heights):
            raise ValueError(f"attention names {sorted(set(attention) - set(heights))}, but the levels have {heights}")
        if any(channels % GROUPS for channels in widths):
            raise ValueError(f"widths: expected multiples of {GROUPS}, found {list(widths)}")
        attends = [level in attention for level in heights]
        unet = UNet2DModel(
            in_channels=self.in_channels + PLACES,
            out_channels=self.in_channels,
            block_out_channels=tuple(widths),
            down_block_types=tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attends),
            up_block_types=tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attends)),
            layers_per_block=blocks,
            attention_head_dim=GROUPS,
            norm_num_groups=GROUPS,
        )
        self.unet = cast(nn.Module, unet)
        self.places = nn.Parameter(0.02 * torch.randn(1, PLACES, *self.size))
        self.linear = Wiener((self.in_channels, *self.size), components)

    def forward(self, x: Tensor, timesteps: Tensor, guidance: float = 1.0) -> Tensor:
        timesteps = timesteps.expand(len(x))
        places = self.places.expand(len(x), -1, -1, -1)
        missing = self.unet(torch.cat((x, places.to(x.dtype)), 1), timesteps).sample
        return self.linear(x, timesteps) + guidance * missing.float()

    @torch.no_grad()
    def guide(self, guidance: float) -> None:
        """Fold guidance into the weights, so that later estimates equal those with this guidance."""
        last = cast(nn.Conv2d, self.unet.conv_out)
        for weights in last.parameters():
            weights.mul_(guidance)

    def decode(self, latents: Tensor) -> Tensor:
        return self.autoencoder.decode(self.linear.restored(latents))


class Wiener(nn.Module):
    """The best linear estimate of the velocity for a normal distribution with known mean and covariance.

    `learn(latents)` takes (N, C, H, W), `standardised` scales such latents to mean 0 at each position and overall
    variance 1 per channel, `restored` inverts this. `forward(x, timesteps)` estimates the velocity of standardised
    latents. The first `components` principal directions of the covariance are known; the rest share one variance.
    """

    mean: Tensor
    spread: Tensor
    basis: Tensor
    variances: Tensor
    rest: Tensor
    alpha_bars: Tensor

    def __init__(self, shape: tuple[int, int, int], components: int):
        super().__init__()
        channels, height, width = shape
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("spread", torch.ones(channels, 1, 1))
        self.register_buffer("basis", torch.zeros(channels * height * width, components))
        self.register_buffer("variances", torch.ones(components))
        self.register_buffer("rest", torch.ones(()))
        alpha_bars = scheduler("latent").alphas_cumprod.float()
        self.register_buffer("alpha_bars", alpha_bars, persistent=False)

    def learn(self, latents: Tensor) -> None:
        self.mean.copy_(latents.mean(0))
        self.spread.copy_((latents - self.mean).std((0, 2, 3), keepdim=True)[0])
        flat = self.standardised(latents).flatten(1)
        components = self.variances.numel()
        _, lengths, basis = torch.svd_lowrank(flat, components, niter=4)
        variances = lengths.square() / len(flat)
        self.basis.copy_(basis)
        self.variances.copy_(variances)
        self.rest.copy_((flat.square().mean(0).sum() - variances.sum()) / (flat.shape[1] - components))

    def standardised(self, latents: Tensor) -> Tensor:
        return (latents - self.mean) / self.spread

    def restored(self, latents: Tensor) -> Tensor:
        return latents * self.spread + self.mean

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        kept = self.alpha_bars[timesteps][:, None]
        flat = x.float().flatten(1)
        known, rest = self._gain(self.variances[None], kept), self._gain(self.rest[None, None], kept)
        with torch.autocast(x.device.type, enabled=False):
            velocity = rest * flat + ((flat @ self.basis) * (known - rest)) @ self.basis.T
        return velocity.view_as(x)

    @staticmethod
    def _gain(variance: Tensor, kept: Tensor) -> Tensor:
        """Return velocity divided by x in a direction of this variance, from E[image | x]; `kept`: alpha-bar."""
        return (kept * (1 - kept)).sqrt() * (1 - variance) / (kept * variance + 1 - kept)
