"""Find radiographs in a folder, by file suffix, and DICOM files also by their first bytes."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

from generation.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom", ".dic", ".ima")
DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")
FRAMES = ("none", "first", "middle", "all")  # what to use from a file with several images


def find(folder: str | Path, within: str = "") -> list[Path]:
    """Return all radiographs below a folder, sorted; only those below folders called `within` if there are any.

    Files without a suffix are examined, because archives export DICOM files this way; DICOMDIR, a list of files, is
    ignored.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; expected one with radiographs ({', '.join(SUFFIXES)})")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and _is_radiograph(path))
    inside = [path for path in paths if within and within in path.relative_to(folder).parts]
    return inside or paths


def _is_radiograph(path: Path) -> bool:
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR":
        return False
    return path.suffix.lower() in SUFFIXES or (_is_numbered(path) and is_dicom(path))


def _is_numbered(path: Path) -> bool:
    """Return whether a file has no suffix, or a number as suffix: archives name files by UIDs."""
    return path.suffix[1:].isdigit() or not path.suffix


def is_dicom(path: Path) -> bool:
    """Return whether a file begins like DICOM: with a preamble, or with an element of group 0002 or 0008."""
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError:
        return False
    return head[128:] == b"DICM" or (head[:2] in (b"\x02\x00", b"\x08\x00") and len(head) > 8 and head[3:4] == b"\0")


def is_read_as_dicom(path: Path) -> bool:
    """Return whether a file is DICOM by its first bytes, or by its suffix unless it begins like another format."""
    if is_dicom(path) or path.suffix.lower() not in DICOM_SUFFIXES:
        return is_dicom(path)
    with path.open("rb") as file:
        return not file.read(4).startswith((b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*"))


def frames_of(path: Path) -> int:
    """Return the number of images in a file, from its header; 1 if it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if is_read_as_dicom(path):
                import pydicom

                data = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["NumberOfFrames"])
                return max(1, int(data.get("NumberOfFrames") or 1))
            with Image.open(path) as image:
                return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    except Exception:  # a corrupt header may raise anything; reading the file will report it
        return 1


def chosen(count: int, frames: str) -> list[int]:
    """Return which images to use from a file with `count`, from 0: none, the first, the middle one or all."""
    return {"first": [0], "middle": [count // 2], "all": list(range(count))}.get(frames, [])
