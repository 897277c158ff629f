"""The parts of a report table: cells that point into results.json, and the formatting of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Pointer = tuple[str | int, ...]
RULES = {
    "fractional": "fractional credit",
    "excluded": "unsure left out",
    "wrong": "unsure counted wrong",
    "half": "unsure counted one half",
}
LONGEST = 1e9  # larger numbers are written as powers
NOTHING = "–"
PERCENT, SECONDS, MILLISECONDS = "\u202f%", "\u202fs", "\u202fms"


@dataclass(frozen=True)
class Cell:
    """One entry of the results and its format.

    Styles: count, share, number, p, df, seconds (of ms), ms, text; share_ci and number_ci of estimates.
    """

    style: str
    pointer: Pointer


Row = list[str | Cell]


@dataclass(frozen=True)
class Table:
    """A table with a caption that stands alone; the first column names the row, cells are text or point to results."""

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: list[Row]


def find(results: Any, pointer: Pointer) -> Any:
    """Return the entry of `results` at `pointer`, or None."""
    for step in pointer:
        try:
            results = results[step]
        except (KeyError, IndexError, TypeError):
            return None
    return results


def show(entry: Any, style: str) -> str:
    """Format an entry of the results; a dash if it is undefined."""
    if style.endswith("_ci"):
        return _with_interval(entry, style.removesuffix("_ci"))
    if isinstance(entry, dict):
        entry = entry.get("value")
    if entry is None or entry == "":
        return NOTHING
    if style == "count":
        return f"{entry:,}"
    if style == "share":
        return _rounded(entry * 100, 1) + PERCENT
    if style == "p":
        return "< 0.001" if entry < 0.001 else _rounded(entry, 3)
    if style == "number":
        return _rounded(entry, 3)
    if style == "df":
        return _rounded(entry, 1)
    if style == "seconds":
        return _rounded(entry / 1000, 1) + SECONDS
    if style == "ms":
        return _rounded(entry, 0) + MILLISECONDS
    return str(entry)


def _rounded(number: float, places: int) -> str:
    """Round halves up (0.6275 is 62.8 %, not 62.7); write very large numbers as powers."""
    if abs(number) >= LONGEST:  # an odds ratio under separation, with more digits than a Decimal keeps
        return f"{number:.1e}".replace("-", "−")
    exact = Decimal(repr(round(number, 12))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return str(exact).replace("-", "−") if exact else str(abs(exact))


def _with_interval(estimate: Any, style: str) -> str:
    if not estimate or estimate.get("value") is None:
        return NOTHING
    shown = show(estimate["value"], style)
    if estimate.get("ci") is None:
        return shown
    low, high = (_bare(show(limit, style)) for limit in estimate["ci"])
    return f"{shown} ({low} to {high})"


def _bare(shown: str) -> str:
    """Return a number without its unit."""
    return shown.removesuffix(PERCENT).removesuffix(SECONDS).removesuffix(MILLISECONDS)


def plain(results: dict[str, Any], table: Table) -> tuple[list[str], list[list[Any]]]:
    """Return header and rows as numbers at full precision; an estimate with its interval takes three columns."""
    wide = [
        any(isinstance(cell, Cell) and cell.style.endswith("_ci") for cell in column)
        for column in zip(*table.rows, strict=True)
    ] or [False] * len(table.columns)
    header: list[str] = []
    for name, three in zip(table.columns, wide, strict=True):
        header += [name, f"{name}, 95 % low", f"{name}, 95 % high"] if three else [name]
    rows = []
    for row in table.rows:
        line: list[Any] = []
        for cell, three in zip(row, wide, strict=True):
            entry = find(results, cell.pointer) if isinstance(cell, Cell) else cell
            estimate = entry if isinstance(entry, dict) else {"value": entry}
            line += [estimate.get("value"), *(estimate.get("ci") or (None, None))] if three else [estimate.get("value")]
        rows.append(line)
    return header, rows


def cells(pointer: Pointer, wanted: Sequence[tuple[str, ...]]) -> Row:
    """Return one cell for each (style, step, ...) below `pointer`."""
    return [Cell(style, (*pointer, *steps)) for style, *steps in wanted]


def whole(value: float) -> float | int | None:
    """Return a number for a sheet: NaN is empty, a whole number is an integer."""
    if value != value:
        return None
    return int(value) if value == int(value) else value
