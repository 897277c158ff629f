"""The readers' marks drawn on the images: a folder with a picture per case, and a plate of the most marked cases."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.report.figures import Drawn, as_csv
from analysis.report.plates import Pictures
from analysis.responses import Responses
from analysis.statistics import places

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

LEAST = 512  # minimum width of a picture in px; it is less than twice as wide
ON_WALL = 12
INKS = ("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00", "#ffffff", "#b0a0ff", "#8fd18f", "#c0c0c0")
TITLE = "The most marked images"


def make_wall(results: dict[str, Any], responses: Responses, pictures: Pictures | None, folder: Path) -> list[Drawn]:
    """Draw the most marked cases as one plate into `folder`, marks_wall.jpg and .csv; without images, say why not."""
    name, marks = "marks_wall", responses.marks
    shown = list(results["marks"]["cases"])[:ON_WALL]
    if not shown or marks is None:
        return [Drawn(name, TITLE, "", reason="no reader marked a place")]
    if pictures is None:
        return [Drawn(name, TITLE, "", reason="the pool's images were not given")]
    import io

    from PIL import Image

    cases, own, known = results["marks"]["cases"], _by_case(marks.table), _by_case(marks.faults)
    tiles = [
        _picture(case, cases[case], own[case], known[case], marks.aspect, pictures, _inks(results)) for case in shown
    ]
    across = 2 if len(tiles) < 9 else 3
    wide, high = tiles[0].width, max(tile.height for tile in tiles)
    sheet = Image.new("RGB", (across * wide + 8 * (across - 1), -(-len(tiles) // across) * (high + 8) - 8), "white")
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % across * (wide + 8), number // across * (high + 8)))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=85)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jpg").write_bytes(out.getvalue())
    kept = ("truth", "source", "readers", "n", "nothing", "spread", "dice")
    numbers = as_csv([{"case": case} | {field: cases[case][field] for field in kept} for case in shown])
    (folder / f"{name}.csv").write_text(numbers, encoding="utf-8", newline="")
    caption = (
        "The cases that most readers marked. Orange: density of all marks; circles: marks, coloured by reason."
        + (" Dashed: known faults." if marks.faults is not None else "")
        + (" The images are phantoms: drawn by a computer, not radiographs of a person." if pictures.phantom else "")
    )
    return [Drawn(name, TITLE, caption, numbers, out.getvalue(), "image/jpeg", wide=True)]


def write_folder(
    results: dict[str, Any], responses: Responses, pictures: Pictures | None, folder: Path, workers: int = 2
) -> None:
    """Write a picture for each marked case into `folder`, most marked case first, and marks.csv.

    Without images, the marks are drawn on an empty frame of the same shape.
    """
    marks, cases = responses.marks, results["marks"]["cases"]
    if marks is None or not cases:
        return
    folder.mkdir(parents=True, exist_ok=True)
    own, known, inks = _by_case(marks.table), _by_case(marks.faults), _inks(results)
    given = pictures or Pictures({})
    digits = len(str(len(cases)))
    plain = {case: re.sub(r"[^\w.-]", "_", case)[:80] for case in cases}
    names = {case: f"{rank:0{digits}d}_{plain[case]}.jpg" for rank, case in enumerate(cases, start=1)}

    def draw(case: str) -> None:
        picture = _picture(case, cases[case], own[case], known[case], marks.aspect, given, inks)
        picture.save(folder / names[case], "JPEG", quality=82)

    with ThreadPoolExecutor(workers) as threads:  # Pillow and numpy mostly release the interpreter lock
        list(threads.map(draw, cases))
    kept = ["case", "reader", "group", "x", "y", "reason", "rating", "level", "answer"]
    told = [
        {"picture": names[row["case"]], "truth": cases[row["case"]]["truth"], "source": cases[row["case"]]["source"]}
        | {name: _plain(value) for name, value in row.items()}
        for row in marks.table[kept].to_dict("records")
    ]
    rows = sorted(told, key=lambda row: row["picture"])
    (folder / "marks.csv").write_text(as_csv(rows), encoding="utf-8", newline="")


def _by_case(table: pd.DataFrame | None) -> dict[str, list[Any]]:
    """Return the rows of a table by case."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in table.itertuples() if table is not None else ():
        found[row.case].append(row)
    return found


def _plain(value: Any) -> Any:
    """Return NaN as an empty value, and whole numbers without a decimal point."""
    if isinstance(value, float):
        return "" if value != value else int(value) if value.is_integer() and value > 1 else value
    return value


def _inks(results: dict[str, Any]) -> dict[str, str]:
    """Return a colour for each reason, most common first."""
    return {reason: INKS[number % len(INKS)] for number, reason in enumerate(results["marks"]["reasons"])}


