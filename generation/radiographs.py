"""Reading radiographs as they come, and bringing them to one shape: grey, upright, without margins, one size.

The five public sets of panoramic radiographs are those of PanoDiff-SR (arXiv 2507.09227), with the margins that its
two versions cut away before resizing.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from generation.arguments import bar
from generation.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom")
HIGH, LOW = (1024, 512), (256, 128)  # width x height
MOST_PIXELS = (
    89_478_485  # where Pillow begins to warn: ten times the largest radiograph, and a gigabyte while it is read
)
SIXTEEN_BIT = ("I", "F", "I;16", "I;16B", "I;16L")


@dataclass(frozen=True)
class Margins:
    """Pixels to cut away at each side, before resizing."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0


@dataclass(frozen=True)
class PublicSet:
    """A public set: how many radiographs it should hold, its margins, and the folder that holds them in its archive."""

    count: int
    margins: Margins
    within: str = ""


JOURNAL_MARGINS = Margins(64, 127, 90, 127)  # of all sets alike, in the later version
SETS = {
    "ADLD": PublicSet(500, Margins(90, 30, 30, 170)),
    "DENTEX": PublicSet(3603, Margins(20, 100, 50, 20), "xrays"),
    "TSXK": PublicSet(598, Margins(), "img"),
    "TUFTS": PublicSet(1000, Margins(20, 30, 100, 100), "Radiographs"),
    "USPFORP": PublicSet(945, Margins(30, 30, 165, 30)),
}


def find(folder: str | Path, within: str = "") -> list[Path]:
    """All radiographs below a folder, sorted; only those below folders called `within` where there are any."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one with radiographs ({', '.join(SUFFIXES)})")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    inside = [path for path in paths if within and within in path.relative_to(folder).parts]
    return inside or paths


def read(path: str | Path) -> Image.Image:
    """A radiograph as an upright 8-bit grey image (Pillow mode L).

    Colour goes to luminance, a palette and an alpha channel are resolved, EXIF orientation is applied. More than 8 bits
    are stretched from the least to the greatest value; a DICOM goes through its modality and VOI look-up first,
    MONOCHROME1 is inverted, and PatientOrientation brings the patient's left to the right-hand side.
    Raises InputError naming the file when it cannot be read, or holds more than one image.
    """
    path = Path(path)
    try:
        if path.suffix.lower() in (".dcm", ".dicom"):
            return _stretched(_dicom(path))
        with Image.open(path) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise InputError(f"{path}: holds {image.n_frames} images, expected one")  # type: ignore[attr-defined]
            _assert_readable(path, *image.size)
            upright = ImageOps.exif_transpose(image)
            if upright.mode in SIXTEEN_BIT:
                return _stretched(np.asarray(upright))
            return (upright.convert("RGBA") if upright.mode in ("P", "PA") else upright).convert("L")
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (
        *(OSError, ValueError, SyntaxError, UnidentifiedImageError),
        *(Image.DecompressionBombError, Image.DecompressionBombWarning),
    ) as error:
        raise InputError(f"{path}: not readable as a radiograph ({error})") from error


def readable(paths: Sequence[Path], faults: list[str]) -> list[Path]:
    """The files that can be read; what is wrong with each of the others is added to `faults`."""

    def fault(path: Path) -> str | None:
        try:
            read(path)
        except InputError as error:
            return str(error)
        return None

    with ThreadPoolExecutor() as threads, bar("images checked") as progress:
        kept = []
        for done, (path, wrong) in enumerate(zip(paths, threads.map(fault, paths), strict=True), start=1):
            if wrong:
                faults.append(wrong)
            else:
                kept.append(path)
            progress(done, len(paths))
    return kept


def _assert_readable(path: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise InputError(f"{path}: has {width} x {height} pixels, at most {MOST_PIXELS:,} are read")


def _dicom(path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files from the field break the letter of the standard in harmless ways
            return _dicom_pixels(path)
    except (InputError, FileNotFoundError):
        raise
    except Exception as error:  # a spoilt file can make pydicom raise anything
        raise InputError(f"{path}: not readable as a DICOM radiograph ({error})") from error


def _dicom_pixels(path: Path) -> np.ndarray:
    import pydicom
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    data = pydicom.dcmread(path)
    frames = int(data.get("NumberOfFrames") or 1)
    if frames > 1:
        raise InputError(f"{path}: holds {frames} images, expected one")
    _assert_readable(path, int(data.get("Columns") or 0), int(data.get("Rows") or 0))
    if data.get("SamplesPerPixel", 1) != 1:
        raise InputError(f"{path}: is in colour ({data.PhotometricInterpretation}), expected a grey radiograph")
    pixels = apply_voi_lut(apply_modality_lut(data.pixel_array, data), data).astype(np.float64)
    if data.get("PhotometricInterpretation") == "MONOCHROME1":
        pixels = pixels.max() - pixels + pixels.min()
    across, down = (*(data.get("PatientOrientation") or ()), "", "")[:2]
    if str(across).startswith("R"):
        pixels = pixels[:, ::-1]
    if str(down).startswith("H"):
        pixels = pixels[::-1]
    return pixels


def _stretched(pixels: np.ndarray) -> Image.Image:
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(f"its pixels have the shape {pixels.shape}")
    pixels = pixels.astype(np.float64)
    least, greatest = float(pixels.min()), float(pixels.max())
    if not np.isfinite([least, greatest]).all():
        raise ValueError("some of its pixels are not numbers")
    scaled = (pixels - least) * (255.0 / (greatest - least) if greatest > least else 0.0)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def crop(image: Image.Image, margins: Margins) -> Image.Image:
    """The image without its margins. Raises ValueError when less than half of a side would be left."""
    if margins == Margins():
        return image
    width, height = image.width - margins.left - margins.right, image.height - margins.top - margins.bottom
    if width < image.width / 2 or height < image.height / 2:
        raise ValueError(f"margins {margins} leave {width} x {height} of {image.width} x {image.height}")
    return image.crop((margins.left, margins.top, margins.left + width, margins.top + height))


def high(image: Image.Image, size: tuple[int, int] = HIGH) -> Image.Image:
    """The image at `size` (width, height) by Lanczos."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def low(image: Image.Image, factor: int = 4) -> Image.Image:
    """The image a `factor` smaller by area averaging. Its sides must be multiples of `factor`."""
    if image.width % factor or image.height % factor:
        raise ValueError(f"{image.width} x {image.height} is not a multiple of {factor}")
    return image.reduce(factor)


def parse_margins(text: str) -> dict[str, Margins] | Margins:
    """`first` (each public set its own), `journal` (all alike), `none`, or `TOP,LEFT,BOTTOM,RIGHT` in px."""
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
