"""A training as one page: its curves, and its samples after each recorded epoch."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from generation.errors import InputError
from generation.evaluation.distances import kid
from generation.evaluation.radiomics import radiomics
from generation.examples import Pictures, read_pictures
from generation.files import save_text
from generation.radiographs.reading import look

SAMPLED = ("diffusion", "latent", "student")  # stages whose sheets show samples
NOT_LOSSES = ("learning_rate", "gradient_norm", "validation")
TITLES = {"gradient_norm": "Gradient norm before clipping", "validation": "Validation loss"}
FLOORS = 20  # draws of real images, each as many as a sheet has samples
SMOOTH = 50  # points of the smoothed curve
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #4b5563; --line: #d9dee5; --ground: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --quiet: #a4adba; --line: #39424e; --ground: #14181d } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: var(--ink);
  background: var(--ground) }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } p, figcaption { color: var(--quiet) }
figure { margin: 0 } .curves svg { width: 100%; height: auto; background: #fff; border-radius: .4rem }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem }
.sheets { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1.2rem }
.sheets img { width: 100%; display: block; background: #000 } figcaption { font-size: .875rem; margin-top: .3rem }
"""


@dataclass(frozen=True)
class Run:
    """The output of a training: measures by name as (steps, values), and its sheets by epoch."""

    name: str
    settings: dict
    measures: dict[str, tuple[np.ndarray, np.ndarray]]
    epoch_of: dict[int, int]  # of each step
    sheets: dict[int, Path]


def read(folder: Path) -> Run:
    """Read the run in a training folder. Raises InputError if it has no log, or a row cannot be read."""
    path = folder / "log.csv"
    found: dict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    epochs: dict[int, int] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    step, epoch, value = int(row["step"]), int(row["epoch"]), float(row["value"])
                except (KeyError, TypeError, ValueError):
                    raise InputError(f"{path}, row {number}: expected step, epoch, measure and value") from None
                steps, values = found[row["measure"]]
                steps.append(step)
                values.append(value)
                epochs[step] = epoch
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} cannot be read; expected a training folder (`generation train`)") from None
    if not found:
        raise InputError(f"{path} has no rows yet, because no training step is finished")
    try:
        settings = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    sheets = {int(path.stem.removeprefix("epoch-")): path for path in sorted((folder / "samples").glob("epoch-*.png"))}
    measures = {name: (np.array(steps), np.array(values)) for name, (steps, values) in found.items()}
    return Run(folder.resolve().name, settings, measures, epochs, sheets)


def write(folder: Path, corpus: Path | None, out: Path) -> None:
    """Write the page of a training. corpus: its validation images are compared with the samples.

    Without a corpus, the phantoms that the training drew are used, if there are enough. Raises InputError like `read`
    and, for a given corpus, like `distances`.
    """
    run, given, judged = read(folder), corpus, None
    drawn = folder / "phantoms" / "corpus"
    corpus = corpus or (drawn if drawn.is_dir() else None)
    if corpus is None:
        remark = "No distance: give the corpus with --real."
    elif run.settings.get("stage") not in SAMPLED:
        remark = f"No distance: the sheets of the stage {run.settings.get('stage')} are not samples alone."
    else:
        real = read_pictures(corpus, "lr", "validation")
        remark = (
            f"The distance is KID's, with radiomic instead of Inception features, between the samples of a sheet and"
            f" {len(real)} validation images of {corpus.name}; grey: the same number of real images against the others."
            " So few samples show a trend, not the quality of the images; generate evaluate measures that."
        )
        try:
            judged = distances(run, real)
        except InputError as error:
            if given:
                raise
            remark = f"No distance: {error}."
    save_text(out, page(run, judged, remark))
    print(f"{out}: {len(run.sheets)} sheet(s)")


@dataclass(frozen=True)
class Distances:
    """Distances of each epoch's samples from real images, and of real images from others."""

    by_epoch: dict[int, float]
    floor: np.ndarray


def distances(run: Run, real: Pictures, seed: int = 0) -> Distances:
    """Kernel distance (as in KID) of radiomic features, scaled by the spread of real images, of each sheet to `real`.

    The floor compares the same number of random real images with the others. Raises InputError if the sheets are not
    rows of samples of that size, as in super-resolution.
    """
    height, width = real.pixels.shape[1:]
    count = int(run.settings.get("training.samples", 0))
    if count < 2:
        raise InputError("a distance needs sheets of two or more samples (training.samples)")
    if len(real) < count + 2:
        raise InputError(f"sheets of {count} samples need at least {count + 2} real images, found {len(real)}")
    tiles = {epoch: _tiles(path, width, height, count) for epoch, path in run.sheets.items()}
    features = np.array([radiomics(Image.fromarray(picture)) for picture in real.pixels])
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    features = (features - middle) / spread

    def distance(images: Sequence[Image.Image]) -> float:
        return kid(features, (np.array([radiomics(image) for image in images]) - middle) / spread)

    rng = np.random.Generator(np.random.PCG64(seed))
    draws = [rng.permutation(len(features)) for _ in range(FLOORS)]
    floor = np.array([kid(features[draw[count:]], features[draw[:count]]) for draw in draws])
    return Distances({epoch: distance(images) for epoch, images in tiles.items()}, floor)


