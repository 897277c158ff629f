"""Memorisation: are synthetic images closer to a training image than unseen real images are?

The distance of every synthetic image to its nearest training image, either one mirrored, is compared with that of
held-out real images. Without memorisation, 5 % of the synthetic images are below the 5th percentile of the held-out
ones (after the check in PanoDiff-SR, whose reference was each training image against the others; this is also used here
if no images were held out). Near-duplicates are removed first, because they would distort the reference. Copies are
found without an embedding, by `generation.duplicates`.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from generation import corpus, duplicates, radiographs
from generation.arguments import bar, left_out, whole
from generation.drawing import candidates
from generation.errors import InputError
from generation.evaluation import features
from generation.evaluation.distances import nearest
from generation.files import atomic, output_folder, save_picture, save_text

PERCENTILE = 0.05
LEAST = 10  # images per set
BOOTSTRAP = 2000
TILE = (512, 256)


@dataclass(frozen=True)
class Neighbours:
    """For each query: the index of its nearest training image, the distance, and whether it is closer when mirrored."""

    number: np.ndarray
    distance: np.ndarray
    mirrored: np.ndarray


def neighbours(
    queries: np.ndarray,
    mirrored: np.ndarray,
    training: np.ndarray,
    groups: tuple[np.ndarray, np.ndarray] | None = None,
) -> Neighbours:
    """The nearest training image by cosine distance of each query or its mirror image; features (images, dimensions).

    groups: groups of the queries and of the training images; images in the same group do not count as neighbours.
    """
    upright, turned = nearest(queries, training, groups), nearest(mirrored, training, groups)
    flip = turned[1] < upright[1]
    return Neighbours(np.where(flip, turned[0], upright[0]), np.minimum(upright[1], turned[1]), flip)


def share_beyond(synthetic: np.ndarray, reference: np.ndarray, seed: int = 0) -> dict[str, float | list[float]]:
    """The share of synthetic distances below the reference's 5th percentile, with a bootstrap interval over both."""
    rng = np.random.Generator(np.random.PCG64(seed))
    threshold = float(np.quantile(reference, PERCENTILE))
    shares = []
    for _ in range(BOOTSTRAP):
        limit = np.quantile(rng.choice(reference, len(reference)), PERCENTILE)
        shares.append(float((rng.choice(synthetic, len(synthetic)) < limit).mean()))
    return {
        "threshold": threshold,
        "share": float((synthetic < threshold).mean()),
        "ci": np.quantile(shares, (0.025, 0.975)).tolist(),
        "expected": PERCENTILE,
    }


