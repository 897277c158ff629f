"""`python -m generation restore`: restore poor radiographs by several methods, and make a pool that compares them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from generation import devices, radiographs, runs
from generation.arguments import bar, left_out, whole
from generation.diffusion.sampling import Sampling
from generation.diffusion.schedule import SOLVERS
from generation.errors import InputError
from generation.files import sha256
from generation.restoration import comparison
from generation.restoration.folders import named, number
from generation.restoration.restoring import OVERLAP, restorer
from generation.superresolution.upscaling import INTERPOLATIONS
from generation.weights import file_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="poor radiographs")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="one folder per method; run again to resume"
    )
    parser.add_argument(
        "--by",
        type=_method,
        nargs="+",
        required=True,
        metavar="NAME=WHAT",
        help="methods: bicubic, lanczos, the folder of a trained restoration network, or a HAT checkpoint",
    )
    parser.add_argument("--scale", type=whole(1), default=2, help="factor by which images become larger (default: 2)")
    parser.add_argument("--sampler", choices=SOLVERS, default="dpm++", help="diffusion sampler (default: dpm++)")
    parser.add_argument("--steps", type=whole(1), default=25, help="denoising steps (default: 25)")
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="seed of the noise and of the pool's order (default: 0)"
    )
    parser.add_argument(
        "--tile", type=whole(64), default=0, help="process in tiles of at most this size, px (default: no tiles)"
    )
    parser.add_argument("--reference", type=Path, metavar="DIR", help="the good radiographs, for --pool")
    parser.add_argument("--pool", type=Path, metavar="DIR", help="also write a pool with the reference and all methods")
    parser.add_argument("--pool-name", default="Restored radiographs", help="name of the pool")
    parser.add_argument(
        "--practice", type=int, choices=(0, 1), default=1, help="number of practice cases in the pool (default: 1)"
    )
    parser.add_argument("--phantom", action="store_true", help="mark the pool as phantoms, not radiographs of patients")
    parser.add_argument("--device", choices=devices.DEVICES, default="auto")
    parser.add_argument(
        "--precision", choices=devices.PRECISIONS, default="auto", help="default: the fastest that the device supports"
    )


def run(args: argparse.Namespace) -> int:
    """Restore the missing images, method by method; return exit code 1 if some images could not be read."""
    methods = _checked(args)
    state = devices.start(args.device)
    files = named(args.images)
    if args.reference:
        comparison.assert_alike(args.reference, args.images)
    precision = devices.resolve(args.precision, state.device)
    sampling = Sampling(args.sampler, args.steps)
    faults: list[str] = []
    for name, what in methods.items():
        restore = restorer(what, args.scale, sampling, args.seed, args.tile, precision, state.device)
        runs.begin(args.out / name / "restored.json", _sheet(args, what, precision))
        missing = [image for image in files if not (args.out / name / f"{image}.png").is_file()]
        begun = time.monotonic()
        unread: list[str] = []
        with bar(f"restored by {name}") as progress:
            for done, image in enumerate(missing, start=1):
                try:
                    poor = np.asarray(radiographs.read(files[image]))
                except InputError as error:
                    unread.append(str(error))
                else:
                    runs.save_image(args.out / name / f"{image}.png", restore(poor, number(image)))
                progress(done, len(missing))
        if missing[len(unread) :]:
            took = time.monotonic() - begun
            runs.note_cost(args.out / name, len(missing) - len(unread), took, str(state.device))
        faults = unread or faults
    print(f"{len(files) - len(faults)} of {len(files)} images by {', '.join(methods)} in {args.out}")
    if args.pool and not faults:
        how = {name: _sheet(args, what, precision) for name, what in methods.items()}
        folders = {name: args.out / name for name in methods}
        made = comparison.make_pool(
            args.pool, args.reference, folders, how, args.pool_name, args.seed, args.phantom, args.practice
        )
        print(f"{made.folder}: {len(made.cases)} images of {len({case.group for case in made.cases})} originals")
    elif args.pool:
        print("no pool was made, because some images could not be read")
    return left_out(faults)


def _method(text: str) -> tuple[str, str]:
    name, _, what = text.partition("=")
    if not what or not name.replace("-", "").replace("_", "").isalnum():
        raise argparse.ArgumentTypeError(f"expected NAME=WHAT, NAME of letters, digits, - and _, got {text!r}")
    return name, what


def _checked(args: argparse.Namespace) -> dict[str, str]:
    methods = dict(args.by)
    faults = ["--by: the methods need different names"] if len(methods) < len(args.by) else []
    faults += (
        ["--by: the name reference is reserved for the good radiographs"] if comparison.REFERENCE in methods else []
    )
    faults += ["--pool needs --reference, the good radiographs"] if args.pool and not args.reference else []
    faults += [f"--pool {args.pool}: already exists"] if args.pool and args.pool.exists() else []
    faults += [
        f"--by {name}: {what} is neither {' nor '.join(INTERPOLATIONS)} nor a file or folder"
        for name, what in methods.items()
        if what not in INTERPOLATIONS and not Path(what).exists()
    ]
    if faults:
        raise InputError("these options cannot be used", faults)
    return methods


def _sheet(args: argparse.Namespace, what: str, precision: devices.Precision) -> dict[str, Any]:
    """Return what determines the images of a method, for documentation, and to resume only the same run."""
    sheet: dict[str, Any] = {"images": args.images.name, "method": what, "scale": args.scale}
    if what not in INTERPOLATIONS:
        checkpoint = Path(what)
        sheet |= {"method": checkpoint.name, "sha256": sha256(file_of(checkpoint))}
        sheet |= {"sampler": args.sampler, "steps": args.steps, "seed": args.seed}
        sheet |= {"tile": args.tile, "overlap": OVERLAP, "precision": precision, "torch": torch.__version__}
    return sheet
