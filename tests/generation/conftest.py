"""Shared fixtures for the tests of this wing: networks with known weights, and images."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from numpy.random import PCG64, Generator
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import nn

from generation import corpus, phantom
from tests.workers import made_once


@pytest.fixture(scope="session")
def deterministic() -> Callable[[nn.Module], nn.Module]:
    """Give a network the weights of rule B (../shared/parity/README.md): a function of names and shapes alone."""
    return rule_b


def rule_b(network: nn.Module) -> nn.Module:
    norms = [name for name, part in network.named_modules() if isinstance(part, nn.GroupNorm | nn.LayerNorm)]
    gains = {f"{name}.weight" for name in norms}
    with torch.no_grad():
        for i, (name, parameter) in enumerate(sorted(network.named_parameters())):
            values = Generator(PCG64(i)).standard_normal(tuple(parameter.shape))
            if name.endswith("relative_position_bias_table"):
                values *= 0.5
            elif name in gains or name.endswith(".g"):
                values = 1 + 0.02 * values
            elif parameter.ndim == 1:
                values *= 0.02
            else:
                values /= math.sqrt(math.prod(parameter.shape[1:]))
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return network.eval()


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory):
    """A prepared corpus of two sets, 24 pictures of 64 x 32 (16 x 8 small): a bright arch of random shape on dark."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = Generator(PCG64(9))
    y, x = np.mgrid[0:64, 0:128] / 64
    for number in range(24):
        arch = np.exp(-(((y - rng.uniform(0.3, 0.7) - rng.uniform(-1, 1) * (x - 1) ** 2) / 0.15) ** 2))
        texture = gaussian_filter(rng.standard_normal(y.shape), 3)
        pixels = (40 + 150 * arch + 250 * texture).clip(0, 255).astype(np.uint8)
        path = folder / "source" / ("ADLD", "TUFTS")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    corpus.prepare(folder / "source", folder / "prepared", size=(64, 32), parts=(0.7, 0.3, 0), workers=1)
    return folder / "prepared"


@pytest.fixture(scope="session")
def sound_phantoms(tmp_path_factory) -> list[Image.Image]:
    """48 phantoms without faults, 512 x 256."""

    def draw(folder):
        for seed, pixels in enumerate(Parallel(n_jobs=-1)(delayed(phantom.draw)(seed, "real") for seed in range(48))):
            Image.fromarray(pixels).reduce(2).save(folder / f"{seed:02}.png")

    return [Image.open(path).copy() for path in sorted(made_once(tmp_path_factory, "phantoms", draw).iterdir())]
