"""`python -m generation fidelity`: restored radiographs against the originals, by degradation and by method."""

from __future__ import annotations

import argparse
import csv
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from generation.arguments import bar, whole
from generation.errors import InputError
from generation.files import atomic, output_folder, save_text, sha256
from generation.restoration import fidelity, lpips
from generation.restoration.folders import aligned, pictures

DIGITS = {"ssim": 3, "ms_ssim": 3, "lpips": 3}  # of the table; 2 of the others


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reference", type=Path, required=True, metavar="DIR", help="the good radiographs")
    parser.add_argument(
        "--restored",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="one folder a degradation, in each one folder a method, as `generation restore` makes them",
    )
    parser.add_argument("--baseline", metavar="METHOD", help="the method that others are compared with, image by image")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="fidelity.json, .csv, .md, spectra.csv")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the intervals (default 0)")
    parser.add_argument(
        "--lpips",
        type=Path,
        metavar="FILE",
        help="also LPIPS: torchvision's weights of AlexNet or VGG16 (nothing is downloaded)",
    )
    parser.add_argument(
        "--lpips-linear", type=Path, metavar="FILE", help="weights of its channels (default: those of torchmetrics)"
    )


def run(args: argparse.Namespace) -> None:
    """Measure every image of every method, and summarise by degradation and method."""
    sets = {(folder.resolve().name, method): place for folder in args.restored for method, place in _methods(folder)}
    if len({folder.resolve().name for folder in args.restored}) < len(args.restored):
        raise InputError("--restored: the folders need names that differ")
    for degradation in {degradation for degradation, _ in sets}:
        if args.baseline and (degradation, args.baseline) not in sets:
            raise InputError(f"--baseline {args.baseline}: {degradation} has no folder of that name")
    if args.lpips_linear and not args.lpips:
        raise InputError("--lpips-linear needs --lpips, the file of the network that it weighs")
    perceived = lpips.measure(args.lpips, args.lpips_linear) if args.lpips else None
    images = {key: aligned({"reference": args.reference, "restored": place}) for key, place in sets.items()}
    output_folder(args.out)
    rows: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    with bar("images measured") as progress:
        total = sum(map(len, images.values()))
        for (degradation, method), cases in images.items():
            where = {"degradation": degradation, "method": method}
            sums = []
            for name, files in cases.items():
                read = pictures(files)
                try:
                    found = fidelity.measure(read["reference"], read["restored"])
                except ValueError as error:
                    raise InputError(f"{files['restored']}: {error}") from None
                if perceived:
                    found["lpips"] = perceived(read["reference"], read["restored"])
                rows.append({**where, "image": name, **found})
                sums.append(fidelity.spectra(read["restored"], read["reference"]))
                progress(len(rows), total)
            for at, frequency in enumerate(sums[0]["frequency"]):
                means = {name: float(np.mean([one[name][at] for one in sums])) for name in ("edges", "noise")}
                curves.append({**where, "frequency": float(frequency), **means})
    summary = summarise(rows, args.baseline, args.seed)
    _write_table(args.out / "fidelity.csv", rows)
    _write_table(args.out / "spectra.csv", curves)
    settings: dict[str, Any] = {
        "format": 1,
        "reference": args.reference.name,
        "baseline": args.baseline,
        "seed": args.seed,
    }
    if args.lpips:
        settings["lpips"] = {"weights": args.lpips.name, "sha256": sha256(args.lpips)}
    text = json.dumps({**settings, "summary": summary}, indent=2, allow_nan=False)
    save_text(args.out / "fidelity.json", text + "\n")
    table = as_markdown(summary)
    save_text(args.out / "fidelity.md", table)
    print(table, end="")


def summarise(rows: list[dict[str, Any]], baseline: str | None, seed: int) -> list[dict[str, Any]]:
    """By degradation and method: the number of images, and of each measure mean, interval and gain over the baseline.

    The gain is paired by image: its interval is that of the mean difference. What is not defined is None.
    """

    def key(row: dict[str, Any]) -> tuple[str, str]:
        return row["degradation"], row["method"]

    by_set = {names: list(found) for names, found in itertools.groupby(rows, key)}
    summary = []
    for (degradation, method), own in by_set.items():
        entry: dict[str, Any] = {"degradation": degradation, "method": method, "images": len(own)}
        for measure in (measure for measure in fidelity.MEASURES if measure in own[0]):
            values = np.array([row[measure] for row in own])
            entry[measure] = _estimate(values, seed)
            if baseline and method != baseline:
                base = np.array([row[measure] for row in by_set[degradation, baseline]])
                entry[measure]["gain"] = _estimate(values - base, seed)
        summary.append(entry)
    return summary


def as_markdown(summary: list[dict[str, Any]]) -> str:
    """The table of the paper's shape: a row a degradation and method, a column a measure, 95 % intervals by image."""
    measures = [measure for measure in fidelity.MEASURES if measure in summary[0]]
    lines = [
        f"| degradation | method | images | {' | '.join(fidelity.MEASURES[measure] for measure in measures)} |",
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
    mean, low, high = fidelity.mean_interval(values, seed)
    return {"value": mean if np.isfinite(mean) else None, "ci": [low, high] if np.isfinite([low, high]).all() else None}


def _methods(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one with a folder a method")
    found = sorted(path for path in folder.iterdir() if path.is_dir())
    if not found:
        raise InputError(f"{folder}: holds no folders; expected one a method, as `generation restore` makes them")
    return [(path.name, path) for path in found]


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
