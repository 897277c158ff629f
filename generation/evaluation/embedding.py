"""An embedding trained on the corpus itself, because there is none trained on similar radiographs.

A small convolutional network learns to recognise two random views of one radiograph among those of others (NT-Xent of
SimCLR, Chen et al., 2020): it keeps what distinguishes patients, and ignores framing, exposure and side.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from generation import weights
from generation.pool import Progress

SIZE = (128, 64)  # width x height
DIMENSIONS = 128
TEMPERATURE = 0.2


class Embedding(nn.Module):
    """Maps grey images (B, 1, 64, 128) in [0, 1] to features (B, 128)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 24, 48, 96, DIMENSIONS)
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(4, b), nn.GELU())
                for a, b in pairwise(widths)
            )
        )
        self.pool = nn.AdaptiveAvgPool2d((2, 4))  # keep coarse locations, because they distinguish patients
        self.out = nn.Linear(DIMENSIONS * 8, DIMENSIONS)
        self.head = nn.Sequential(nn.Linear(DIMENSIONS, DIMENSIONS), nn.GELU(), nn.Linear(DIMENSIONS, 64))

    def forward(self, images: Tensor) -> Tensor:
        return self.out(self.pool(self.layers((images - 0.45) / 0.2)).flatten(1))


def prepared(image: Image.Image) -> np.ndarray:
    """Return an image as input for the network, uint8 (64, 128)."""
    return np.asarray(image.convert("L").resize(SIZE, Image.Resampling.BOX))


def train(images: np.ndarray, steps: int = 300, seed: int = 0, progress: Progress | None = None) -> Embedding:
    """Train on prepared images, uint8 (images, 64, 128). The seed determines the result on one kind of machine."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Embedding()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    pixels = torch.from_numpy(images).float().unsqueeze(1) / 255
    batch = min(64, len(pixels))
    for step in range(steps):
        chosen = pixels[torch.randperm(len(pixels), generator=generator)[:batch]]
        views = torch.cat([_view(chosen, generator), _view(chosen, generator)])
        projected = functional.normalize(network.head(network(views)), dim=1)
        likeness = projected @ projected.T / TEMPERATURE
        likeness = likeness.masked_fill(torch.eye(2 * batch, dtype=torch.bool), -torch.inf)
        partner = torch.arange(2 * batch).roll(batch)
        loss = functional.cross_entropy(likeness, partner)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, steps)
    return network.eval()


def _view(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return each image with a different frame, side, exposure and sharpness."""
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    scale_x, scale_y = uniform(0.75, 1.0), uniform(0.75, 1.0)
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = scale_x * flip, scale_y
    affine[:, 0, 2], affine[:, 1, 2] = uniform(-1, 1) * (1 - scale_x), uniform(-1, 1) * (1 - scale_y)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    views = functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    gamma, gain, lift = (x.view(-1, 1, 1, 1) for x in (uniform(0.7, 1.4), uniform(0.8, 1.2), uniform(-0.1, 0.1)))
    views = (views.clamp(0, 1) ** gamma * gain + lift).clamp(0, 1)
    return views + 0.03 * torch.randn(views.shape, generator=generator)


@torch.inference_mode()
def embed(network: Embedding, images: Sequence[Image.Image]) -> np.ndarray:
    """Return the features of images, float32 (images, 128)."""
    pixels = torch.from_numpy(np.stack([prepared(image) for image in images])).float().unsqueeze(1) / 255
    return network(pixels).numpy()


def save(network: Embedding, path: Path) -> None:
    """Write the network's weights (safetensors). Raises InputError if `path` cannot be written."""
    weights.write_safetensors(path, network, {"kind": "embedding"})


def load(path: Path) -> Embedding:
    """Read weights written by `save`. Raises InputError if they belong to another network."""
    network = Embedding()
    weights.adopt(network, weights.read_safetensors(path)[0], path)
    return network.eval()
