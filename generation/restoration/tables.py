"""Measures of restored radiographs by degradation and method: folders, means, intervals, and a table."""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from generation.arguments import whole
from generation.errors import InputError
from generation.files import atomic
from generation.restoration.fidelity import mean_interval
from generation.restoration.folders import aligned

DIGITS = {"ssim": 3, "ms_ssim": 3, "lpips": 3}  # in the table; 2 for others


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for the folders, for the commands that measure them."""
    parser.add_argument("--reference", type=Path, required=True, metavar="DIR", help="the good radiographs")
    parser.add_argument(
        "--restored",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="one folder per degradation, each with one folder per method, as `restore` writes them",
    )
    parser.add_argument("--baseline", metavar="METHOD", help="method to compare the others with, image by image")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="seed for the intervals (default 0)")


def images(args: argparse.Namespace) -> dict[tuple[str, str], dict[str, dict[str, Path]]]:
    """Return {(degradation, method): {image: {"reference": file, "restored": file}}} for the arguments.

    Raises InputError if folders are missing, have the same name, or do not contain the same images.
    """
    sets = {(folder.resolve().name, method): place for folder in args.restored for method, place in _methods(folder)}
    if len({folder.resolve().name for folder in args.restored}) < len(args.restored):
        raise InputError("--restored: the folders need different names")
    for degradation in {degradation for degradation, _ in sets}:
        if args.baseline and (degradation, args.baseline) not in sets:
            raise InputError(f"--baseline {args.baseline}: {degradation} has no folder of that name")
    return {key: aligned({"reference": args.reference, "restored": place}) for key, place in sets.items()}


def summarise(
    rows: Sequence[dict[str, Any]], measures: Mapping[str, str], baseline: str | None, seed: int
) -> list[dict[str, Any]]:
    """Summarise rows (one per image) by degradation and method: number of images; mean, interval and gain over the
    baseline for each measure.

    The gain is paired by image, with the interval of the mean difference. Undefined values are None.
    """

    def key(row: dict[str, Any]) -> tuple[str, str]:
        return row["degradation"], row["method"]

    by_set = {names: list(found) for names, found in itertools.groupby(rows, key)}
    summary = []
    for (degradation, method), own in by_set.items():
        entry: dict[str, Any] = {"degradation": degradation, "method": method, "images": len(own)}
        for measure in (measure for measure in measures if measure in own[0]):
            values = np.array([row[measure] for row in own])
            entry[measure] = _estimate(values, seed)
            if baseline and method != baseline:
                base = np.array([row[measure] for row in by_set[degradation, baseline]])
                entry[measure]["gain"] = _estimate(values - base, seed)
        summary.append(entry)
    return summary


def as_markdown(summary: Sequence[dict[str, Any]], names: Mapping[str, str]) -> str:
    """A table like the paper's: a row per degradation and method, a column per measure, 95 % intervals over images."""
    measures = [measure for measure in names if measure in summary[0]]
    lines = [
        f"| degradation | method | images | {' | '.join(names[measure] for measure in measures)} |",
        f"|---|---|---|{'---|' * len(measures)}",
    ]
    for entry in summary:
        cells = [_cell(entry[measure], DIGITS.get(measure, 2)) for measure in measures]
        lines.append(f"| {entry['degradation']} | {entry['method']} | {entry['images']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(found: dict[str, Any], digits: int) -> str:
    if found["value"] is None:
        return "—"
    text = f"{found['value']:.{digits}f}"
    return text if found["ci"] is None else f"{text} [{found['ci'][0]:.{digits}f}, {found['ci'][1]:.{digits}f}]"


def _estimate(values: np.ndarray, seed: int) -> dict[str, Any]:
    mean, low, high = mean_interval(values, seed)
    return {"value": mean if np.isfinite(mean) else None, "ci": [low, high] if np.isfinite([low, high]).all() else None}


def _methods(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; expected one with a subfolder for each method")
    found = sorted(path for path in folder.iterdir() if path.is_dir())
    if not found:
        raise InputError(
            f"{folder}: has no subfolders; expected one for each method, as written by `generation restore`"
        )
    return [(path.name, path) for path in found]


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows as a CSV file. Raises InputError like `atomic`."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
