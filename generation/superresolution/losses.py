"""Additional losses for super-resolution: features of VGG19, and a discriminator."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from generation.weights import adopt, read_pickle

VGG19 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)  # 0: pooling
FEATURES = {2: 0.1, 7: 0.1, 16: 1.0, 25: 1.0, 34: 1.0}  # conv1_2, conv2_2, conv3_4, conv4_4, conv5_4 and their weights
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Perceptual(nn.Module):
    """Distance of two images by features of VGG19 before the activation (arXiv 1603.08155, 1809.00219).

    path: torchvision's `vgg19-dcbb9e9d.pth` (or any state dict with its `features.N` names); nothing is downloaded.
    `forward(x, y)` takes grey or colour images in [0, 1] and returns the weighted L1 distance. Raises InputError if the
    file does not match.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, path: str | Path):
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for wider in VGG19:
            layers += [nn.Conv2d(width, wider, 3, padding=1), nn.ReLU()] if wider else [nn.MaxPool2d(2)]
            width = wider or width
        self.features = nn.Sequential(*layers[:-1])  # no activation after conv5_4
        state = {name: tensor for name, tensor in read_pickle(Path(path)).items() if name.startswith("features.")}
        adopt(self, state, Path(path))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        distance = x.new_zeros(())
        for weight, (ours, theirs) in zip(
            FEATURES.values(), zip(self._features(x), self._features(y), strict=True), strict=True
        ):
            distance = distance + weight * F.l1_loss(ours, theirs)
        return distance

    def _features(self, x: Tensor) -> list[Tensor]:
        x = (x.expand(-1, 3, -1, -1) - self.mean) / self.std
        found = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in FEATURES:
                found.append(x)
        return found


class Discriminator(nn.Module):
    """A U-Net with spectral norm that judges every pixel, after Real-ESRGAN (arXiv 2107.10833): (B, C, H, W) to logits
    (B, 1, H, W); H and W are multiples of 8."""

    def __init__(self, channels: int, width: int = 64):
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(width << level, width << (level + 1), 4, 2, 1, bias=False)) for level in range(3)
        )
        self.up = nn.ModuleList(
            spectral_norm(nn.Conv2d(width << (level + 1), width << level, 3, padding=1, bias=False))
            for level in reversed(range(3))
        )
        self.last = nn.Sequential(
            spectral_norm(nn.Conv2d(width, width, 3, padding=1, bias=False)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, width, 3, padding=1, bias=False)),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(x), 0.2)
        skips = []
        for down in self.down:
            skips.append(x)
            x = F.leaky_relu(down(x), 0.2)
        for up in self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = F.leaky_relu(up(x), 0.2) + skips.pop()
        return self.last(x)


def vanilla_gan(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy of the discriminator's logits against one target for all pixels (arXiv 1406.2661)."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))
