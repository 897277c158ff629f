"""Records of a training while it runs: always log.csv, optionally TensorBoard's files."""

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
    """Records measures by step, and sheets of samples."""

    def write(self, step: int, epoch: int, measures: Mapping[str, float]) -> None: ...

    def show(self, step: int, sheet: Path) -> None: ...

    def close(self) -> None: ...


class Log:
    """log.csv, one row per measure; resuming removes the rows of steps that will be repeated."""

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
        """Do nothing: the sheet is already in samples/."""

    def close(self) -> None:
        """Do nothing: every row is written immediately."""


class Board:
    """Event files of TensorBoard (the extra `watch`); resuming removes records of steps that will be repeated."""

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
    """Raise InputError naming the extra if TensorBoard is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            "--tensorboard: needs the package tensorboard, which comes with the extra `watch`: python -m pip install"
            ' "discern[watch]"'
        ) from None
