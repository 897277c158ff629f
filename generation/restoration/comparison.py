"""A pool of restored radiographs: of each original the reference and what every method made of it, in one group."""

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
    """Raise InputError, naming each, when an image of one folder is missing in the other."""
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

    Originals and, in each, its images come in a random order, so that names of files say nothing; origins.csv has the
    file that each image is from. practice: how many originals are for practice, 0 or 1. how: what made the images, by
    method. Raises InputError when images are missing, differ in size, within an original or between originals, or when
    two are the same: nobody can prefer one, and the quiz takes no pool with an image twice.
    """
    cases = aligned({REFERENCE: reference, **methods})
    sizes: dict[str, tuple[int, ...]] = {}
    first: dict[bytes, Path] = {}
    same = []
    for image, files in cases.items():
        for role, pixels in pictures(files).items():
            sizes[image] = pixels.shape
            twin = first.setdefault(sha256(pixels.tobytes()).digest(), files[role])
            same += [f"{files[role]}: the same picture as {twin}"] if twin != files[role] else []
    if same:
        raise InputError("no pool was made, it would hold an image twice; leave out a method, with --by", same)
    if len(set(sizes.values())) > 1:
        faults = [f"{image}: {shape[1]} x {shape[0]}" for image, shape in sizes.items()]
        raise InputError(f"{reference}: the images of a pool must have one size", faults)
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

    explained = {"real": "the radiographs before they were made poor", "synthetic": dict(how)}
    return pool.write(
        folder, entries(), name=name, seed=seed, width=width, height=height, how=explained, phantom=phantom
    )
