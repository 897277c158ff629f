"""Thumbnails stored with an upload: a few original images next to what readers get, and framed places."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

import generation.pool
from generation.radiographs import guarded
from quiz_app.pools import images

EACH = 2  # per class
SIZE = (480, 480)  # maximum
FRAME = (255, 176, 0)
AROUND = 4  # px between a place and its frame
CUT_OUT = 96  # px, the height of a place shown enlarged


def keep(pool_folder: Path, into: Path) -> list[dict[str, Any]]:
    """Write thumbnails of a few cases of each class into the new folder `into`, numbered from 1; see `name`.

    Returns the `truth` and original `size` (width, height) of each, in this order, but no file name, which may be a
    patient's. The originals are read from the paths in origins.csv, so `pool_folder` must have been made here.
    """
    pool = generation.pool.read_table(pool_folder)
    with (pool_folder / "origins.csv").open(encoding="utf-8", newline="") as file:
        origins = {row["case"]: Path(row["origin"]) for row in csv.DictReader(file)}
    into.mkdir()
    told = []
    for case in [case for truth in generation.pool.TRUTHS for case in _of(pool, truth)[:EACH]]:
        came = guarded.look(origins[case.case]).image
        told.append({"truth": case.truth, "size": list(came.size)})
        with Image.open(pool.path(case)) as given:
            for side, image in (("came", came), ("given", given)):
                image.thumbnail(SIZE)
                (into / name(len(told), side)).write_bytes(images.encoded(image))
    return told


def framed(image: Image.Image, places: Sequence[Sequence[float]]) -> Image.Image:
    """A thumbnail of a grey image with frames around places, and below it the first place, large enough to read.

    places: left, top, right, bottom as shares of the image, at least one.
    """
    small = image.convert("RGB")
    small.thumbnail(SIZE)
    pen = ImageDraw.Draw(small)
    for place in places:
        left, top, right, bottom = _in_pixels(place, small.size)
        pen.rectangle((left - AROUND, top - AROUND, right + AROUND, bottom + AROUND), outline=FRAME, width=2)
    cut = _cut_out(image.convert("L"), places[0], small.width)
    both = Image.new("RGB", (small.width, small.height + AROUND + cut.height), FRAME)
    both.paste(small, (0, 0))
    both.paste(cut, (0, small.height + AROUND))
    return both


def _in_pixels(place: Sequence[float], size: tuple[int, int]) -> tuple[float, ...]:
    return tuple(share * side for share, side in zip(place, size * 2, strict=True))


def _cut_out(image: Image.Image, place: Sequence[float], width: int) -> Image.Image:
    """A place with its surroundings, of height CUT_OUT or width `width`, centred within that width."""
    left, top, right, bottom = _in_pixels(place, image.size)
    around = (bottom - top) / 2
    part = image.crop((round(left - around), round(top - around), round(right + around), round(bottom + around)))
    scale = min(CUT_OUT / part.height, width / part.width)
    part = part.resize((max(1, round(part.width * scale)), max(1, round(part.height * scale))))
    strip = Image.new("L", (width, part.height))
    strip.paste(part, ((width - part.width) // 2, 0))
    return strip


def _of(pool: generation.pool.Pool, truth: str) -> list[generation.pool.Case]:
    return [case for case in pool.cases if case.truth == truth]


def name(number: int, side: str) -> str:
    """The file of the thumbnail with this number: the original, or the image that readers get."""
    return f"{number}-{side}.png"
