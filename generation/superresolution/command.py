"""`python -m generation upscale`: enlarge a folder of small radiographs to reading size."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from tqdm import tqdm

from generation import devices, radiographs, runs, shipped
from generation.arguments import left_out, whole
from generation.errors import InputError
from generation.files import sha256
from generation.superresolution import checkpoints
from generation.superresolution.upscaling import INTERPOLATIONS, enlarge, interpolate
from generation.weights import file_of

CPU_BATCH, GPU_BATCH = 1, 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, help="folder of grey images (PNG, JPEG, TIFF, DICOM)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files; run again to resume")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--checkpoint",
        type=Path,
        help="Real_HAT_GAN_SRx4_finetuned.pth or a training folder (default: comes with Discern)",
    )
    how.add_argument("--method", choices=INTERPOLATIONS, help="interpolate instead, as a baseline")
    parser.add_argument(
        "--tile", type=whole(16), default=0, help="process in tiles of at most this size, px (default: no tiles)"
    )
    parser.add_argument("--overlap", type=whole(0), default=32, help="overlap of the tiles, px (default: 32)")
    parser.add_argument("--device", choices=devices.DEVICES, default="auto")
    parser.add_argument(
        "--precision", choices=devices.PRECISIONS, default="auto", help="default: the fastest that the device supports"
    )
    parser.add_argument("--batch", type=whole(1), help="images at a time (default: 1 on a CPU, what fits on a GPU)")


def run(args: argparse.Namespace) -> int:
    """Upscale the missing images; return exit code 1 if some images could not be read, and name them."""
    state = devices.start(args.device)
    files = radiographs.find(args.images)
    targets = _targets(files, args.out)
    checkpoint = None if args.method else args.checkpoint or shipped.find("superresolution")
    network = devices.prepared(checkpoints.load(checkpoint), state.device) if checkpoint else None
    precision = devices.resolve(args.precision, state.device)
    sheet = {
        "stage": "superresolution",
        "images": args.images.name,
        "method": checkpoint.name if checkpoint else args.method,
        "sha256": sha256(file_of(checkpoint)) if checkpoint else None,
        "tile": args.tile if network else None,
        "overlap": args.overlap if network and args.tile else None,
        "precision": precision if network else None,
        "torch": torch.__version__,
    }
    with state.main_process_first():
        runs.begin(args.out / "upscaled.json", sheet)

    def upscaled(pixels: np.ndarray) -> np.ndarray:
        if network is None:
            return np.stack([interpolate(image, args.method) for image in pixels])
        pictures = torch.from_numpy(pixels / np.float32(255))[:, None]
        return enlarge(network, pictures, tile=args.tile, overlap=args.overlap, precision=precision)[:, 0].numpy()

    mine = list(zip(files, targets, strict=True))[state.process_index :: state.num_processes]
    faults = _fill([pair for pair in mine if not pair[1].is_file()], upscaled, args.batch, state)
    print(f"{len(mine) - len(faults)} of {len(mine)} images in {args.out}, {len(faults)} left out")
    return left_out(faults)


def _targets(files: list[Path], folder: Path) -> list[Path]:
    twice = [f"{name}: {count} files" for name, count in Counter(file.stem for file in files).items() if count > 1]
    if not files or twice:
        raise InputError("expected images with different names", twice or ["there are none"])
    return [folder / f"{file.stem}.png" for file in files]


def _fill(
    missing: list[tuple[Path, Path]],
    upscaled: Callable[[np.ndarray], np.ndarray],
    batch: int | None,
    state: PartialState,
) -> list[str]:
    """Upscale the missing images in batches of one size; return the unreadable ones with names."""
    faults: dict[Path, str] = {}
    queue: list[tuple[Path, Path]] = list(missing)
    bar = tqdm(total=len(queue), desc="upscaling", unit="image", disable=not state.is_main_process)
    rate = runs.Rate(len(queue))

    def work(batch_size: int) -> None:
        while queue:
            pixels: dict[Path, np.ndarray] = {}
            taken = 0
            for file, target in queue[:batch_size]:
                try:
                    image = np.asarray(radiographs.read(file))
                except InputError as error:
                    faults[file] = str(error)
                else:
                    if pixels and image.shape != next(iter(pixels.values())).shape:
                        break
                    pixels[target] = image
                taken += 1
            if pixels:
                for target, picture in zip(pixels, upscaled(np.stack(list(pixels.values()))), strict=True):
                    runs.save_image(target, picture)
            del queue[:taken]
            bar.update(taken)
            if pixels and state.is_main_process:
                rate(taken)

    with bar:
        devices.fill(work, batch, state.device, CPU_BATCH, GPU_BATCH)
    return list(faults.values())
