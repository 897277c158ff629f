"""Plates of pictures, as in the PanoDiff-SR paper: cases of each category, and the most and least convincing ones."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.report.figures import Drawn, as_csv, style
from analysis.responses import Responses, ResponsesError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CATEGORIES = {
    "TP": "TP: synthetic, called synthetic",
    "TN": "TN: real, called real",
    "FP": "FP: real, called synthetic",
    "FN": "FN: synthetic, called real",
}
EACH = 2  # pictures of a category and certainty
WIDEST = 700  # px of a picture on a plate


@dataclass(frozen=True)
class Pictures:
    """The path of each case's image; `phantom`: they are drawn, not real radiographs."""

    files: Mapping[str, Path]
    phantom: bool = False


def open_pool(folder: Path, responses: Responses) -> Pictures:
    """Return the images of a pool folder (pool.json, cases.csv, images/), found by case or by file name.

    Raises:
        ResponsesError: the folder is not a pool, or a case of the study has a different truth there.
    """
    try:
        manifest = json.loads((folder / "pool.json").read_text("utf-8"))
        with (folder / "cases.csv").open(encoding="utf-8", newline="") as file:
            rows = [(row["case"], row["file"], row["truth"]) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError) as error:
        raise ResponsesError([f"{folder}: not a pool folder ({type(error).__name__}: {error})"]) from None
    truths = {
        name: ("real", "synthetic")[truth] for name, truth in zip(responses.case_names, responses.truth, strict=True)
    }
    files: dict[str, Path] = {}
    faults = []
    for number, (case, file_name, truth) in enumerate(rows, start=2):
        for name in (case, Path(file_name).name):
            if name not in truths:
                continue
            files[name] = folder / file_name
            if truths[name] != truth:
                faults.append(
                    f"cases.csv, row {number}: case {case!r} is {truth} here, {truths[name]} in the responses"
                )
    if not files:
        faults.append(f"{folder}: has none of the study's cases")
    if faults:
        raise ResponsesError(faults)
    return Pictures(files, bool(manifest.get("phantom")))


def with_pool(responses: Responses, folder: Path | None) -> Responses:
    """Add facts about the pool from `folder`, which `open_pool` has read, to the responses, unless already known."""
    if folder is None or responses.study.get("pool"):
        return responses
    manifest = json.loads((folder / "pool.json").read_text("utf-8"))
    told = {"name": manifest.get("name"), "phantom": bool(manifest.get("phantom"))}
    told["sha256"] = hashlib.sha256((folder / "cases.csv").read_bytes()).hexdigest()
    return replace(responses, study=responses.study | {"pool": told})


def make_plates(
    results: dict[str, Any], pictures: Pictures, folder: Path, done: Callable[[], object] = lambda: None
) -> list[Drawn]:
    """Draw both plates into `folder` as NAME.png and NAME.csv (what is shown); `done` is called after each."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, title, caption, rows in (_examples(results), _convincing(results)):
        if pictures.phantom:
            caption += " The images are phantoms: drawn by a computer, not radiographs of a person."
        shown = [case for _, cases in rows for case in cases if case]
        if not shown:
            found.append(Drawn(name, title, "", reason="no case has a majority of readers"))
            continue
        with matplotlib.rc_context(style.RC):
            figure = _draw(rows, _by_name(results), pictures)
            figure.savefig(folder / f"{name}.png", dpi=style.DPI, metadata={"Software": None})
            figure.savefig(folder / f"{name}.jpg", dpi=200, pil_kwargs={"quality": 85})
        numbers = as_csv([_numbers(case, _by_name(results)) for case in shown])
        (folder / f"{name}.csv").write_text(numbers, encoding="utf-8", newline="")
        image = (folder / f"{name}.jpg").read_bytes()
        (folder / f"{name}.jpg").unlink()
        found.append(Drawn(name, title, caption, numbers, image, "image/jpeg", wide=True))
        done()
    return found


Rows = list[tuple[str, list[str | None]]]


def _examples(results: dict[str, Any]) -> tuple[str, str, str, Rows]:
    rows: Rows = []
    for category, words in CATEGORIES.items():
        of = results["plates"]["by_category"][category]
        cases = [(of[certainty] + [None] * EACH)[:EACH] for certainty in ("full", "partial")]
        rows.append((words, cases[0] + cases[1]))
    caption = (
        "Cases of each category by the majority of their readers, the clearest first. Left pair: most of that "
        "majority was fully certain; right pair: partially certain. Below each: its name, and how many of its readers "
        "gave this answer."
    )
    return "plate_categories", "How the readers classified the images", caption, rows


def _convincing(results: dict[str, Any]) -> tuple[str, str, str, Rows]:
    rows: Rows = [
        ("most convincing: called real", list(results["plates"]["most_convincing"])),
        ("least convincing", list(results["plates"]["least_convincing"])),
    ]
    caption = (
        "The synthetic cases with the lowest and the highest mean level over the readers. Below each: its name, and "
        "how many of its readers called it synthetic."
    )
    return "plate_convincing", "The most and the least convincing synthetic images", caption, rows


def _by_name(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {case["case"]: case for case in results["cases"]}


def _numbers(name: str, cases: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    fields = ("truth", "category", "certainty", "read", "real", "unsure", "synthetic", "mean_level")
    return {"case": name} | {field: cases[name][field] for field in fields}


def _draw(rows: Rows, cases: Mapping[str, dict[str, Any]], pictures: Pictures) -> Figure:
    columns = max(len(names) for _, names in rows)
    figure = style.figure(style.DOUBLE, len(rows) * (style.DOUBLE / columns / 2 + 0.4))
    for part, (words, names) in zip(figure.subfigures(len(rows), 1, squeeze=False).ravel(), rows, strict=True):
        # A separate line above the pictures: name of the row, certainty of the pairs, and a note on phantoms.
        part.suptitle(" ", fontsize=7.5)
        told = [(0.006, "left", words, {"fontweight": "bold", "fontsize": 7.5})]
        if columns == 2 * EACH and words in CATEGORIES.values():
            quiet = {"color": style.QUIET, "fontsize": 6.5}
            told += [(0.494, "right", "fully certain", quiet), (0.506, "left", "partially certain", quiet)]
        if pictures.phantom:
            told.append((0.994, "right", "PHANTOMS", {"color": style.VERMILION, "fontsize": 6.5}))
        for x, side, text, look in told:
            part.text(x, 0.92, text, ha=side, va="baseline", **look)
        for axes, name in zip(part.subplots(1, columns), [*names, *[None] * (columns - len(names))], strict=True):
            axes.set_axis_off()
            if name is None:
                axes.text(0.5, 0.5, "none", ha="center", va="center", color=style.QUIET, transform=axes.transAxes)
                continue
            _show(axes, pictures.files.get(name))
            case = cases[name]
            side = case["majority"] or "synthetic"
            axes.set_title(f"{name}: {case[side]} of {case['read']} {side}", fontsize=5.5, fontweight="normal", y=-0.22)
    return figure


def _show(axes: Axes, path: Path | None) -> None:
    """Show the image from the pool in grey, or a note if it cannot be read."""
    import numpy as np
    from PIL import Image

    try:
        if path is None:
            raise FileNotFoundError
        with Image.open(path) as image:
            image.thumbnail((WIDEST, WIDEST))
            grey = np.asarray(image if image.mode.startswith(("I", "F")) else image.convert("L"), dtype=float)
    except OSError as error:
        words = "not in the pool" if path is None else f"cannot be read\n({type(error).__name__})"
        axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=6, color=style.QUIET, transform=axes.transAxes)
        return
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255 if grey.max() <= 255 else 65535)
