"""Training of a student that does in one step what its teacher does in several (arXiv 2202.00512, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.random import Generator
from torch import Tensor, nn

from generation.diffusion import checkpoints
from generation.diffusion.sampling import ImageNoise, default, denoise
from generation.diffusion.schedule import STEPS, scheduler
from generation.errors import InputError
from generation.examples import Example, Pictures
from generation.latent.network import LatentDiffusion
from generation.latent.task import encoded
from generation.settings import explained
from generation.training import Optimiser, Training, contact_sheet
from generation.weights import file_of, read_safetensors

PICTURES = "lr"


@dataclass(frozen=True)
class StudentNetwork:
    """The teacher, and the number of steps."""

    teacher: str = explained("", "folder of the `--stage latent` run that is the teacher")
    steps: int = explained(4, "DDIM steps of the student from noise to image", least=1, most=64)
    substeps: int = explained(4, "teacher steps per student step", least=2, most=16)
    views: int = explained(12, "times each image is encoded, each time shifted a little", least=1)
    jitter: float = explained(1.0, "how much images are shifted, rotated, enlarged and brightened; 0 for none", least=0)


@dataclass(frozen=True)
class StudentSettings:
    """Everything that determines a training of a student, apart from the corpus and the seed."""

    network: StudentNetwork = field(default_factory=StudentNetwork)
    optimiser: Optimiser = field(default_factory=lambda: Optimiser(1e-4, warmup=50, ema=0.99))
    training: Training = field(default_factory=lambda: Training(epochs=30, batch=16, save_every=100, look_every=5))


PRESETS = {"recommended": StudentSettings()}


class StudentTask:
    """A copy of the teacher that learns where several of its (guided) steps lead (`generation.training.Task`)."""

    def __init__(self, settings: StudentSettings, pictures: Pictures):
        path = _teacher(settings)
        self.settings, self.teacher = settings, load(path)
        config = {**read_safetensors(path)[1]["config"], "steps": settings.network.steps, "guidance": 1.0}
        self.network = LatentDiffusion(**config)
        self.network.load_state_dict(self.teacher.state_dict())
        self.network.guide(self.teacher.guidance)
        self.about: dict[str, Any] = {"stage": "diffusion", "design": "student", "config": config}
        self.networks: dict[str, nn.Module] = {"network": self.network}
        total = settings.network.steps * settings.network.substeps
        ends = np.rint(np.linspace(STEPS, 0, total + 1)).astype(int) - 1  # the last, -1, is without noise
        self.timesteps = torch.from_numpy(ends)
        kept = scheduler("latent").alphas_cumprod.float()
        self.kept = torch.cat((kept, torch.ones(1)))  # alpha-bar by timestep; -1 finds the last

    def example(self, pixels: np.ndarray, source: int, rng: Generator) -> Example:
        """The latents of one view of an image, the noise to be added, and which of the student's steps to learn."""
        latents = torch.from_numpy(pixels[int(rng.integers(len(pixels)))]).float()
        return {
            "latents": self.teacher.linear.standardised(latents),
            "noise": torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32)),
            "step": torch.tensor(int(rng.integers(self.settings.network.steps))),
        }

    def losses(self, name: str, network: nn.Module, batch: Example) -> dict[str, Tensor]:
        """The mean square between the student's velocity and the one that leads to the end of the teacher's steps."""
        first = batch["step"] * self.settings.network.substeps
        start, noise_left = self._levels(self.timesteps.to(first.device)[first])
        noisy = start * batch["latents"] + noise_left * batch["noise"]
        x = noisy
        with torch.no_grad():
            teacher = self.teacher.to(noisy.device)
            for substep in range(self.settings.network.substeps):
                here, there = (self.timesteps.to(first.device)[first + substep + more] for more in (0, 1))
                x = self._moved(x, teacher(x, here, teacher.guidance).float(), here, there)
        last, last_noise = self._levels(self.timesteps.to(first.device)[first + self.settings.network.substeps])
        ratio = last_noise / noise_left
        picture = (x - ratio * noisy) / (last - ratio * start)
        target = (start * noisy - picture) / noise_left
        return {"loss": F.mse_loss(network(noisy, self.timesteps.to(first.device)[first]).float(), target)}

    def validation_loss(self, network: nn.Module, batch: Example) -> Tensor:
        """Return the training loss on held-out images with fixed noise."""
        return self.losses("network", network, batch)["loss"]

    def sheet(self, network: nn.Module, validation: Pictures, count: int) -> Tensor:
        """Return samples from the same seeds every time, in the student's few steps."""
        noise = ImageNoise(0, range(count), (self.network.in_channels, *self.network.size))
        return contact_sheet(denoise(self.network, noise, default(self.network)), columns=4)

    def _levels(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the amounts of image and noise at these times, (B, 1, 1, 1) each."""
        kept = self.kept.to(timesteps.device)[timesteps].view(-1, 1, 1, 1)
        return kept.sqrt(), (1 - kept).sqrt()

    def _moved(self, x: Tensor, velocity: Tensor, here: Tensor, there: Tensor) -> Tensor:
        """One DDIM step (arXiv 2010.02502) without noise."""
        (kept, noise), (kept_there, noise_there) = self._levels(here), self._levels(there)
        return kept_there * (kept * x - noise * velocity) + noise_there * (kept * velocity + noise * x)


def load(path: Path) -> LatentDiffusion:
    """Load the teacher. Raises InputError if the file belongs to another network."""
    network = checkpoints.load(path)
    if not isinstance(network, LatentDiffusion) or network.design != "latent":
        raise InputError(f"{path}: expected a teacher with the design 'latent', found {network.design!r}")
    return network


def prepare(settings: StudentSettings, pictures: dict[str, Pictures], seed: int) -> dict[str, Pictures]:
    """Return the images as latents of the teacher's autoencoder, like `generation.latent.task.prepare`."""
    chosen = settings.network
    return encoded(load(_teacher(settings)).autoencoder, pictures, chosen.views, chosen.jitter, seed)


def _teacher(settings: StudentSettings) -> Path:
    if not settings.network.teacher:
        raise InputError("network.teacher is required: the folder of a run of `generate train --stage latent`")
    return file_of(Path(settings.network.teacher))


def make_task(settings: StudentSettings, pictures: Pictures) -> StudentTask:
    """Return the task of this stage for latents from `prepare`. Raises InputError if the settings do not match them."""
    return StudentTask(settings, pictures)
