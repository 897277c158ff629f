"""`python -m generation evaluate`: measures for every pair of a real and a synthetic set, with intervals and floors."""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generation import runs
from generation.arguments import bar, left_out, whole
from generation.drawing import Candidate, candidates, sound
from generation.errors import InputError
from generation.evaluation import distances, features
from generation.files import atomic, output_folder, save_text

LEAST = 12  # images per set: each half (`estimate`) needs more than the 5 neighbours of density and coverage
PARTIAL = 0.05  # for a 95 % interval
Measure = Callable[[np.ndarray, np.ndarray], float]

MEASURES: dict[str, Measure] = {
    "frechet": distances.frechet_distance,
    "kid": distances.kid,
    "precision": lambda real, synthetic: distances.precision_recall(real, synthetic)[0],
    "recall": lambda real, synthetic: distances.precision_recall(real, synthetic)[1],
    "density": lambda real, synthetic: distances.density_coverage(real, synthetic)[0],
    "coverage": lambda real, synthetic: distances.density_coverage(real, synthetic)[1],
}


@dataclass(frozen=True)
class Set:
    """One folder of images, with its features by space."""

    name: str
    images: list[Candidate]
    features: dict[str, np.ndarray]


def estimate(measure: Measure, real: np.ndarray, synthetic: np.ndarray, repeats: int, seed: int) -> dict:
    """Return a measure with an interval, and the same measure between real images as a floor.

    The interval is the delete-half jackknife (Shao and Wu, 1989): the measure on random halves of both sets varies
    about as much as on the whole sets; it is centred on the value of the whole. The floor compares two random halves of
    the real set. Most measures depend on the number of images, so `halves` gives the synthetic mean at the floor's
    number of images: compare these two. `draws` are the values of the halves: with the same seed and numbers of images,
    the halves are the same, so that two synthetic sets can be compared by `difference`.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    value = measure(real, synthetic)
    half, other = len(real) // 2, min(len(real) // 2, len(synthetic))
    found, floor = [], []
    for _ in range(repeats):
        order = np.sort(rng.permutation(len(real))[:half]), rng.permutation(len(synthetic))
        rest = np.setdiff1d(np.arange(len(real)), order[0])
        found.append(measure(real[order[0]], synthetic[np.sort(order[1][:other])]))
        floor.append(measure(real[order[0]], real[rest]))
    halves, spread = float(np.mean(found)), np.quantile(found, (PARTIAL / 2, 1 - PARTIAL / 2))
    return {
        "value": value,
        "ci": [float(value + edge - halves) for edge in spread],
        "halves": {"images": [half, other], "value": halves},
        "floor": {"value": float(np.mean(floor)), "ci": np.quantile(floor, (PARTIAL / 2, 1 - PARTIAL / 2)).tolist()},
        "draws": found,
    }


def difference(one: dict, other: dict) -> dict:
    """Return how much further one synthetic set is from the real set than another, from two results of `estimate`.

    Both sets need the same images by name (such as seeds), so that each half has the same images of both. The interval
    is the delete-half jackknife of the difference, which is much narrower than the two intervals if the halves agree.
    """
    value = one["value"] - other["value"]
    draws = np.subtract(one["draws"], other["draws"])
    spread = np.quantile(draws, (PARTIAL / 2, 1 - PARTIAL / 2))
    return {"value": value, "ci": [float(value + edge - draws.mean()) for edge in spread]}


def compare(real: Set, synthetic: Set, repeats: int, seed: int) -> dict:
    """Return all measures of a pair in all spaces, and the Frechet distance from each source of the real set."""
    measures: dict[str, dict] = {}
    by_source: dict[str, dict[str, float]] = {}
    seconds: dict[str, float] = {}
    for space, own in real.features.items():
        name, _, classes = space.partition(".")
        if classes:
            score = distances.inception_score(synthetic.features[space])
            measures[f"{name}.inception_score"] = {
                "value": score, "floor": {"value": distances.inception_score(own)}, "ci": None,
            }  # fmt: skip
            continue
        theirs = synthetic.features[space]
        if space == "radiomic":  # each feature in units of the real set's spread
            middle, spread = own.mean(axis=0), own.std(axis=0) + 1e-9
            own, theirs = (own - middle) / spread, (theirs - middle) / spread
        for measure, compute in {**MEASURES, **({"cmmd": distances.cmmd} if name == "clip" else {})}.items():
            begun = time.perf_counter()
            measures[f"{name}.{measure}"] = estimate(compute, own, theirs, repeats, seed)
            seconds[f"{name}.{measure}"] = round(time.perf_counter() - begun, 3)
        sources = np.array([image.source for image in real.images])
        by_source[name] = {
            str(source): distances.frechet_distance(own[sources == source], theirs)
            for source in np.unique(sources)
            if (sources == source).sum() >= LEAST and len(np.unique(sources)) > 1
        }
    return {
        "real": real.name,
        "synthetic": synthetic.name,
        "measures": measures,
        "frechet_by_source": by_source,
        "seconds": seconds,
    }


def _sets(folders: Sequence[Path], truth: str, faults: list[str]) -> list[tuple[str, list[Candidate]]]:
    found = [
        (folder.resolve().name, sound(candidates([folder], truth, with_training=True), faults)) for folder in folders
    ]
    small = [f"{name}: {len(images)} images" for name, images in found if len(images) < LEAST]
    if small:
        raise InputError(f"each set needs at least {LEAST} images:", small + faults)
    if len({name for name, _ in found}) < len(found):
        raise InputError(f"the {truth} folders need different names, got {', '.join(name for name, _ in found)}")
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--real", type=Path, nargs="+", required=True, metavar="DIR", help="one or more sets of real images"
    )
    parser.add_argument(
        "--synthetic",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="one or more sets of synthetic images, in the order of the curves",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for evaluation.json, .csv and curves.svg"
    )
    parser.add_argument(
        "--inception", type=Path, metavar="FILE", help=f"{features.INCEPTION_FILE}, for the standard FID"
    )
    parser.add_argument("--dinov2", type=Path, metavar="DIR", help="folder of a DINOv2 model, for the Frechet distance")
    parser.add_argument("--clip", type=Path, metavar="DIR", help="folder of a CLIP model, for CMMD")
    parser.add_argument(
        "--steps", type=whole(0), default=300, metavar="N", help="steps to train the embedding (default 300; 0: none)"
    )
    parser.add_argument(
        "--baseline",
        metavar="NAME",
        help="synthetic folder to compare the others with; images are paired by file name",
    )
    parser.add_argument(
        "--repeats", type=whole(2), default=20, metavar="N", help="resamples for intervals and floors (default 20)"
    )
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N")


def run(args: argparse.Namespace) -> int:
    faults: list[str] = []
    real, synthetic = _sets(args.real, "real", faults), _sets(args.synthetic, "synthetic", faults)
    if args.baseline:
        _alike(args.baseline, synthetic)
    output_folder(args.out)
    spaces = [features.radiomic()]
    spaces += [features.inception(args.inception)] if args.inception else []
    spaces += [features.transformer(name, getattr(args, name)) for name in ("dinov2", "clip") if getattr(args, name)]
    if args.steps:
        paths = [image.path for _, images in real for image in images]
        with bar("embedding trained") as progress:
            spaces.append(
                features.embedding(paths, args.steps, args.seed, args.out / "embedding.safetensors", progress)
            )
    cost = {name: runs.cost(folder) for (name, _), folder in zip(synthetic, args.synthetic, strict=True)}
    with tempfile.TemporaryDirectory(dir=args.out) as scratch:
        sets: dict[str, list[Set]] = {"real": [], "synthetic": []}
        for role, found in (("real", real), ("synthetic", synthetic)):
            for number, (name, images) in enumerate(found):
                with bar(f"features of {name}") as progress:
                    place = Path(scratch, f"{role}{number}")
                    own = features.extract(spaces, [image.path for image in images], place, progress)
                sets[role].append(Set(name, images, own))
        pairs = [compare(a, b, args.repeats, args.seed) for a in sets["real"] for b in sets["synthetic"]]
    _set_against(args.baseline, pairs)
    summary = {
        "format": 1,
        "images": {role: {one.name: len(one.images) for one in found} for role, found in sets.items()},
        "spaces": {space.name: {"weights": space.weights, "seconds": round(space.seconds, 2)} for space in spaces},
        "unreadable": faults,
        "seconds_per_image": cost,
        "repeats": args.repeats,
        "seed": args.seed,
        "baseline": args.baseline,
        "measures": pairs[0]["measures"],
        "pairs": pairs,
    }
    save_text(args.out / "evaluation.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    _write_table(args.out / "evaluation.csv", pairs)
    if len(synthetic) > 1:
        _draw_curves(args.out / "curves.svg", pairs, cost)
    for pair in pairs:
        took = cost[pair["synthetic"]]
        made = "" if took is None else f", made in {took:.3g} s per image"
        heading = f"{pair['real']} against {pair['synthetic']}{made}"
        print(f"{heading} (95 % intervals in brackets; floor: real against real with the same numbers)")
        for name, found in pair["measures"].items():
            ci = "" if found["ci"] is None else f" [{found['ci'][0]:.4g}, {found['ci'][1]:.4g}]"
            print(f"  {name}: {found['value']:.4g}{ci}; floor {found['floor']['value']:.4g}{_against(found)}")
    return left_out(faults)


def _alike(baseline: str, synthetic: list[tuple[str, list[Candidate]]]) -> None:
    """Raise InputError unless the baseline is one of the synthetic sets, and all of them have the same file names."""
    files = {name: [image.path.name for image in images] for name, images in synthetic}
    if baseline not in files:
        raise InputError(f"--baseline {baseline}: expected one of {', '.join(files)}")
    others = [
        f"{name}: {len(set(own) ^ set(files[baseline]))} images by name that are in only one of the two"
        for name, own in files.items()
        if own != files[baseline]
    ]
    if others:
        raise InputError(f"--baseline {baseline}: the other folders need images with the same names", others)


def _set_against(baseline: str | None, pairs: list[dict]) -> None:
    """Add `difference` to each measure of the other pairs, and remove the draws."""
    bases = {pair["real"]: pair["measures"] for pair in pairs if pair["synthetic"] == baseline}
    for pair in pairs:
        for name, found in pair["measures"].items():
            if bases and pair["synthetic"] != baseline and "draws" in found:
                found["difference"] = difference(found, bases[pair["real"]][name])
    for pair in pairs:
        for found in pair["measures"].values():
            found.pop("draws", None)


def _against(found: dict) -> str:
    if "difference" not in found:
        return ""
    low, high = found["difference"]["ci"]
    return f"; from the baseline {found['difference']['value']:+.4g} [{low:.4g}, {high:.4g}]"


def _write_table(path: Path, pairs: list[dict]) -> None:
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        against = ["difference", "difference_low", "difference_high"]
        table.writerow(["real", "synthetic", "measure", "value", "low", "high", "floor", *against])
        for pair in pairs:
            for name, found in pair["measures"].items():
                apart = found.get("difference", {"value": "", "ci": ("", "")})
                row = [pair["real"], pair["synthetic"], name, found["value"], *(found["ci"] or ("", ""))]
                table.writerow([*row, found["floor"]["value"], apart["value"], *apart["ci"]])


def _draw_curves(path: Path, pairs: list[dict], cost: dict[str, float | None]) -> None:
    """Plot each space's Frechet distance against the cost of the synthetic sets, in seconds per image (log scale).

    cost: as recorded by `generation sample`; if it is unknown for any set, plot against the sets in the given order.
    """
    from matplotlib.figure import Figure

    names = [name for name in pairs[0]["measures"] if name.endswith(".frechet")]
    known = [taken for taken in cost.values() if taken]
    places = known if len(known) == len(cost) else list(range(len(cost)))
    figure = Figure(figsize=(6.4, 2.6 * len(names)), layout="constrained")
    for axes, name in zip(np.atleast_1d(figure.subplots(len(names))), names, strict=True):
        for real in dict.fromkeys(pair["real"] for pair in pairs):
            own = [pair for pair in pairs if pair["real"] == real]
            found = [pair["measures"][name] for pair in own]
            values = np.array([entry["value"] for entry in found])
            reach = np.abs(np.array([entry["ci"] for entry in found]).T - values)
            line = axes.errorbar(places, values, yerr=reach, marker="o", capsize=3, label=real)
            axes.axhline(found[0]["floor"]["value"], color=line[0].get_color(), linestyle=":", linewidth=1)
        labels = [name if (took := cost.get(name)) is None else f"{name}\n{took:.3g} s per image" for name in cost]
        if places is known:
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(places, list(cost), rotation=60, ha="right", fontsize="small")
            axes.set_xticks([], minor=True)
            axes.set_xlabel(f"{min(known):.2g} to {max(known):.2g} s per image")
        else:
            axes.set_xticks(places, labels, rotation=20, ha="right")
        axes.set_ylabel(name)
    axes.legend(title="real set (dotted: its floor)", fontsize="small")
    with atomic(path) as part:
        figure.savefig(part)
