"""`python -m generation nodules`: measure planted nodules before and after restoration, and map false structures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from generation import runs
from generation.arguments import bar
from generation.errors import InputError
from generation.files import output_folder, save_text
from generation.restoration import nodules, tables
from generation.restoration.folders import pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tables.add_arguments(parser)
    parser.add_argument(
        "--nodules", type=Path, required=True, metavar="FILE", help="table image,x,y,radius, in px of the originals"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for nodules.json, .csv, .md and maps/"
    )


def run(args: argparse.Namespace) -> None:
    """Measure every nodule of every method, map what was added or lost, and summarise by degradation and method."""
    images, planted = tables.images(args), nodules.read(args.nodules)
    known = set().union(*images.values())
    if not known <= planted.keys():
        lacking = [f"{name}: has no nodule" for name in sorted(known - planted.keys())]
        raise InputError(f"{args.nodules}: expected nodules in every image", lacking)
    output_folder(args.out)
    radius = float(np.median([nodule.radius for name in known for nodule in planted[name]]))
    singles: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    with bar("images measured") as progress:
        total = sum(map(len, images.values()))
        for (degradation, method), cases in images.items():
            for name, files in cases.items():
                where = {"degradation": degradation, "method": method, "image": name}
                read = pictures(files)
                original, restored = read["reference"], read["restored"]
                try:
                    found = nodules.measure(original, restored, planted[name])
                except ValueError as error:
                    raise InputError(f"{args.nodules}: {name}: {error}") from None
                singles += [where | vars(nodule) | one for nodule, one in zip(planted[name], found, strict=True)]
                least = nodules.SEEN * nodules.strength(original, planted[name])
                change = nodules.difference(original, restored, radius)
                rows.append(where | _of_image(found) | _structures(change, radius, least))
                colour = nodules.as_map(original, change, least)
                runs.save_image(args.out / "maps" / degradation / method / f"{name}.png", colour)
                progress(len(rows), total)
    summary = tables.summarise(rows, nodules.MEASURES, args.baseline, args.seed)
    tables.write_table(args.out / "nodules.csv", singles)
    settings = {"format": 1, "reference": args.reference.name, "baseline": args.baseline, "seed": args.seed}
    text = json.dumps({**settings, "radius": radius, "summary": summary}, indent=2, allow_nan=False)
    save_text(args.out / "nodules.json", text + "\n")
    table = tables.as_markdown(summary, nodules.MEASURES)
    save_text(args.out / "nodules.md", table)
    print(table, end="")


def _of_image(found: list[dict[str, float]]) -> dict[str, float]:
    mean = {name: float(np.mean([one[name] for one in found])) for name in ("before", "after", "shift")}
    seen = float(np.mean([one["strength"] >= nodules.SEEN for one in found]))
    return mean | {"kept": mean["after"] / mean["before"] if mean["before"] else np.nan, "found": seen}


def _structures(change: np.ndarray, radius: float, least: float) -> dict[str, float]:
    invented, lost = nodules.false_structures(change, radius, least)
    return {"invented": invented, "lost": lost}
