"""`python -m generation fidelity`: compare restored radiographs with the originals, by degradation and by method."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from generation.arguments import bar
from generation.errors import InputError
from generation.files import output_folder, save_text, sha256
from generation.restoration import fidelity, lpips, tables
from generation.restoration.folders import pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tables.add_arguments(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for fidelity.json, .csv, .md, spectra.csv"
    )
    parser.add_argument(
        "--lpips",
        type=Path,
        metavar="FILE",
        help="also compute LPIPS, with torchvision's weights of AlexNet or VGG16 (nothing is downloaded)",
    )
    parser.add_argument(
        "--lpips-linear", type=Path, metavar="FILE", help="LPIPS channel weights (default: torchmetrics')"
    )


def run(args: argparse.Namespace) -> None:
    """Measure every image of every method, and summarise by degradation and method."""
    images = tables.images(args)
    if args.lpips_linear and not args.lpips:
        raise InputError("--lpips-linear needs --lpips, the file of its network")
    perceived = lpips.measure(args.lpips, args.lpips_linear) if args.lpips else None
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
    summary = tables.summarise(rows, fidelity.MEASURES, args.baseline, args.seed)
    tables.write_table(args.out / "fidelity.csv", rows)
    tables.write_table(args.out / "spectra.csv", curves)
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
    table = tables.as_markdown(summary, fidelity.MEASURES)
    save_text(args.out / "fidelity.md", table)
    print(table, end="")
