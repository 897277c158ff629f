"""Folders of images matched by name: the good image, the poor one, and the result of each method."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from generation import radiographs
from generation.errors import InputError


def named(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by name without suffix. Raises InputError if there are none, or duplicate names."""
    files = radiographs.find(folder)
    twice = [f"{name}: {count} files" for name, count in Counter(file.stem for file in files).items() if count > 1]
    if not files or twice:
        raise InputError(f"{folder}: expected images with different names", twice or ["there are none"])
    return {file.stem: file for file in files}


def aligned(folders: Mapping[str, Path]) -> dict[str, dict[str, Path]]:
    """Return {image: {role: file}} for folders with the same images. Raises InputError naming each missing image."""
    found = {role: named(folder) for role, folder in folders.items()}
    names = sorted(set().union(*found.values()))
    faults = [f"{name}: not in {folders[role]}" for name in names for role in found if name not in found[role]]
    if faults:
        raise InputError("the folders must contain the same images", faults)
    return {name: {role: files[name] for role, files in found.items()} for name in names}


def pictures(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Return the images of one original, uint8 (H, W) by role. Raises InputError if they differ in size."""
    read = {role: np.asarray(radiographs.read(file)) for role, file in files.items()}
    if len({pixels.shape for pixels in read.values()}) > 1:
        sizes = [f"{files[role]}: {pixels.shape[1]} x {pixels.shape[0]}" for role, pixels in read.items()]
        raise InputError("the images of one original must have the same size", sizes)
    return read


def number(name: str) -> int:
    """Return the number of an image, which seeds its noise; it depends only on its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
