"""`python -m generation degrade`: a folder of good radiographs made poor."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.random import PCG64, Generator

from generation import radiographs, runs
from generation.arguments import bar, left_out, whole
from generation.errors import InputError
from generation.restoration.degradations import DEGRADATIONS
from generation.restoration.folders import named, number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="good radiographs")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the poor ones; a stopped run goes on")
    parser.add_argument("--method", choices=DEGRADATIONS, default="parametric", help="how (default: parametric)")
    parser.add_argument("--scale", type=whole(1), default=2, help="how many times smaller they come out (default: 2)")
    parser.add_argument("--seed", type=whole(0), default=0, help="with an image's name it decides what happens to it")


def run(args: argparse.Namespace) -> int:
    """Degrade what is missing; exit code 1 when some images could not be used, each named."""
    files = named(args.images)
    sheet = {name: getattr(args, name) for name in ("method", "scale", "seed")} | {"images": args.images.name}
    runs.begin(args.out / "degraded.json", sheet)
    faults = []
    with bar("images degraded") as progress:
        for done, (name, file) in enumerate(files.items(), start=1):
            target = args.out / f"{name}.png"
            if not target.is_file():
                try:
                    good = np.asarray(radiographs.read(file)) / np.float32(255)
                    runs.save_image(
                        target, DEGRADATIONS[args.method](good, Generator(PCG64([args.seed, number(name)])), args.scale)
                    )
                except InputError as error:
                    faults.append(str(error))
                except ValueError as error:
                    faults.append(f"{file}: {error}; choose another --scale")
            progress(done, len(files))
    print(f"{len(files) - len(faults)} of {len(files)} images in {args.out}, {len(faults)} left out")
    return left_out(faults)
