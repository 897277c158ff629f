"""What a training tells of itself while it runs: log.csv always, TensorBoard's files where they are wanted."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from generation.errors import InputError
from generation.files import atomic


class Record(Protocol):
    """Takes down measures by step, and sheets of samples."""

    def write(self, step: int, epoch: int, measures: Mapping[str, float]) -> None: ...

    def show(self, step: int, sheet: Path) -> None: ...

    def close(self) -> None: ...


class Log:
    """log.csv, one row a measure; resuming drops the rows of steps that will be done again."""

    COLUMNS = ("step", "epoch", "measure", "value")

    def __init__(self, path: Path, step: int):
        self.path = path
        kept: list[list[str]] = []
        if step and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in list(csv.reader(file))[1:] if int(row[0]) <= step]
        with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([self.COLUMNS, *kept])

    def write(self, step: int, epoch: int, measures: Mapping[str, float]) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            rows = [(step, epoch, name, f"{value:.8g}") for name, value in measures.items()]
            csv.writer(file, lineterminator="\n").writerows(rows)

    def show(self, step: int, sheet: Path) -> None:
        """The sheet lies in samples/ already."""

    def close(self) -> None:
        """Every row is written when it comes."""


class Board:
    """Event files of TensorBoard (the extra `watch`); resuming drops what was told of steps that are done again."""

    def __init__(self, folder: Path, step: int):
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def write(self, step: int, epoch: int, measures: Mapping[str, float]) -> None:
        for name, value in measures.items():
            self.writer.add_scalar(name, value, step)

    def show(self, step: int, sheet: Path) -> None:
        with Image.open(sheet) as image:
            self.writer.add_image("samples", np.asarray(image), step, dataformats="HW")

    def close(self) -> None:
        self.writer.close()


def require_tensorboard() -> None:
    """Raises InputError that names the extra, where TensorBoard is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            "--tensorboard: needs the package tensorboard, which comes with the extra `watch`: python -m pip install"
            ' "discern[watch]"'
        ) from None
