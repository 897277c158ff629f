"""Which files of a folder are radiographs: by their ending, and DICOM files also by how they begin."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

from generation.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom", ".dic", ".ima")
DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")
FRAMES = ("none", "first", "middle", "all")  # what becomes of a file that holds several images


def find(folder: str | Path, within: str = "") -> list[Path]:
    """All radiographs below a folder, sorted; only those below folders called `within` where there are any.

    Files without an ending are looked into, as archives export DICOM files; DICOMDIR, which lists them, is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one with radiographs ({', '.join(SUFFIXES)})")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and _is_radiograph(path))
    inside = [path for path in paths if within and within in path.relative_to(folder).parts]
    return inside or paths


def _is_radiograph(path: Path) -> bool:
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR":
        return False
    return path.suffix.lower() in SUFFIXES or (_is_numbered(path) and is_dicom(path))


def _is_numbered(path: Path) -> bool:
    """Whether a file has no ending, or one that is a number: archives call files by their UIDs."""
    return path.suffix[1:].isdigit() or not path.suffix


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does: with a preamble, or with an element of group 0002 or 0008."""
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError:
        return False
    return head[128:] == b"DICM" or (head[:2] in (b"\x02\x00", b"\x08\x00") and len(head) > 8 and head[3:4] == b"\0")


def is_read_as_dicom(path: Path) -> bool:
    """Whether a file is DICOM by how it begins, or by its ending and does not begin as a picture."""
    if is_dicom(path) or path.suffix.lower() not in DICOM_SUFFIXES:
        return is_dicom(path)
    with path.open("rb") as file:
        return not file.read(4).startswith((b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*"))


def frames_of(path: Path) -> int:
    """How many images a file holds, from its header; 1 where that cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if is_read_as_dicom(path):
                import pydicom

                data = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["NumberOfFrames"])
                return max(1, int(data.get("NumberOfFrames") or 1))
            with Image.open(path) as image:
                return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    except Exception:  # whatever a spoilt header raises: reading the file will say so
        return 1


def chosen(count: int, frames: str) -> list[int]:
    """Which images to take of a file that holds `count`, from 0: none, the first, the middle one or all."""
    return {"first": [0], "middle": [count // 2], "all": list(range(count))}.get(frames, [])
