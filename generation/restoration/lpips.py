"""LPIPS: distance of two images by features of AlexNet or VGG16 (arXiv 1801.03924), with weights given as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from generation.weights import adopt, read_pickle

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # from the authors, for images in [-1, 1]
HEARD = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}  # activations that are compared
VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)  # 0: pooling


class LpipsWeights(nn.Module):
    """Layers by their names in a file."""

    def __init__(self, **layers: nn.Module):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)


class Lpips(nn.Module):
    """`forward(x, y)` takes grey images (B, 1, H, W) in [0, 1] and returns the distances (B,); 0 for equal ones.

    features: torchvision's `alexnet-owt-7be5be79.pth` or `vgg16-397923af.pth`. linear: the authors' weights of the
    channels, version 0.1 (`lin0.model.1.weight` ...); by default the copy in torchmetrics. Nothing is downloaded.
    Raises InputError if a file is missing or does not match.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, features: Path, linear: Path | None = None):
        super().__init__()
        state = {name: tensor for name, tensor in read_pickle(features).items() if name.startswith("features.")}
        first = state.get("features.0.weight")
        self.net = "alex" if isinstance(first, Tensor) and first.shape[-1] == 11 else "vgg"
        self.features = _alexnet() if self.net == "alex" else _vgg16()
        adopt(LpipsWeights(features=self.features), state, features)
        weights = linear or _shipped(self.net)
        widths = [cast(Any, self.features[place - 1]).out_channels for place in HEARD[self.net]]
        self.linear = nn.ModuleList(nn.Conv2d(width, 1, 1, bias=False) for width in widths)
        found = {name.replace(".model.1.", "."): tensor for name, tensor in read_pickle(weights).items()}
        adopt(LpipsWeights(**{f"lin{level}": layer for level, layer in enumerate(self.linear)}), found, weights)
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        ours, theirs = self._heard(x), self._heard(y)
        terms = [layer((a - b) ** 2).mean((1, 2, 3)) for layer, a, b in zip(self.linear, ours, theirs, strict=True)]
        return torch.stack(terms).sum(0)

    def _heard(self, x: Tensor) -> list[Tensor]:
        x, found = (2 * x - 1 - self.shift) / self.scale, []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in HEARD[self.net]:
                found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-8))
        return found


def measure(features: Path, linear: Path | None = None) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return a function for the distance of two images, both uint8 (H, W). Raises InputError like `Lpips`."""
    network = Lpips(features, linear)

    def distance(original: np.ndarray, restored: np.ndarray) -> float:
        x, y = (torch.from_numpy(pixels / np.float32(255))[None, None] for pixels in (original, restored))
        with torch.inference_mode():
            return float(network(x, y))

    return distance


def _alexnet() -> nn.Sequential:
    """The convolutions of AlexNet as in torchvision (arXiv 1404.5997), up to the last activation."""
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    )


def _vgg16() -> nn.Sequential:
    layers: list[nn.Module] = []
    width = 3
    for wider in VGG16:
        layers += [nn.Conv2d(width, wider, 3, padding=1), nn.ReLU()] if wider else [nn.MaxPool2d(2)]
        width = wider or width
    return nn.Sequential(*layers)


def _shipped(net: str) -> Path:
    import torchmetrics

    return Path(torchmetrics.__path__[0]) / "functional" / "image" / "lpips_models" / f"{net}.pth"
