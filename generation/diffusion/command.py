"""`python -m generation sample`: a folder of synthetic radiographs from a trained network."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
from accelerate import PartialState
from torch import Tensor
from tqdm import tqdm

from generation import devices, runs, shipped
from generation.arguments import whole
from generation.diffusion import checkpoints
from generation.diffusion.sampling import DEFAULTS, NOISES, Sampling, default, denoise
from generation.diffusion.schedule import SOLVERS, STEPS
from generation.errors import InputError
from generation.files import sha256
from generation.weights import file_of

CPU_BATCH, GPU_BATCH = 4, 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for the images; run again to resume")
    parser.add_argument("--count", type=whole(1), default=100, help="how many images (default: 100)")
    add_sampling_arguments(parser)


def add_sampling_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that determine how images are made."""
    parser.add_argument(
        "--checkpoint", type=Path, help="ddpm-model-epNN.pth or a training folder (default: comes with Discern)"
    )
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="seed; image i depends on it and on i only (default: 0)"
    )
    parser.add_argument(
        "--sampler", choices=SOLVERS, help="default: ddim for the authors' files and for students, otherwise dpm++"
    )
    parser.add_argument(
        "--steps",
        type=whole(1),
        help="denoising steps (default: 250 for ddim, as trained for a student, otherwise 25)",
    )
    parser.add_argument(
        "--eta", type=float, help="ddim: noise added at each step, 0 to 1 (default: 1 for the authors' files)"
    )
    parser.add_argument(
        "--noise", choices=NOISES, default="image", help="authors: noise as in their script, in batches of 32"
    )
    parser.add_argument("--source", help="data set to imitate, for a network trained with network.conditional")
    parser.add_argument("--device", choices=devices.DEVICES, default="auto")
    parser.add_argument(
        "--precision", choices=devices.PRECISIONS, default="auto", help="default: the fastest that the device supports"
    )
    parser.add_argument("--batch", type=whole(1), help="images at a time (default: 4 on a CPU, what fits on a GPU)")
    parser.add_argument("--compile", action="store_true", help="compile the network first, which takes minutes")


def run(args: argparse.Namespace) -> None:
    """Sample the images still missing from `--count`; under `accelerate launch`, each process makes every n-th one."""
    state = devices.start(args.device)
    maker = Maker(args, state)
    with state.main_process_first():
        runs.begin(args.out / "samples.json", maker.sheet)
    numbers = range(args.count)[state.process_index :: state.num_processes]
    missing = [number for number in numbers if not _file(args.out, number).is_file()]
    steps = maker.sampling.steps
    bar = tqdm(total=len(missing) * steps, desc="sampling", unit="step", disable=not state.is_main_process)
    rate = runs.Rate(len(missing))

    def make(batch_size: int) -> None:
        while missing:
            batch = missing[:batch_size]

            def on_step(images: int = len(batch)) -> None:
                bar.update(images)
                if state.device.type == "cpu" and state.is_main_process:  # on a GPU, steps are queued, not finished
                    rate(images / steps)

            for number, picture in zip(batch, maker(batch, on_step), strict=True):
                runs.save_image(_file(args.out, number), picture.squeeze(0).numpy())
            if state.device.type != "cpu" and state.is_main_process:
                rate(len(batch))
            del missing[: len(batch)]

    wanted, begun = len(missing), time.monotonic()
    with bar, devices.compiling():
        devices.fill(make, args.batch, state.device, CPU_BATCH, GPU_BATCH)
    if wanted:
        runs.note_cost(args.out, wanted, time.monotonic() - begun, str(state.device))
    print(f"{len(numbers)} of {args.count} images made by process {state.process_index + 1}, in {args.out}")


class Maker:
    """Makes images by number, with the options of `add_sampling_arguments`."""

    def __init__(self, args: argparse.Namespace, state: PartialState):
        """Raises InputError if the options cannot be used, or there are no weights."""
        self.args = args
        self.checkpoint = args.checkpoint or shipped.find()
        self.network = devices.prepared(checkpoints.load(self.checkpoint), state.device)
        self.sampling = _sampling(args, default(self.network))
        self.source = _source(args.source, self.network.sources)
        self.precision = devices.resolve(args.precision, state.device)
        if args.compile:
            self.network.compile(dynamic=False)

    @property
    def sheet(self) -> dict[str, Any]:
        """Return what determines the images, for documentation, and to resume only the same run."""
        return {
            "stage": "diffusion",
            "checkpoint": self.checkpoint.name,
            "sha256": sha256(file_of(self.checkpoint)),
            "seed": self.args.seed,
            "noise": self.args.noise,
            "source": self.args.source,
            **dataclasses.asdict(self.sampling),
            "precision": self.precision,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
        }

    def __call__(self, numbers: Sequence[int], on_step: Callable[[], object] = lambda: None) -> Tensor:
        """The images with these numbers (B, C, H, W) in [0, 1], on the CPU; `on_step` is called after every step."""
        shape = (self.network.in_channels, *self.network.size)
        noise = NOISES[self.args.noise](self.args.seed, numbers, shape)
        return denoise(
            self.network, noise, self.sampling, precision=self.precision, source=self.source, on_step=on_step
        )


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.png"


def _sampling(args: argparse.Namespace, own: Sampling) -> Sampling:
    sampler = args.sampler or own.sampler
    known = (own, *DEFAULTS.values())
    base = next((one for one in known if one.sampler == sampler), Sampling(sampler))
    steps, eta = args.steps or base.steps, base.eta if args.eta is None else args.eta
    faults = [f"--steps: expected 1 to {STEPS}, got {steps}"] if steps > STEPS else []
    faults += [f"--eta: expected 0 to 1, got {eta}"] if not 0 <= eta <= 1 else []
    faults += [f"--eta: only ddim adds noise, but the sampler is {sampler}"] if eta and sampler != "ddim" else []
    if faults:
        raise InputError("these sampler settings cannot be used", faults)
    return Sampling(sampler, steps, eta)


def _source(name: str | None, known: tuple[str, ...]) -> int:
    if name is not None and name not in known:
        raise InputError(f"--source {name}: this network knows {', '.join(known) or 'no sources'}")
    return known.index(name) + 1 if name else 0
