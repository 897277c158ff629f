"""Read one radiograph in any format, with notes on its file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from generation.errors import InputError
from generation.radiographs.finding import is_read_as_dicom

if TYPE_CHECKING:
    from generation.radiographs.burned_in import Box

# Pillow's limit for warnings: ten times the largest radiograph, and a gigabyte while it is read.
MOST_PIXELS = 89_478_485
# Generators write whole workflows into a PNG's text, more than the 1 MiB that Pillow regards as an attack.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**28
SIXTEEN_BIT = ("I", "F", "I;16", "I;16B", "I;16L")
LOSSY_FORMATS = ("JPEG", "MPO", "WEBP")


class SeveralImagesError(InputError):
    """A file has several images, and it was not specified which to read."""


@dataclass(frozen=True)
class Reading:
    """A radiograph (mode L), notes on its file, whether compression was lossy, and the discarded elements.

    `header`: acquisition and orientation from a DICOM header, for counts; see `header.said`. `text`: places that seem
    to contain text, if requested.
    """

    image: Image.Image
    notes: tuple[str, ...] = ()
    lossy: bool = False
    telling: tuple[str, ...] = ()  # names of DICOM elements about the patient and the visit
    header: dict[str, str] = field(default_factory=dict)
    text: tuple[Box, ...] = ()


def look(path: str | Path, frame: int | None = None, lettering: bool = False) -> Reading:
    """Return a radiograph as an upright 8-bit grey image, with notes on its file; in this process, see `guarded`.

    Colour is converted to luminance, palette and alpha channel are resolved, EXIF orientation is applied. More than 8
    bits are stretched between robust percentiles (`windows.PERCENTILES`); DICOM is rendered as its header says
    (`dicom`).
    frame: which image, from 0, of a file with several; without it, such a file is refused.
    lettering: whether to look for burnt-in text (`burned_in`).
    Raises InputError naming the file, whatever a decoder raises.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files in practice violate standards in harmless ways
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if is_read_as_dicom(path):
                from generation.radiographs import dicom

                found = dicom.look(path, frame)
            else:
                found = _picture(path, frame)
            return _with_text(found) if lettering else found
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{path}: needs more memory than is allowed for one file") from error
    except Exception as error:  # a corrupt file can make a decoder raise anything
        raise InputError(f"{path}: not readable as a radiograph ({_reason(error)})") from error


def _with_text(found: Reading) -> Reading:
    from generation.radiographs import burned_in

    return replace(found, text=tuple(burned_in.find(np.asarray(found.image))))


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is not an image file"
    return " ".join(str(error).split())[:300] or type(error).__name__


def _picture(path: Path, frame: int | None) -> Reading:
    from generation.radiographs.windows import stretched

    with Image.open(path) as image:
        count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # phones add a preview to a JPEG
        image.seek(assert_frame(path, count, frame))
        assert_size(path, *image.size)
        lossy = image.format in LOSSY_FORMATS or image.info.get("compression") == "jpeg"
        upright = ImageOps.exif_transpose(image)
        if upright.mode in SIXTEEN_BIT:
            return Reading(Image.fromarray(stretched(np.asarray(upright))), lossy=lossy)
        if upright.mode in ("P", "PA"):
            upright = upright.convert("RGBA")
        notes = ("in colour; read as luminance",) if _is_coloured(upright) else ()
        return Reading(upright.convert("L"), notes, lossy)


def _is_coloured(image: Image.Image) -> bool:
    """Return whether colours differ by more than lossy compression explains."""
    if image.mode not in ("RGB", "RGBA", "YCbCr", "CMYK", "LAB", "HSV"):
        return False
    small = np.asarray(image.convert("RGB").reduce(max(1, image.width // 256)), dtype=np.int16)
    return bool((np.ptp(small, axis=2) > 24).mean() > 0.001)


def assert_frame(path: Path, count: int, frame: int | None) -> int:
    """The frame to read. Raises SeveralImagesError if none is chosen of several, InputError if it does not exist."""
    if frame is None and count > 1:
        raise SeveralImagesError(f"{path}: has {count} images, expected one; choose the first, the middle one or all")
    if frame is not None and not 0 <= frame < max(count, 1):
        raise InputError(f"{path}: has {count} image(s), but no image {frame + 1}")
    return frame or 0


def assert_size(path: Path, width: int, height: int) -> None:
    """Raise InputError if there are too many pixels, before anything is decoded."""
    if width * height > MOST_PIXELS:
        raise InputError(f"{path}: has {width} x {height} pixels; the maximum is {MOST_PIXELS:,}")