def _picture(
    name: str,
    case: Mapping[str, Any],
    own: Sequence[Any],
    known: Sequence[Any],
    aspect: float,
    pictures: Pictures,
    inks: Mapping[str, str],
) -> Image.Image:
    """Return the image of a case with density, marks and known faults, and a caption with the readers' answers."""
    from PIL import ImageDraw

    frame, words = _frame(pictures.files.get(name), aspect)
    place = [(mark.x, mark.y) for mark in own]
    lit = _lit(frame, places.density(place, (128, max(1, round(128 / aspect))), aspect))
    draw, (wide, high) = ImageDraw.Draw(lit), lit.size
    for fault in known:
        _dashed(draw, _ellipse(fault, wide, high))
    for mark in own:
        x, y = mark.x * wide, mark.y * high
        draw.ellipse((x - 7, y - 7, x + 7, y + 7), outline="black", width=4)
        draw.ellipse((x - 6, y - 6, x + 6, y + 6), outline=inks[mark.reason], width=2)
    if words:
        draw.text((10, 10), words, fill="white", font=_font(14))
    return _captioned(lit, _lines(name, case, pictures.phantom), inks)


Line = Sequence[tuple[str, str]]  # pieces of text, each with its colour


def _lines(name: str, case: Mapping[str, Any], phantom: bool) -> list[Line]:
    source = f", {case['source']}" if case["source"] else ""
    readers = f"{case['readers']} reader{'s' * (case['readers'] != 1)}"
    counts = f"{case['n']} mark{'s' * (case['n'] != 1)} by {readers}"
    if case["nothing"]:
        counts += f"; {case['nothing']} said nothing in particular"
    first = [(f"{name}: {case['truth']}{source}. {counts}.", "#ffffff")]
    return [
        first + ([("  PHANTOM", "#ff9a66")] if phantom else []),
        [(f"{r} {n}   ", r) for r, n in case["reasons"].items()],
    ]


def _captioned(picture: Image.Image, lines: Sequence[Line], inks: Mapping[str, str]) -> Image.Image:
    """Add lines of text below the picture, wrapped if too long; each reason has its colour."""
    from PIL import Image, ImageDraw

    font, step = _font(14), 20
    rows: list[list[tuple[float, str, str]]] = []
    for line in lines:
        rows.append([])
        x = 8.0
        for text, ink in line:
            length = font.getlength(text)
            if x + length > picture.width - 8 and rows[-1]:
                rows.append([])
                x = 8.0
            rows[-1].append((x, text, inks.get(ink, ink)))
            x += length
    sheet = Image.new("RGB", (picture.width, picture.height + step * len(rows) + 10), "#161616")
    sheet.paste(picture, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        for x, text, ink in row:
            draw.text((x, picture.height + 4 + step * number), text, fill=ink, font=font)
    return sheet


def _frame(path: Path | None, aspect: float) -> tuple[Image.Image, str]:
    """Return the image in grey, LEAST to twice as many px wide if large enough; without an image, an empty frame."""
    from PIL import Image

    try:
        if path is None:
            raise FileNotFoundError
        with Image.open(path) as image:
            grey = image.convert("L") if not image.mode.startswith(("I", "F")) else _shallow(np.asarray(image))
            grey = grey.reduce(max(1, grey.width // LEAST))  # by a whole number, which is ten times as fast as resizing
            return grey, ""
    except OSError:
        words = "the image was not given" if path is None else "the image cannot be read"
        return Image.new("L", (LEAST, max(1, round(LEAST / aspect))), 40), words


def _shallow(deep: NDArray[Any]) -> Image.Image:
    """Convert an image of more than 8 bits to 8 bits, with its brightest pixel white."""
    from PIL import Image

    return Image.fromarray((deep.astype(float) / max(float(deep.max()), 1.0) * 255).astype(np.uint8))


def _lit(grey: Image.Image, density: NDArray[np.float64]) -> Image.Image:
    """Overlay the density on the image in orange, strongest at the densest place."""
    from PIL import Image

    strength = Image.fromarray((density / max(density.max(), 1e-12) * 140).astype(np.uint8))
    orange = Image.new("RGB", grey.size, (255, 120, 0))
    return Image.composite(orange, grey.convert("RGB"), strength.resize(grey.size, Image.Resampling.BILINEAR))


def _ellipse(fault: Any, wide: int, high: int) -> NDArray[np.float64]:
    """Return the outline of a fault in px, points x 2."""
    turn, along = np.radians(fault.angle), np.linspace(0, 2 * np.pi, 97)
    u, v = fault.rx * wide * np.cos(along), fault.ry * high * np.sin(along)
    x, y = u * np.cos(turn) + v * np.sin(turn), -u * np.sin(turn) + v * np.cos(turn)
    return np.column_stack([fault.x * wide + x, fault.y * high + y])


def _dashed(draw: Any, outline: NDArray[np.float64]) -> None:
    for first in range(0, len(outline) - 2, 4):
        draw.line([tuple(point) for point in outline[first : first + 3]], fill="#7fe0ff", width=2)


@cache
def _font(size: int) -> Any:
    """Return DejaVu Sans, which comes with matplotlib and has more letters than Pillow's own font."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)  # the default layout is slow