def distinct(paths: Sequence[Path], others: Sequence[Path] = ()) -> tuple[list[int], list[duplicates.Signature]]:
    """Return which of `paths` to keep so that there are no near-duplicates, also of `others`; and their signatures."""
    signatures = [duplicates.signature(image) for image in features.in_turn([*paths, *others])]
    own = duplicates.groups([*signatures[len(paths) :], *signatures[: len(paths)]])[len(others) :]
    taken = set(duplicates.groups(signatures[len(paths) :])) if others else set()
    first = [int(n) for n in np.sort(np.unique(own, return_index=True)[1]) if own[n] not in taken]
    return first, [signatures[n] for n in first]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--synthetic", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument(
        "--training",
        type=Path,
        required=True,
        metavar="DIR",
        help="the generator's training images, or a prepared corpus",
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="DIR",
        help="real images it never saw (default: the corpus's other splits, or none)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for neighbours.json, .csv and plate.png"
    )
    parser.add_argument("--plate", type=whole(1), default=12, metavar="N", help="closest pairs to show (default 12)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N")
    features.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    faults: list[str] = []
    synthetic = radiographs.readable([one.path for one in candidates(args.synthetic, "synthetic")], faults)
    training, held_out = (radiographs.readable(paths, faults) for paths in real(args.training, args.held_out))
    kept, known = distinct(training)
    training = [training[n] for n in kept]
    unseen, _ = distinct(held_out, training)
    held_out = [held_out[n] for n in unseen]
    sets = {"synthetic": synthetic, "training": training, **({"held-out": held_out} if held_out else {})}
    small = [f"{name}: {len(paths)} distinct images" for name, paths in sets.items() if len(paths) < LEAST]
    if small:
        raise InputError(f"each set needs at least {LEAST} images:", small + faults)
    output_folder(args.out)
    spaces = features.chosen(args, training, args.out / "embedding.safetensors")
    found = _found(spaces, sets, args.out)
    leading = spaces[-1].name
    signatures = [duplicates.signature(image) for image in features.in_turn(synthetic)]
    copies = {i: (j, alike) for i, j, alike in sorted(duplicates.pairs(signatures, known), key=lambda pair: pair[2])}
    summary = {
        "format": 1,
        "images": {name: len(paths) for name, paths in sets.items()},
        "reference": "held-out to training" if held_out else "training to other training images",
        "unreadable": faults,
        "leading": leading,
        "spaces": {name: share_beyond(own.distance, reference, args.seed) for name, (own, reference) in found.items()},
        "copies": [
            {"synthetic": str(synthetic[i]), "training": str(training[j]), "correlation": alike}
            for i, (j, alike) in sorted(copies.items())
        ],
    }
    save_text(args.out / "neighbours.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    own, reference = found[leading]
    threshold = float(np.quantile(reference, PERCENTILE))
    _write_table(args.out / "neighbours.csv", synthetic, training, own, threshold, copies)
    order = sorted(range(len(synthetic)), key=lambda n: (n not in copies, own.distance[n]))[: args.plate]
    pairs = [(synthetic[n], training[copies[n][0] if n in copies else own.number[n]], own.distance[n]) for n in order]
    save_picture(args.out / "plate.png", _plate(pairs))
    for name, share in summary["spaces"].items():  # type: ignore[attr-defined]
        low, high = share["ci"]
        print(
            f"{name}: {share['share']:.1%} [{low:.1%}, {high:.1%}] below the reference's 5th percentile; expected 5 %"
        )
    print(f"{len(copies)} of {len(synthetic)} synthetic images copy a training image; see {args.out / 'plate.png'}")
    return left_out(faults)


def real(training: Path, held_out: Path | None) -> tuple[list[Path], list[Path]]:
    """The training images of a corpus or a folder, and the held-out ones: its other splits, or another folder."""
    if (training / "manifest.csv").exists():
        rows = corpus.read_manifest(training)
        splits = [(training / "hr" / f"{row['image']}.png", row["split"] == "train") for row in rows]
    else:
        splits = [(path, True) for path in radiographs.find(training)]
    unseen = radiographs.find(held_out) if held_out else [path for path, seen in splits if not seen]
    return [path for path, seen in splits if seen], unseen


def _found(spaces: Any, sets: dict[str, list[Path]], out: Path) -> dict[str, tuple[Neighbours, np.ndarray]]:
    """Return, for each space, the neighbours of the synthetic images, and the reference distances."""
    arrays = {}
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        for name, paths in sets.items():
            for mirrored in (False, True):
                with bar(f"features of {name}{', mirrored' if mirrored else ''}") as progress:
                    place = Path(scratch, f"{name}{mirrored}")
                    arrays[name, mirrored] = features.extract(spaces, paths, place, progress, mirrored)
        found = {}
        for space in spaces:
            own = {key: np.array(array[space.name], dtype=np.float64) for key, array in arrays.items()}
            if space.name in ("radiomic", "embedding"):  # the other spaces are used as published, without mirroring
                middle, spread = own["training", False].mean(axis=0), own["training", False].std(axis=0) + 1e-9
                own = {key: (values - middle) / spread for key, values in own.items()}
            training = own["training", False]
            itself = np.arange(len(training))
            reference = "held-out" if "held-out" in sets else "training"
            found[space.name] = (
                neighbours(own["synthetic", False], own["synthetic", True], training),
                neighbours(
                    own[reference, False],
                    own[reference, True],
                    training,
                    (itself, itself) if reference == "training" else None,
                ).distance,
            )
    return found


def _write_table(path: Path, synthetic: Any, training: Any, own: Neighbours, threshold: float, copies: dict) -> None:
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["synthetic", "nearest_training", "distance", "mirrored", "beyond", "copy_of", "correlation"])
        for n, file in enumerate(synthetic):
            copy, alike = (training[copies[n][0]], f"{copies[n][1]:.4f}") if n in copies else ("", "")
            distance = own.distance[n]
            row = [file, training[own.number[n]], f"{distance:.6g}", int(own.mirrored[n]), int(distance < threshold)]
            table.writerow([*row, copy, alike])


def _plate(pairs: list[tuple[Path, Path, float]]) -> Image.Image:
    """Return a plate of synthetic images (left) and their nearest training images (right), nearest first."""
    width, height = TILE
    font = ImageFont.load_default(size=16)
    plate = Image.new("L", (2 * width + 12, len(pairs) * (height + 34)), 255)
    pen = ImageDraw.Draw(plate)
    for row, (left, right, distance) in enumerate(pairs):
        top = row * (height + 34)
        pen.text((4, top + 6), f"synthetic {left.name}, distance {distance:.4f}", fill=0, font=font)
        pen.text((width + 16, top + 6), f"training {right.name}", fill=0, font=font)
        for number, path in enumerate((left, right)):
            image = ImageOps.contain(radiographs.read(path), TILE)
            plate.paste(image, (number * (width + 12), top + 30))
    return plate
