"""A few images of an upload as they came, beside what readers get of them: small pictures, kept with the upload."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from PIL import Image

import generation.pool
from generation.radiographs import guarded
from quiz_app.pools import images

EACH = 2  # of each class
SIZE = (480, 480)  # at most


def keep(pool_folder: Path, into: Path) -> list[dict[str, Any]]:
    """Write small pictures of a few cases of each class into the new folder `into`, numbered from 1; see `name`.

    Returns `truth` and `size` (width, height, as it came) of each, in this order; no file name, which may be a
    patient's. The originals are read where origins.csv says: `pool_folder` must be one that was made here.
    """
    pool = generation.pool.read_table(pool_folder)
    with (pool_folder / "origins.csv").open(encoding="utf-8", newline="") as file:
        origins = {row["case"]: Path(row["origin"]) for row in csv.DictReader(file)}
    into.mkdir()
    told = []
    for case in [case for truth in generation.pool.TRUTHS for case in _of(pool, truth)[:EACH]]:
        came = guarded.look(origins[case.case]).image
        told.append({"truth": case.truth, "size": list(came.size)})
        with Image.open(pool.path(case)) as given:
            for side, image in (("came", came), ("given", given)):
                image.thumbnail(SIZE)
                (into / name(len(told), side)).write_bytes(images.encoded(image))
    return told


def _of(pool: generation.pool.Pool, truth: str) -> list[generation.pool.Case]:
    return [case for case in pool.cases if case.truth == truth]


def name(number: int, side: str) -> str:
    """The file of the picture with this number, as it came or as it is given to readers."""
    return f"{number}-{side}.png"
