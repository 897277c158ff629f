"""DDPM-LQ: a diffusion network trained only on poor images, and conditioned on the content of a good one.

The content is what poor and good images have in common: the image smoothed beyond the unsharpness of both, without its
brightness and contrast. In training it comes from the poor image itself; for degradation, from the good image. Without
it, the method is SDEdit (arXiv 2108.01073): part of the noise is added to the good image, and a network that knows only
poor images removes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from scipy.ndimage import gaussian_filter
from torch import Tensor

from generation.diffusion.sampling import ImageNoise, Sampling, solve
from generation.diffusion.schedule import scheduler
from generation.restoration.degradations import shrunk
from generation.restoration.network import STEPS, RestorationUNet
from generation.weights import file_of, read_ours


class PoorUNet(RestorationUNet):
    """Estimates the velocity of a poor image from the noisy image and a content.

    Like `RestorationUNet`, but about zero, because the brightness of the image is unknown. smooth: sigma in px of the
    smoothing that removes detail from the content.
    """

    apart = 0.4  # root mean square of poor images in [-1, 1]

    def __init__(
        self,
        widths: tuple[int, ...],
        attention: int = 1,
        blocks: int = 2,
        patch: int = 1,
        smooth: float = 1.5,
        head: int = 8,
    ):
        super().__init__(widths, attention, blocks, patch, scale=1, head=head)
        self.smooth = smooth

    def forward(self, noisy: Tensor, timestep: Tensor, content: Tensor) -> Tensor:
        """Noisy pictures (B, 1, H, W), steps in 0..STEPS-1, contents like the pictures; the velocity (B, 1, H, W)."""
        return self._estimate(noisy, timestep, 0.0, content)


def load(path: Path) -> PoorUNet:
    """Load a network trained with Discern, on the CPU and ready to degrade. Raises InputError like `read_ours`."""
    return read_ours(file_of(path), "ddpm-lq", lambda about: PoorUNet(**about["config"]))


def content(picture: np.ndarray, smooth: float) -> np.ndarray:
    """Return the content of an image without exposure, sharpness and noise: float32 (H, W), mean 0, unit spread."""
    seen = gaussian_filter(np.asarray(picture, dtype=np.float32), smooth, mode="nearest")
    return (seen - seen.mean()) / max(float(seen.std()), 1e-6)


def degrade(
    network: PoorUNet, good: np.ndarray, rng: Generator, scale: int, sampling: Sampling, strength: float = 0.0
) -> np.ndarray:
    """Return a poor version, float32 (H / scale, W / scale) in [0, 1], of a good image, float32 (H, W) in [0, 1].

    strength: 0 to condition on the good image's content; above 0, up to 1, SDEdit with this share of the noise. Raises
    ValueError if `scale` does not divide the sides.
    """
    small = shrunk(good, scale)
    height, width = small.shape
    padding = (0, -width % network.unit, 0, -height % network.unit)
    device = next(network.parameters()).device

    def padded(picture: np.ndarray) -> Tensor:
        return F.pad(torch.from_numpy(picture)[None, None], padding, mode="replicate").to(device)

    given = padded(content(small, network.smooth))
    given = torch.zeros_like(given) if strength else given
    noise = ImageNoise(int(rng.integers(2**63)), [0], tuple(given.shape[1:]))  # type: ignore[arg-type]
    made = solve(
        scheduler("recommended", sampling.sampler, STEPS),
        lambda x, timestep: network(x, timestep, given).float(),
        noise,
        sampling,
        device,
        start=(padded(small * 2 - 1), strength) if strength else None,
    )
    return made[0, 0, :height, :width].numpy()
