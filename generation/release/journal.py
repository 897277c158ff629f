"""Progress of a release: one row per image, and the images until their shard is complete."""

from __future__ import annotations

import csv
import io
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.errors import InputError
from generation.files import atomic, sha256

COLUMNS = ("number", "seed", "reason", "distance", "correlation", "sha256", "width", "height")
IMAGES = ("image", "shard", "seed", "distance", "sha256", "width", "height")
LONGEST = 4096  # bytes, longer than any row
EXCLUDED = ("number", "seed", "reason", "distance", "correlation")


@dataclass(frozen=True)
class Row:
    """One image that was made: its number and seed, and the result of the screening. All as text."""

    number: str
    seed: str
    reason: str
    distance: str
    correlation: str
    sha256: str
    width: str
    height: str

    @property
    def image(self) -> str:
        return f"{int(self.number):06d}.png"


class Journal:
    """Adds images one by one, and packs them into shards of `size`; an interrupted release can be resumed."""

    def __init__(self, folder: Path, size: int):
        self.folder, self.size = folder, size
        self.work = folder / ".work"
        self.path = self.work / "journal.csv"
        self.made = self.kept = 0
        self.work.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            self._cut_short()
        else:
            with atomic(self.path) as part:
                part.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
        for row in self.rows():
            self.made += 1
            self.kept += not row.reason
        for shard in range(self.kept // size):
            self.pack(shard)

    def rows(self) -> Iterator[Row]:
        """Yield every image made so far. Raises InputError naming a row that cannot be read."""
        with self.path.open(newline="", encoding="utf-8") as file:
            for number, cells in enumerate(csv.reader(file)):
                if number == 0:
                    continue
                if len(cells) != len(COLUMNS) or cells[0] != str(number - 1):
                    raise InputError(f"{self.path}, row {number + 1}: is damaged; remove {self.folder} and start again")
                yield Row(*cells)

    def add(self, row: Row, png: bytes) -> None:
        """Store an image, and pack its shard if it is full. Raises InputError if the disk is full."""
        if not row.reason:
            with atomic(self._place(self.kept // self.size) / row.image) as part:
                part.write_bytes(png)
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([getattr(row, column) for column in COLUMNS])
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line.getvalue())
        self.made += 1
        self.kept += not row.reason
        if not row.reason and self.kept % self.size == 0:
            self.pack(self.kept // self.size - 1)

    def pack(self, shard: int) -> None:
        """Pack the images of a shard into one tar file, byte-identical for the same images."""
        target = self.folder / "shards" / f"{shard:05d}.tar"
        if not target.is_file():
            with atomic(target) as part, tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
                for row in self._of(shard):
                    png = self._png(shard, row)
                    member = tarfile.TarInfo(row.image)
                    member.size = len(png)
                    tar.addfile(member, io.BytesIO(png))
        shutil.rmtree(self._place(shard), ignore_errors=True)

    def finish(self) -> list[Path]:
        """Pack the remaining images, write images.csv and excluded.csv, and return the shards."""
        shards = -(-self.kept // self.size)
        self.pack(shards - 1)
        with (
            _table(self.folder / "images.csv", IMAGES) as images,
            _table(self.folder / "excluded.csv", EXCLUDED) as out,
        ):
            kept = 0
            for row in self.rows():
                cells = vars(row) | {"image": row.image, "shard": f"{kept // self.size:05d}.tar"}
                table, columns = (out, EXCLUDED) if row.reason else (images, IMAGES)
                table.writerow([cells[column] for column in columns])
                kept += not row.reason
        return [self.folder / "shards" / f"{shard:05d}.tar" for shard in range(shards)]

    def _of(self, shard: int) -> Iterator[Row]:
        kept = 0
        for row in self.rows():
            if not row.reason:
                if kept // self.size == shard:
                    yield row
                kept += 1

    def _png(self, shard: int, row: Row) -> bytes:
        path = self._place(shard) / row.image
        if not path.is_file() or sha256(path) != row.sha256:
            raise InputError(f"{path}: is missing or changed since it was made; remove {self.folder} and start again")
        return path.read_bytes()

    def _place(self, shard: int) -> Path:
        return self.work / f"{shard:05d}"

    def _cut_short(self) -> None:
        """Remove an incomplete last row."""
        with self.path.open("r+b") as file:
            file.seek(max(0, self.path.stat().st_size - LONGEST))
            start, tail = file.tell(), file.read()
            file.truncate(start + tail.rfind(b"\n") + 1)


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        yield table
