"""Read tables (CSV, Excel, SPSS): rows with the numbers that a spreadsheet shows.

All problems are raised at once. Guesses, such as an encoding, are reported once as remarks.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.responses import encodings
from analysis.responses.formulas import restored

DELIMITERS = ",;\t|"
WORKBOOK, OLD_WORKBOOK, SPSS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", (b"$FL2", b"$FL3")


class ResponsesError(ValueError):
    """The responses cannot be used; `faults` lists every reason with its file and row."""

    def __init__(self, faults: Iterable[str]):
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True)
class Table:
    """A table of text: `rows`, each with the row number that a spreadsheet shows, and `remarks` about guesses."""

    name: str
    header: list[str]
    rows: list[tuple[int, dict[str, str]]]
    remarks: list[str] = field(default_factory=list)

    def named(self, columns: Sequence[str]) -> Table:
        """Return the same table, matching `columns` that differ only in capitals, spaces and punctuation."""
        same = {_plain(column): column for column in columns}
        missed = [name for name in self.header if name not in columns and same.get(_plain(name), "") not in self.header]
        renamed = {name: same[_plain(name)] for name in missed if _plain(name) in same}
        meant = list(renamed.values())
        refuse([f"{self.name}: several columns could be {c!r}" for c in dict.fromkeys(meant) if meant.count(c) > 1])
        if not renamed:
            return self
        first = next(iter(renamed.items()))
        remark = f"{self.name}: {len(renamed)} column name(s) matched regardless of capitals and spaces, e.g. "
        header = [renamed.get(name, name) for name in self.header]
        rows = [(number, dict(zip(header, row.values(), strict=True))) for number, row in self.rows]
        return Table(self.name, header, rows, [*self.remarks, f"{remark}{first[0]!r} as {first[1]!r}"])


def read(path: str | Path, *, sheet: str = "", encoding: str = "", skip: int = 0) -> Table:
    """Read a table: CSV (comma, semicolon, tab or bar), an Excel workbook (.xlsx) or an SPSS file (.sav).

    The type is detected from the first bytes. Blank columns without a name are dropped; a line `sep=;` is respected.
    sheet: sheet of a workbook, by default the first. encoding: encoding of a CSV without a mark. skip: rows to skip
    below the header. Raises ResponsesError with every problem in the file.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ResponsesError([f"{path}: cannot be read: {error.strerror}"]) from None
    if data.startswith(OLD_WORKBOOK):
        raise ResponsesError([f"{path.name}: an old or a locked Excel file; save it as .xlsx or CSV UTF-8"])
    if data.startswith((WORKBOOK, *SPSS)):
        from analysis.responses import workbooks

        reader = workbooks.excel if data.startswith(WORKBOOK) else workbooks.spss
        lines, remarks = reader(path, sheet)
    else:
        lines, remarks = _csv(path, data, encoding)
    return _table(path.name, lines, remarks, skip)


def _csv(path: Path, data: bytes, encoding: str) -> tuple[list[list[str]], list[str]]:
    try:
        text, guessed = encodings.decoded(data, encoding)
    except ValueError as error:
        raise ResponsesError([f"{path.name}: {error}"]) from None
    text = text.lstrip("\ufeff")
    said = re.match(r"sep=([^\r\n]?)\r?\n", text, re.IGNORECASE)  # written by Excel
    body = text[said.end() :] if said else text
    delimiter = (said[1] if said else "") or _delimiter(body)
    try:
        read = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
        lines = [[restored(entry) for entry in line] for line in read]
    except csv.Error as error:
        raise ResponsesError([f"{path.name}: cannot be read as CSV ({error})"]) from None
    if delimiter != ",":
        lines = [[re.sub(r"^\s*(-?\d+),(\d+)\s*$", r"\1.\2", entry) for entry in line] for line in lines]
    remarks = [f"{path.name}: read as {guessed}; save it as CSV UTF-8 if names look wrong"] if guessed else []
    return [[]] * bool(said) + lines, remarks


def _delimiter(text: str) -> str:
    """Return the delimiter that gives the most fields in the first lines, keeping quoted fields whole."""
    head = [line for line in text[:10_000].splitlines() if line.strip()][:1]
    return max(DELIMITERS, key=lambda one: len(next(csv.reader(head, delimiter=one), [])))


def _table(name: str, lines: list[list[str]], remarks: list[str], skip: int) -> Table:
    top = next((number for number, line in enumerate(lines) if any(entry.strip() for entry in line)), None)
    if top is None:
        raise ResponsesError([f"{name}: the file is empty"])
    header = [column.strip() for column in lines[top]]
    below = enumerate(lines[top + 1 + skip :], start=top + 2 + skip)
    numbered = [(number, row) for number, row in below if any(entry.strip() for entry in row)]
    wide = max([len(header), *(len(row) for _, row in numbered)])
    blank = {at for at in range(wide) if not any(row[at].strip() for _, row in numbered if at < len(row))}
    kept = [at for at in range(len(header)) if header[at] or at not in blank]
    names = [header[at] or f"column {at + 1}" for at in kept]
    faults = [f"{name}: column {c!r} occurs twice" for c in dict.fromkeys(names) if names.count(c) > 1]
    for number, row in numbered:
        if len(row) < (kept[-1] + 1 if kept else 0) or any(entry.strip() for entry in row[len(header) :]):
            faults.append(f"{name}, row {number}: {len(row)} fields, but the header has {len(header)}")
    refuse(faults)
    rows = [(number, dict(zip(names, [row[at] for at in kept], strict=True))) for number, row in numbered]
    return Table(name, names, rows, remarks)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def finite(text: str) -> float:
    """Return `text` as a number; NaN if it is not a finite number."""
    try:
        return float(text) if math.isfinite(float(text)) else math.nan
    except ValueError:
        return math.nan


def checksum(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def refuse(faults: list[str]) -> None:
    if faults:
        raise ResponsesError(faults)
