"""Files that appear whole or not at all, so that an interrupted run leaves nothing half-written under a final name."""

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
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),  # no room
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST),  # no right, or no folder
)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A name beside `path` to write to; it takes the final name when the block ends well, and is removed otherwise.

    Raises InputError when the disk is full or the folder cannot be written.
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
    """A text file (UTF-8), whole or not at all. Raises InputError as `atomic` does."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def save_picture(path: str | Path, image: Image.Image) -> None:
    """A picture, whole or not at all, in the format of its suffix. Raises InputError as `atomic` does."""
    with atomic(path) as part:
        image.save(part)


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def output_folder(path: Path) -> Path:
    """A folder for results, made where it is not there. Raises InputError when it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    return path
