"""Crop margins and resize; the margins of the public sets.

The five public sets of panoramic radiographs are those of PanoDiff-SR (arXiv 2507.09227), with the margins that its
two versions cropped before resizing.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from PIL import Image

HIGH, LOW = (1024, 512), (256, 128)  # width x height


@dataclass(frozen=True)
class Margins:
    """Pixels to crop at each side, before resizing."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0


@dataclass(frozen=True)
class PublicSet:
    """A public set: its number of radiographs, its margins, and the folder with the images in its archive."""

    count: int
    margins: Margins
    within: str = ""


JOURNAL_MARGINS = Margins(64, 127, 90, 127)  # for all sets, in the later version
SETS = {
    "ADLD": PublicSet(500, Margins(90, 30, 30, 170)),
    "DENTEX": PublicSet(3603, Margins(20, 100, 50, 20), "xrays"),
    "TSXK": PublicSet(598, Margins(), "img"),
    "TUFTS": PublicSet(1000, Margins(20, 30, 100, 100), "Radiographs"),
    "USPFORP": PublicSet(945, Margins(30, 30, 165, 30)),
}


def crop(image: Image.Image, margins: Margins) -> Image.Image:
    """Return the image without its margins. Raises ValueError if less than half of a side would remain."""
    if margins == Margins():
        return image
    width, height = image.width - margins.left - margins.right, image.height - margins.top - margins.bottom
    if width < image.width / 2 or height < image.height / 2:
        raise ValueError(f"margins {margins} leave {width} x {height} of {image.width} x {image.height}")
    return image.crop((margins.left, margins.top, margins.left + width, margins.top + height))


def high(image: Image.Image, size: tuple[int, int] = HIGH) -> Image.Image:
    """Return the image at `size` (width, height) by Lanczos."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def low(image: Image.Image, factor: int = 4) -> Image.Image:
    """Return the image reduced by `factor` by area averaging. Its sides must be multiples of `factor`."""
    if image.width % factor or image.height % factor:
        raise ValueError(f"{image.width} x {image.height} is not a multiple of {factor}")
    return image.reduce(factor)


def parse_margins(text: str) -> dict[str, Margins] | Margins:
    """Parse `first` (different for each public set), `journal` (the same), `none`, or `TOP,LEFT,BOTTOM,RIGHT` in px."""
    named: dict[str, dict[str, Margins] | Margins] = {
        "first": {name: published.margins for name, published in SETS.items()},
        "journal": JOURNAL_MARGINS,
    }
    if text in named:
        return named[text]
    parts = ["0"] * 4 if text == "none" else text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"expected first, journal, none or TOP,LEFT,BOTTOM,RIGHT, got {text!r}")
    return Margins(*map(int, parts))
