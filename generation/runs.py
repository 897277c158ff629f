"""Output folders that a command fills image by image, and continues to fill when it is called again."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from generation.errors import InputError
from generation.files import save_picture, save_text


def begin(sheet_path: Path, sheet: Mapping[str, Any]) -> None:
    """Record the settings of a run, or check that a resumed run has the same settings.

    Raises InputError naming each setting that differs from the earlier run.
    """
    sheet = json.loads(json.dumps(sheet))  # in the form in which it is read back
    if sheet_path.is_file():
        try:
            earlier = json.loads(sheet_path.read_text(encoding="utf-8"))
        except ValueError:
            raise InputError(f"{sheet_path} is damaged; give another --out") from None
        names = {**earlier, **sheet}
        faults = [
            f"{n}: {earlier.get(n)!r} then, {sheet.get(n)!r} now" for n in names if earlier.get(n) != sheet.get(n)
        ]
        if faults:
            raise InputError(
                f"{sheet_path.parent} contains a run with other settings; give another --out, or the same settings",
                faults,
            )
        return
    save_text(sheet_path, json.dumps(sheet, indent=2, ensure_ascii=False) + "\n")


class Rate:
    """Report once how long a run will take, after the second progress report; the first includes start-up time."""

    def __init__(self, images: int):
        self.images = images
        self.last: float | None = None
        self.told = False

    def __call__(self, images: float) -> None:
        """Record that this many more images, or share of one, are done."""
        now = time.monotonic()
        if self.last is not None and not self.told:
            each = (now - self.last) / images
            tqdm.write(f"about {each:.2g} s per image, {_spoken(each * self.images)} for the remaining {self.images}")
            self.told = True
        self.last = now


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def note_cost(folder: Path, images: int, seconds: float, device: str) -> None:
    """Add a row to cost.csv: the time that one process took for a number of images."""
    path = folder / "cost.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerows([["images", "seconds", "device"]] * new + [[images, f"{seconds:.2f}", device]])


def cost(folder: Path) -> float | None:
    """Return the seconds per image of one process, if recorded by `note_cost`."""
    try:
        with (folder / "cost.csv").open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["images"] != "images"]  # two processes wrote a header
        return sum(float(row["seconds"]) for row in rows) / sum(int(row["images"]) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None


def as_image(picture: np.ndarray, what: str) -> Image.Image:
    """Convert an image in [0, 1], grey (H, W) or colour (3, H, W), to 8 bits.

    what: its name in errors. Raises InputError if a network returned values that are not numbers, which would become
    black.
    """
    if not np.isfinite(picture).all():
        raise InputError(f"{what}: the network's image has pixels that are not numbers; try --precision fp32")
    pixels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    return Image.fromarray(pixels if pixels.ndim == 2 else pixels.transpose(1, 2, 0))


def save_image(path: Path, picture: np.ndarray) -> None:
    """Write an image as a lossless 8-bit PNG. Raises InputError like `as_image`."""
    save_picture(path, as_image(picture, str(path)))
