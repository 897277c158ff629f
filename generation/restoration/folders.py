"""Folders of images that belong together by name: the good one, the poor one, and what each method made of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from generation import radiographs
from generation.errors import InputError


def named(folder: Path) -> dict[str, Path]:
    """The images of a folder by name without suffix. Raises InputError when there are none, or two of one name."""
    files = radiographs.find(folder)
    twice = [f"{name}: {count} files" for name, count in Counter(file.stem for file in files).items() if count > 1]
    if not files or twice:
        raise InputError(f"{folder}: expected images, each with a name of its own", twice or ["there are none"])
    return {file.stem: file for file in files}


def aligned(folders: Mapping[str, Path]) -> dict[str, dict[str, Path]]:
    """{image: {role: file}} of folders that hold the same images. Raises InputError naming each that one lacks."""
    found = {role: named(folder) for role, folder in folders.items()}
    names = sorted(set().union(*found.values()))
    faults = [f"{name}: not in {folders[role]}" for name in names for role in found if name not in found[role]]
    if faults:
        raise InputError("the folders must hold the same images", faults)
    return {name: {role: files[name] for role, files in found.items()} for name in names}


def pictures(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """The images of one original, uint8 (H, W) by role. Raises InputError when they differ in size."""
    read = {role: np.asarray(radiographs.read(file)) for role, file in files.items()}
    if len({pixels.shape for pixels in read.values()}) > 1:
        sizes = [f"{files[role]}: {pixels.shape[1]} x {pixels.shape[0]}" for role, pixels in read.items()]
        raise InputError("the images of one original must have one size", sizes)
    return read


def number(name: str) -> int:
    """The number of an image, by which its noise is drawn: of its name, whatever else lies in the folder."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
