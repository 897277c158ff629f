"""Training examples: images of a prepared corpus, in an order and with noise that depend only on seeds.

Every random choice about image i in epoch e comes from a generator seeded by (seed, e, i). An interrupted training
therefore resumes exactly, and one process sees the same examples as two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import PCG64, Generator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from generation import radiographs
from generation.corpus import read_manifest
from generation.errors import InputError

VALIDATION = 2**32 - 1  # the epoch number used for every validation

Example = dict[str, Tensor]
MakeExample = Callable[[np.ndarray, int, Generator], Example]  # (uint8 (H, W), number of the set, generator)


@dataclass(frozen=True)
class Pictures:
    """The images of one split of a corpus, in memory as uint8 (N, H, W), with the set of each."""

    pixels: np.ndarray
    sets: np.ndarray  # from 1; the place in `names` plus one
    names: tuple[str, ...]
    unreadable: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pixels)


def read_pictures(corpus: Path, which: str, split: str) -> Pictures:
    """Return the `lr` or `hr` images of a split, `train` or `validation`.

    Unreadable files are left out and named in `unreadable`. Raises InputError if nothing is left, the images differ in
    size, or `corpus` was not made by `generation corpus`.
    """
    manifest = read_manifest(corpus)
    names = tuple(sorted({row["set"] for row in manifest}))
    rows = [row for row in manifest if row["split"] == split]
    files = [corpus / which / f"{row['image']}.png" for row in rows]
    found = [
        read if isinstance(read, str) else np.asarray(read.image)
        for read in tqdm(radiographs.looks(files), total=len(files), desc=f"reading {split}", leave=False)
    ]
    unreadable = tuple(picture for picture in found if isinstance(picture, str))
    pictures = [picture for picture in found if isinstance(picture, np.ndarray)]
    sizes = {picture.shape for picture in pictures}
    if len(sizes) != 1:
        what = f"images of several sizes: {sorted(sizes)}" if sizes else f"no readable {split} image"
        raise InputError(f"{corpus / which} contains {what}", unreadable)
    sets = [names.index(row["set"]) + 1 for row, p in zip(rows, found, strict=True) if isinstance(p, np.ndarray)]
    return Pictures(np.stack(pictures), np.array(sets), names, unreadable)


class Examples(Dataset):
    """Examples by (epoch, number), each made from its image with its own generator."""

    def __init__(self, pictures: Pictures, make: MakeExample, seed: int):
        self.pictures, self.make, self.seed = pictures, make, seed

    def __getitem__(self, place: tuple[int, int]) -> Example:
        epoch, number = place
        rng = Generator(PCG64([self.seed, epoch, number]))
        return self.make(self.pictures.pixels[number], int(self.pictures.sets[number]), rng)


@dataclass(frozen=True)
class Order:
    """The order of images in a process. `batch` is the total over all processes, in `accumulation` parts each."""

    images: int
    batch: int
    accumulation: int
    processes: int
    process: int
    seed: int

    def __post_init__(self) -> None:
        if self.batch % (self.accumulation * self.processes):
            raise InputError(
                f"a batch of {self.batch} cannot be shared by {self.processes} process(es)"
                f" in {self.accumulation} part(s) each"
            )
        if self.images < self.batch:
            raise InputError(f"{self.images} training images are fewer than a batch of {self.batch}")

    @property
    def steps(self) -> int:
        """Return the number of optimiser steps per epoch; remaining images are used in other epochs."""
        return self.images // self.batch

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[list[tuple[int, int]]]:
        """Yield the batches of this process in an epoch, `accumulation` per step, starting at a step."""
        order = Generator(PCG64([self.seed, epoch])).permutation(self.images)[: self.steps * self.batch]
        parts = order.reshape(self.steps, self.accumulation, self.processes, -1)[first_step:, :, self.process]
        for part in parts.reshape(-1, parts.shape[-1]):
            yield [(epoch, int(number)) for number in part]


def loader(examples: Examples, batches: Iterator[list[tuple[int, int]]], workers: int) -> DataLoader:
    """Return batches of examples, prefetched by `workers` processes (0: on demand)."""
    return DataLoader(examples, batch_sampler=list(batches), num_workers=workers, pin_memory=torch.cuda.is_available())
