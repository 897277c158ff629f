"""Folders of images that a command fills one by one, and goes on filling when it is called again."""

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
    """Write down what the run is, or see that a run to be resumed was the same.

    Raises InputError that names each setting in which the earlier run differs.
    """
    sheet = json.loads(json.dumps(sheet))  # as it is read back
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
    """Say once how long a run will take, from the second sign of progress on: the first one pays for starting up."""

    def __init__(self, images: int):
        self.images = images
        self.last: float | None = None
        self.told = False

    def __call__(self, images: float) -> None:
        """So many more images are done, or such a share of one."""
        now = time.monotonic()
        if self.last is not None and not self.told:
            each = (now - self.last) / images
            tqdm.write(f"about {each:.2g} s an image, {_spoken(each * self.images)} for the {self.images} to be made")
            self.told = True
        self.last = now


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def note_cost(folder: Path, images: int, seconds: float, device: str) -> None:
    """A row of cost.csv: what one process took for so many images of the folder."""
    path = folder / "cost.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerows([["images", "seconds", "device"]] * new + [[images, f"{seconds:.2f}", device]])


def cost(folder: Path) -> float | None:
    """Seconds of one process an image, where `note_cost` has told."""
    try:
        with (folder / "cost.csv").open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["images"] != "images"]  # two processes began it
        return sum(float(row["seconds"]) for row in rows) / sum(int(row["images"]) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None


def as_image(picture: np.ndarray, what: str) -> Image.Image:
    """A picture in [0, 1], grey (H, W) or colour (3, H, W), as an 8-bit image.

    what: how an error names it. Raises InputError where a network gave anything but numbers: such a picture would come
    out black.
    """
    if not np.isfinite(picture).all():
        raise InputError(f"{what}: the network's picture has pixels that are not numbers; try --precision fp32")
    pixels = np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
    return Image.fromarray(pixels if pixels.ndim == 2 else pixels.transpose(1, 2, 0))


def save_image(path: Path, picture: np.ndarray) -> None:
    """Write a picture as a lossless 8-bit PNG. Raises InputError as `as_image` does."""
    save_picture(path, as_image(picture, str(path)))
