"""Atomic file writing, so that an interrupted run leaves no partial file under a final name."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from generation.errors import InputError

REFUSALS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),  # no space
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST),  # no permission, or not a folder
)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; it is renamed if the block succeeds, and removed otherwise.

    Raises InputError if the disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if part.is_file():
            part.unlink()


def save_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8) atomically. Raises InputError like `atomic`."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def save_picture(path: str | Path, image: Image.Image) -> None:
    """Write an image atomically, in the format of its suffix. Raises InputError like `atomic`."""
    with atomic(path) as part:
        image.save(part)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def output_folder(path: Path) -> Path:
    """Return a folder for results, created if needed. Raises InputError if it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    return path
