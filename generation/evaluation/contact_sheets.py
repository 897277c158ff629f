"""Overviews of image sets: maps of features, sheets of samples, means, spreads and spectra; and of a training."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from generation import radiographs
from generation.arguments import bar, left_out, whole
from generation.drawing import Candidate, by_lot, candidates, sound
from generation.errors import InputError
from generation.evaluation import features, training_page
from generation.evaluation.radiomics import radial_spectrum
from generation.files import atomic, output_folder, save_picture

LEAST = 4
TILE = (256, 128)
RINGS = 64


def by_source(folders: Sequence[Path], most: int, seed: int, faults: list[str]) -> dict[str, list[Path]]:
    """Return up to `most` random images of every source. A folder's own name is the source unless it contains several.

    Problems with unreadable files are added to `faults`.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    found: dict[str, list[Candidate]] = {}
    for folder in folders:
        for one in candidates([folder], "synthetic", with_training=True):
            found.setdefault(one.source, []).append(one)
    drawn = {
        source: [one.path for one in sound(list(islice(by_lot(own, rng), most)), faults)]
        for source, own in found.items()
    }
    small = [f"{source}: {len(own)} images" for source, own in drawn.items() if len(own) < LEAST]
    if small or not found:
        raise InputError(f"each source needs at least {LEAST} images:", (small or ["no images found"]) + faults)
    return drawn


def layouts(values: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """T-SNE (van der Maaten and Hinton, 2008) and UMAP (McInnes et al., 2018) of features (n, d), each (n, 2)."""
    from sklearn.manifold import TSNE
    from umap import UMAP

    values = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)
    near = min(15, len(values) - 1)
    return {
        "t-SNE": TSNE(perplexity=min(30, (len(values) - 1) / 3), init="pca", random_state=seed).fit_transform(values),
        "UMAP": UMAP(n_neighbors=near, random_state=seed, n_jobs=1, init="pca").fit_transform(values),
    }


def statistics(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and standard deviation image (128, 256), and mean radial spectrum (64,), in one pass over the files."""
    total, squares, spectrum = np.zeros(TILE[::-1]), np.zeros(TILE[::-1]), np.zeros(RINGS)
    for image in features.in_turn(paths):
        pixels = np.asarray(image.resize(TILE, Image.Resampling.BOX), dtype=np.float64)
        total += pixels
        squares += pixels**2
        spectrum += radial_spectrum(np.asarray(image, dtype=np.float64), RINGS)
    mean = total / len(paths)
    return mean, np.sqrt(np.clip(squares / len(paths) - mean**2, 0, None)), spectrum / len(paths)


def sheet(sets: dict[str, list[Path]], columns: int) -> Image.Image:
    """Return a sheet with one row per set and its first images by name; for checkpoints, a column shows one seed."""
    font = ImageFont.load_default(size=15)
    made = Image.new("L", (columns * TILE[0], len(sets) * (TILE[1] + 22)), 255)
    for row, (name, paths) in enumerate(sets.items()):
        top = row * (TILE[1] + 22)
        ImageDraw.Draw(made).text((4, top + 3), name, fill=0, font=font)
        for column, path in enumerate(sorted(paths)[:columns]):
            tile = radiographs.read(path).resize(TILE, Image.Resampling.LANCZOS)
            made.paste(tile, (column * TILE[0], top + 22))
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sets", type=Path, nargs="*", metavar="DIR", help="folders of images, or prepared corpora")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for maps.svg, means.png, spectra.svg, sheet.png"
    )
    parser.add_argument(
        "--training",
        type=Path,
        metavar="RUN",
        help="folder of a training; writes its curves and samples as training.html",
    )
    parser.add_argument(
        "--real",
        type=Path,
        metavar="CORPUS",
        help="with --training: the corpus with whose validation images the samples are compared (default: the"
        " phantoms that the training drew)",
    )
    parser.add_argument(
        "--most", type=whole(LEAST), default=500, metavar="N", help="maximum images per source (default 500)"
    )
    parser.add_argument(
        "--columns", type=whole(1), default=6, metavar="N", help="images per row of the sheet (default 6)"
    )
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N")
    features.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if not args.sets and not args.training:
        raise InputError("nothing to draw; expected folders of images, or --training RUN")
    if args.real and not args.training:
        raise InputError("--real: can only be used with --training")
    if args.training:
        training_page.write(args.training, args.real, output_folder(args.out) / "training.html")
    return _look(args) if args.sets else 0


def _look(args: argparse.Namespace) -> int:
    faults: list[str] = []
    sets = by_source(args.sets, args.most, args.seed, faults)
    output_folder(args.out)
    paths = [path for own in sets.values() for path in own]
    labels = np.array([source for source, own in sets.items() for _ in own])
    spaces = features.chosen(args, paths, args.out / "embedding.safetensors")
    with tempfile.TemporaryDirectory(dir=args.out) as scratch, bar("images seen") as progress:
        found = features.extract(spaces, paths, Path(scratch), progress)
        values = np.array(found[spaces[-1].name], dtype=np.float64)
    _draw_maps(args.out / "maps.svg", layouts(values, args.seed), labels, spaces[-1].name)
    measured = {source: statistics(own) for source, own in sets.items()}
    _draw_means(args.out / "means.png", measured)
    _draw_spectra(args.out / "spectra.svg", measured)
    save_picture(args.out / "sheet.png", sheet(sets, args.columns))
    print(f"{args.out}: maps.svg, means.png, spectra.svg and sheet.png of {', '.join(sets)}")
    return left_out(faults)


def _axes(figure: Figure, rows: int, columns: int) -> list[Axes]:
    return list(np.atleast_1d(figure.subplots(rows, columns)).ravel())


def _save(path: Path, figure: Figure) -> None:
    with atomic(path) as part:
        figure.savefig(part, dpi=150)


def _draw_maps(path: Path, maps: dict[str, np.ndarray], labels: np.ndarray, space: str) -> None:
    figure = Figure(figsize=(10, 5), layout="constrained")
    for axes, (name, places) in zip(_axes(figure, 1, 2), maps.items(), strict=True):
        for source in dict.fromkeys(labels):
            across, up = places[labels == source].T
            axes.scatter(across, up, s=8, alpha=0.7, label=source)
        axes.set(title=f"{name} of the {space} features", xticks=[], yticks=[])
    axes.legend(fontsize="small")
    _save(path, figure)


def _draw_means(path: Path, measured: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    figure = Figure(figsize=(9, 2.4 * len(measured)), layout="constrained")
    for number, axes in enumerate(_axes(figure, len(measured), 2)):
        source = list(measured)[number // 2]
        image = measured[source][number % 2]
        shown = axes.imshow(image, cmap="gray", vmin=0, vmax=(255, 90)[number % 2])
        axes.set(title=f"{source}: {('mean', 'standard deviation')[number % 2]}", xticks=[], yticks=[])
        figure.colorbar(shown, ax=axes, label="grey level")
    _save(path, figure)


def _draw_spectra(path: Path, measured: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for source, (_, _, spectrum) in measured.items():
        axes.semilogy((np.arange(RINGS) + 0.5) / (2 * RINGS), spectrum, label=source)
    axes.set(xlabel="spatial frequency (cycles per px)", ylabel="mean power")
    axes.legend(fontsize="small")
    _save(path, figure)
