"""`python -m generation release`: synthetic images as a data set, screened against the training images, in shards."""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from generation import devices, runs, shipped
from generation.arguments import whole
from generation.diffusion.command import CPU_BATCH, GPU_BATCH, Maker, add_sampling_arguments
from generation.diffusion.sampling import image_seed
from generation.errors import InputError
from generation.files import save_text, sha256
from generation.release import croissant, documents
from generation.release.journal import Journal, Row
from generation.release.screening import Screen
from generation.superresolution import checkpoints
from generation.superresolution.upscaling import enlarge
from generation.weights import file_of

SHARD = 1000
SUMS = "SHA256SUMS"
SPARE = 100  # number of images that may be left out before their share is checked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="DIR", help="folder for the release; run again to resume")
    parser.add_argument("--count", type=whole(1), default=1000, help="images to release (default: 1000)")
    parser.add_argument(
        "--training", type=Path, required=True, metavar="DIR", help="the generator's training images or corpus"
    )
    parser.add_argument(
        "--held-out", type=Path, metavar="DIR", help="real images it never saw (default: the corpus's other splits)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help="smallest distance allowed to a training image (default: that of held-out images)",
    )
    parser.add_argument(
        "--embedding", type=Path, metavar="FILE", help="measure distances with these weights from `neighbours`"
    )
    parser.add_argument(
        "--enlarge", metavar="CHECKPOINT", help="enlarge with this checkpoint; `shipped`: the one in Discern"
    )
    parser.add_argument("--shard", type=whole(1), default=SHARD, help=f"images per file (default: {SHARD})")
    parser.add_argument("--title", default="Synthetic radiographs", help="name of the data set")
    parser.add_argument("--licence", default="not stated", help="its licence, preferably as a URL or SPDX name")
    parser.add_argument("--creator", default="not stated", help="who releases it")
    parser.add_argument("--url", help="where it will be published")
    add_sampling_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Make, screen and pack the missing images of the release."""
    if (args.out / SUMS).is_file():
        raise InputError(f"{args.out} already contains a complete release; give another folder")
    if args.noise != "image":
        raise InputError(f"--noise {args.noise}: in a release each image has its own seed; omit this option")
    state = devices.start(args.device)
    if state.num_processes > 1:
        raise InputError("a release is made by one process; do not use `accelerate launch`")
    maker = Maker(args, state)
    larger = _Larger(args.enlarge, maker.precision, state.device) if args.enlarge else None
    screen = Screen(args.training, args.held_out, args.embedding, args.threshold)
    sheet = _sheet(args, maker, larger, screen)
    runs.begin(args.out / "release.json", sheet)
    journal = Journal(args.out, args.shard)
    bar = tqdm(total=args.count, initial=journal.kept, desc="released", unit="image")
    rate = runs.Rate(args.count - journal.kept)

    def make(batch_size: int) -> None:
        while journal.kept < args.count:
            numbers = range(journal.made, journal.made + min(batch_size, args.count - journal.kept))
            pictures = maker(numbers).mean(1, keepdim=True)
            images = [_image(picture, number) for picture, number in zip(pictures, numbers, strict=True)]
            judged = screen.judge(images)
            if larger:
                images = [larger(image, number) for image, number in zip(images, numbers, strict=True)]
            for number, image, verdict in zip(numbers, images, judged, strict=True):
                png = _png(image)
                alike = "" if verdict.correlation is None else f"{verdict.correlation:.4f}"
                seed = str(image_seed(args.seed, number))
                told = (
                    verdict.reason,
                    f"{verdict.distance:.6g}",
                    alike,
                    hashlib.sha256(png).hexdigest(),
                    *map(str, image.size),
                )
                journal.add(Row(str(number), seed, *told), png)
            bar.update(journal.kept - bar.n)
            rate(len(numbers))
            _assert_worth_while(journal)

    with bar, devices.compiling():
        devices.fill(make, args.batch, state.device, CPU_BATCH, GPU_BATCH)
    shards = journal.finish()
    facts = documents.facts(args.out, sheet, journal.made, journal.kept, screen)
    save_text(args.out / "README.md", documents.card(facts))
    save_text(args.out / "DATASHEET.md", documents.datasheet(facts))
    save_text(args.out / "croissant.json", croissant.metadata(facts, args.out, shards))
    files = [args.out / name for name in ("README.md", "DATASHEET.md", "croissant.json", "release.json")]
    files += [args.out / "images.csv", args.out / "excluded.csv", *shards]
    save_text(args.out / SUMS, "".join(f"{sha256(file)}  {file.relative_to(args.out).as_posix()}\n" for file in files))
    shutil.rmtree(journal.work)
    print(f"{args.out}: {journal.kept} images in {len(shards)} shard(s); {journal.made - journal.kept} left out")


class _Larger:
    """Enlarges an image to reading size."""

    def __init__(self, given: str, precision: devices.Precision, device: torch.device):
        self.checkpoint = shipped.find("superresolution") if given == "shipped" else Path(given)
        self.network = devices.prepared(checkpoints.load(self.checkpoint), device)
        self.precision = precision

    def __call__(self, image: Image.Image, number: int) -> Image.Image:
        small = torch.from_numpy(np.asarray(image) / np.float32(255))[None, None]
        return _image(enlarge(self.network, small, precision=self.precision)[0], number)


def _image(picture: torch.Tensor, number: int) -> Image.Image:
    """Convert an image (1, H, W) in [0, 1] to 8-bit grey. Raises InputError if values are not numbers."""
    return runs.as_image(picture.squeeze(0).numpy(), f"image {number}")


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def _sheet(args: argparse.Namespace, maker: Maker, larger: _Larger | None, screen: Screen) -> dict[str, Any]:
    """Return the settings that determine the release, so that only the same one is resumed."""
    return {
        **maker.sheet,
        "count": args.count,
        "shard": args.shard,
        "title": args.title,
        "licence": args.licence,
        "creator": args.creator,
        "url": args.url,
        "enlarged_by": larger.checkpoint.name if larger else None,
        "enlarged_sha256": sha256(file_of(larger.checkpoint)) if larger else None,
        "space": screen.space.name,
        "training_images": screen.images,
        "reference": screen.reference,
        "threshold": screen.threshold,
        "threshold_given": args.threshold is not None,
    }


def _assert_worth_while(journal: Journal) -> None:
    left_out = journal.made - journal.kept
    if left_out > SPARE and left_out > journal.kept:
        raise InputError(
            f"{left_out} of {journal.made} images are copies of training images or too close to them: this network has"
            " memorised its training images, so nothing is released; see `generation neighbours`"
        )
