"""`python -m generation degrade`: degrade a folder of good radiographs."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.random import PCG64, Generator

from generation import devices, radiographs, runs
from generation.arguments import bar, left_out, whole
from generation.diffusion.sampling import Sampling
from generation.errors import InputError
from generation.files import sha256
from generation.restoration.degradations import DEGRADATIONS
from generation.restoration.folders import named, number
from generation.restoration.learnt import degradation
from generation.weights import file_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="good radiographs")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the degraded ones; run again to resume"
    )
    parser.add_argument(
        "--method",
        default="parametric",
        metavar="WHAT",
        help="parametric (default), bicubic, or the folder of a trained ddpm-lq or munit-lq network",
    )
    parser.add_argument("--scale", type=whole(1), default=2, help="factor by which images become smaller (default: 2)")
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="seed; with an image's name it sets how it is degraded"
    )
    parser.add_argument("--steps", type=whole(1), default=25, help="ddpm-lq: denoising steps (default: 25)")
    parser.add_argument(
        "--strength",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="ddpm-lq: share of noise added to the good image, up to 1, without conditioning on its content (SDEdit)",
    )
    parser.add_argument("--device", choices=devices.DEVICES, default="auto")


def run(args: argparse.Namespace) -> int:
    """Degrade the missing images; return exit code 1 if some images could not be used, and name them."""
    if not 0 <= args.strength <= 1:
        raise InputError(f"--strength: expected a share from 0 to 1, got {args.strength:g}")
    files = named(args.images)
    device = devices.start(args.device).device
    degrade = degradation(args.method, Sampling(steps=args.steps), args.strength, device)
    sheet = {name: getattr(args, name) for name in ("method", "scale", "seed")} | {"images": args.images.name}
    if args.method not in DEGRADATIONS:
        checkpoint = Path(args.method)
        sheet |= {"method": checkpoint.name, "sha256": sha256(file_of(checkpoint))}
        sheet |= {"steps": args.steps, "strength": args.strength, "torch": torch.__version__}
    runs.begin(args.out / "degraded.json", sheet)
    faults = []
    with bar("images degraded") as progress:
        for done, (name, file) in enumerate(files.items(), start=1):
            target = args.out / f"{name}.png"
            if not target.is_file():
                try:
                    good = np.asarray(radiographs.read(file)) / np.float32(255)
                    runs.save_image(target, degrade(good, Generator(PCG64([args.seed, number(name)])), args.scale))
                except InputError as error:
                    faults.append(str(error))
                except ValueError as error:
                    faults.append(f"{file}: {error}; choose another --scale")
            progress(done, len(files))
    print(f"{len(files) - len(faults)} of {len(files)} images in {args.out}, {len(faults)} left out")
    return left_out(faults)
