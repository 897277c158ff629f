"""A pool of restored radiographs: for each original, a group of the reference and the result of every method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from generation import pool
from generation.errors import InputError
from generation.restoration.folders import aligned, pictures

REFERENCE = "reference"


def assert_alike(reference: Path, poor: Path) -> None:
    """Raise InputError naming every image that is missing in one of the folders."""
    aligned({REFERENCE: reference, "poor": poor})


def make_pool(
    folder: Path,
    reference: Path,
    methods: Mapping[str, Path],
    how: Mapping[str, Any],
    name: str,
    seed: int,
    phantom: bool = False,
    practice: int = 1,
) -> pool.Pool:
    """Write the pool: `group` is the original, `source` the method or `reference`; references are real, no other is.

    Originals, and the images within each, are in random order, so that file names reveal nothing; origins.csv has the
    source file of each image. practice: number of originals for practice, 0 or 1. how: description by method. Raises
    InputError if images are missing, differ in size within or between originals, or are identical: no reader could
    prefer one, and the quiz accepts no pool with duplicate images.
    """
    cases = aligned({REFERENCE: reference, **methods})
    sizes: dict[str, tuple[int, ...]] = {}
    first: dict[bytes, Path] = {}
    same = []
    for image, files in cases.items():
        for role, pixels in pictures(files).items():
            sizes[image] = pixels.shape
            twin = first.setdefault(sha256(pixels.tobytes()).digest(), files[role])
            same += [f"{files[role]}: is the same image as {twin}"] if twin != files[role] else []
    if same:
        raise InputError(
            "no pool was made, because it would contain an image twice; leave out a method with --by", same
        )
    if len(set(sizes.values())) > 1:
        faults = [f"{image}: {shape[1]} x {shape[0]}" for image, shape in sizes.items()]
        raise InputError(f"{reference}: all images of a pool must have the same size", faults)
    height, width = next(iter(sizes.values()))
    rng = np.random.Generator(np.random.PCG64(seed))
    plan = [(image, role) for image in cases for role in cases[image]]
    named = [pool.PRACTICE] * practice + [f"original-{place:04d}" for place in range(1, len(cases) + 1 - practice)]
    groups = dict(zip(rng.permutation(list(cases)), named, strict=True))

    def entries() -> Iterator[pool.Entry]:
        for at in rng.permutation(len(plan)):
            image, role = plan[at]
            truth = "real" if role == REFERENCE else "synthetic"
            pixels = pictures({role: cases[image][role]})[role]
            yield pool.Entry(truth, role, pool.encode(pixels), groups[image], origin=cases[image][role].name)

    explained = {"real": "the radiographs before degradation", "synthetic": dict(how)}
    return pool.write(
        folder, entries(), name=name, seed=seed, width=width, height=height, how=explained, phantom=phantom
    )