def page(run: Run, judged: Distances | None, remark: str) -> str:
    """Return the self-contained page. remark: note on the distance."""
    losses = [name for name in run.measures if name not in NOT_LOSSES]
    shown = [[*losses, "validation"]] if len(losses) == 1 else [[name] for name in (*losses, "validation")]
    shown += [["learning_rate"], ["gradient_norm"]]
    curves = [_curve(found) for names in shown if (found := {n: run.measures[n] for n in names if n in run.measures})]
    if judged:
        curves.append(_distance_curve(judged))
    last = max(run.epoch_of)
    name, stage = escape(run.name), escape(str(run.settings.get("stage", "?")))
    sampled = run.settings.get("stage") in SAMPLED
    heading = "Samples after each epoch, from the same seeds" if sampled else "Sheets after each epoch"
    caution = (
        "" if sampled else "<p>These sheets show images of the corpus; share this page only if you may share those.</p>"
    )
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Training of {name}</title>",
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style>",
        f"<main><h1>Training of {name}</h1>",
        f"<p>Stage {stage}, seed {escape(str(run.settings.get('seed', '?')))}: {last:,} steps, epoch"
        f" {run.epoch_of[last] + 1}. Thin lines are single steps, thick ones their running means.</p>",
        f"<div class=curves>{''.join(curves)}</div>",
        f"<p>{escape(remark)}</p>",
        f"<h2>{heading}</h2>{caution}<div class=sheets>{_sheets(run, judged)}</div>",
        "</main></html>",
    ]
    return "\n".join(parts)


def _tiles(path: Path, width: int, height: int, count: int) -> list[Image.Image]:
    sheet = look(path).image
    columns, rows = sheet.width // width, sheet.height // height
    if (columns * width, rows * height) != sheet.size or not count <= columns * rows < count + columns:
        raise InputError(f"{path} is not a sheet of {count} samples of {width} x {height}, the size of the real images")
    places = [(number % columns * width, number // columns * height) for number in range(count)]
    return [sheet.crop((x, y, x + width, y + height)) for x, y in places]


def _curve(measures: dict[str, tuple[np.ndarray, np.ndarray]]) -> str:
    """Plot one measure by step; the training loss together with the validation loss."""
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    for name, (steps, values) in measures.items():
        if name in ("validation", "learning_rate"):
            axes.plot(steps, values, "k.-" if name == "validation" else "-", linewidth=1.4, label=name)
            continue
        (line,) = axes.plot(steps, values, linewidth=0.5, alpha=0.4 if len(steps) > SMOOTH else 1)
        axes.plot(*_smooth(steps, values), color=line.get_color(), linewidth=1.6, label=name)
    first = next(iter(measures))
    if first != "learning_rate" and all((values > 0).all() for _, values in measures.values()):
        axes.set_yscale("log")
    title = TITLES.get(first, f"{first[0].upper()}{first[1:].replace('_', ' ')}")
    axes.set(title=title, xlabel="step")
    if len(measures) > 1:
        axes.legend(fontsize="small")
    return _inline(figure, title)


def _smooth(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Running means over a fiftieth of the steps."""
    width = max(1, len(values) // SMOOTH)
    if width == 1:
        return steps, values
    sums = np.cumsum(np.insert(values, 0, 0.0))
    return steps[(width - 1) // 2 :][: len(values) - width + 1], (sums[width:] - sums[:-width]) / width


def _distance_curve(judged: Distances) -> str:
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    low, high = np.quantile(judged.floor, (0.025, 0.975))
    axes.axhspan(low, high, color="#9aa5b1", alpha=0.35, label="real against real (95 %)")
    axes.plot(list(judged.by_epoch), list(judged.by_epoch.values()), "o-", markersize=3, label="samples against real")
    axes.set(title="Distance from real images", xlabel="epoch", ylabel="kernel distance, radiomic")
    axes.set_yscale("symlog", linthresh=max(float(high), 1e-6))
    axes.legend(fontsize="small")
    return _inline(figure, "Distance from real images")


def _inline(figure: Figure, title: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("<svg ", f"<svg role='img' aria-label='{escape(title)}' ", 1)
    return f"<figure>{svg}</figure>"


def _sheets(run: Run, judged: Distances | None) -> str:
    if not run.sheets:
        return "<p>There are none yet.</p>"
    steps, values = run.measures.get("validation", (np.array([]), np.array([])))
    validation = {run.epoch_of[int(step)] + 1: value for step, value in zip(steps, values, strict=True)}
    figures = []
    for epoch, path in run.sheets.items():
        told = [f"Epoch {epoch}"]
        told += [f"validation loss {validation[epoch]:.4g}"] if epoch in validation else []
        told += [f"distance {judged.by_epoch[epoch]:.3g}"] if judged else []
        text = escape(", ".join(told))
        buffer = io.BytesIO()
        look(path).image.save(buffer, format="WEBP", quality=80)
        data = base64.b64encode(buffer.getvalue()).decode()
        image_tag = f"<img alt='{text}' src='data:image/webp;base64,{data}'>"
        figures.append(f"<figure>{image_tag}<figcaption>{text}</figcaption></figure>")
    return "".join(figures)
