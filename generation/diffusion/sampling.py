"""Images from noise: any image by number, the same in any batch and on any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from generation.devices import Precision, autocast
from generation.diffusion.checkpoints import Network
from generation.diffusion.schedule import LATENT, STEPS, Sampler, scheduler
from generation.latent.network import LatentDiffusion
from generation.settings import explained

AUTHORS_BATCH = 32

NoiseMode = Literal["image", "authors"]


@dataclass(frozen=True)
class Sampling:
    """How noise becomes an image."""

    sampler: Sampler = explained("dpm++", "solver: ddim (published), dpm++ or unipc (good from 20 steps on)")  # noqa: RUF009
    steps: int = explained(25, "denoising steps", least=1, most=STEPS)
    eta: float = explained(0.0, "noise added at each step (ddim only): 0 for none, 1 as published", least=0, most=1)


DEFAULTS = {
    "published": Sampling("ddim", 250, 1.0),
    "recommended": Sampling(),
    "latent": Sampling(),
}


def default(network: Network) -> Sampling:
    """Return the default sampling of a network; a student uses the steps for which it was trained."""
    if isinstance(network, LatentDiffusion) and network.steps:
        return Sampling("ddim", network.steps)
    return DEFAULTS[network.design]


class Noise(Protocol):
    """Called repeatedly: returns the initial noise, then that of each step, float32 (B, C, H, W) on the CPU."""

    def __call__(self) -> Tensor: ...


class ImageNoise:
    """Each image has its own generator, seeded by the run's seed and the image's number."""

    def __init__(self, seed: int, numbers: Sequence[int], shape: tuple[int, int, int]):
        self.shape = shape
        self.generators = [torch.Generator().manual_seed(image_seed(seed, number)) for number in numbers]

    def __call__(self) -> Tensor:
        return torch.stack([torch.randn(self.shape, generator=generator) for generator in self.generators])


class AuthorsNoise:
    """The noise of the authors' script: batches of 32, with batch b drawn as a whole from seed + b.

    Image i is element i % 32 of batch i // 32, regardless of which images are made together here.
    """

    def __init__(self, seed: int, numbers: Sequence[int], shape: tuple[int, int, int]):
        self.shape = shape
        self.places = [divmod(number, AUTHORS_BATCH) for number in numbers]
        self.generators = {batch: torch.Generator().manual_seed(seed + batch) for batch, _ in self.places}

    def __call__(self) -> Tensor:
        whole = {
            batch: torch.randn((AUTHORS_BATCH, *self.shape), generator=generator)
            for batch, generator in self.generators.items()
        }
        return torch.stack([whole[batch][place] for batch, place in self.places])


NOISES: dict[str, Callable[[int, Sequence[int], tuple[int, int, int]], Noise]] = {
    "image": ImageNoise,
    "authors": AuthorsNoise,
}


def image_seed(seed: int, number: int) -> int:
    """Return the 64-bit seed of one image: numpy's SeedSequence over the run's seed and the image's number."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])


@torch.inference_mode()
def denoise(
    network: Network,
    noise: Noise,
    sampling: Sampling,
    *,
    precision: Precision = "fp32",
    source: int = 0,
    on_step: Callable[[], object] = lambda: None,
) -> Tensor:
    """Return images (B, C, H, W) in [0, 1], float32 on the CPU, from as many draws of noise as the solver needs.

    The network is not moved; noise is drawn on the CPU, so that all devices give the same images up to rounding.
    source: number of the requested data set, from 1; 0 for any.
    """
    device = next(network.parameters()).device

    def estimate(x: Tensor, timestep: Tensor) -> Tensor:
        context: dict[str, Any] = {"source": torch.full((len(x),), source, device=device)} if source else {}
        if network.design in LATENT:
            context["guidance"] = network.guidance
        with autocast(precision, device):
            return network(x, timestep, **context).float()

    def decode(latents: Tensor) -> Tensor:
        with autocast(precision, device):
            return network.decode(latents).float()  # type: ignore[union-attr,operator]

    solver = scheduler(network.design, sampling.sampler)
    finish = decode if network.design in LATENT else None
    return solve(solver, estimate, noise, sampling, device, on_step, finish=finish)


@torch.inference_mode()
def solve(
    solver: Any,
    estimate: Callable[[Tensor, Tensor], Tensor],
    noise: Noise,
    sampling: Sampling,
    device: torch.device,
    on_step: Callable[[], object] = lambda: None,
    start: tuple[Tensor, float] | None = None,
    finish: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Return images (B, C, H, W) in [0, 1], float32 on the CPU, by removing noise step by step.

    solver: from `generation.diffusion.schedule.scheduler`. estimate: function of (noisy images, timestep) that the
    solver needs, float32 on the device. start: images in [-1, 1] to start from, and the share of the steps to take, in
    (0, 1] (SDEdit, arXiv 2108.01073); by default the start is noise. finish: converts latents to images in [-1, 1].
    """
    solver.set_timesteps(sampling.steps, device=device)
    timesteps = solver.timesteps
    stochastic = sampling.sampler == "ddim" and sampling.eta > 0
    x = noise().to(device, memory_format=torch.channels_last)
    if start:
        pictures, share = start
        skipped = len(timesteps) - max(1, round(share * len(timesteps)))
        if sampling.sampler != "ddim":  # the other solvers count their steps
            solver.set_begin_index(skipped)
        timesteps = timesteps[skipped:]
        x = solver.add_noise(pictures, x, timesteps[:1])
    with ThreadPoolExecutor(1) as host:
        for timestep in timesteps:
            drawn = host.submit(noise) if stochastic else None  # while the network computes
            output = estimate(x, timestep)
            options: dict[str, Any] = {}
            if sampling.sampler == "ddim":
                options = {"eta": sampling.eta, "use_clipped_model_output": True}
            if drawn:
                options["variance_noise"] = drawn.result().to(device)
            x = solver.step(output, timestep, x, **options).prev_sample
            on_step()
    return ((finish(x) if finish else x).clamp(-1, 1) / 2 + 0.5).cpu()
