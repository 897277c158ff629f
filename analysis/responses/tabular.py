"""CSV files as people hand them in: their rows with the numbers that a spreadsheet shows, or every fault at once."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterable
from pathlib import Path


class ResponsesError(ValueError):
    """The responses cannot be used; `faults` says every reason, each with its file and row."""

    def __init__(self, faults: Iterable[str]):
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


def read(path: str | Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Header and rows of a CSV, each with its row number as a spreadsheet shows it; comma, semicolon or tab."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ResponsesError([f"{path.name}: not UTF-8 text (byte {error.start}); save it as CSV UTF-8"]) from None
    except OSError as error:
        raise ResponsesError([f"{path}: cannot be read: {error.strerror}"]) from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    if not table:
        raise ResponsesError([f"{path.name}: the file is empty"])
    header = [column.strip() for column in table[0]]
    numbered = [(number, row) for number, row in enumerate(table[1:], start=2) if any(row)]
    refuse(
        [f"{path.name}: column {c!r} is there twice" for c in dict.fromkeys(header) if header.count(c) > 1]
        + [
            f"{path.name}, row {number}: {len(row)} fields where the header has {len(header)}"
            for number, row in numbered
            if len(row) != len(header)
        ]
    )
    return header, [(number, dict(zip(header, row, strict=True))) for number, row in numbered]


def finite(text: str) -> float:
    """NaN where `text` is no finite number."""
    try:
        return float(text) if math.isfinite(float(text)) else math.nan
    except ValueError:
        return math.nan


def checksum(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def refuse(faults: list[str]) -> None:
    if faults:
        raise ResponsesError(faults)
