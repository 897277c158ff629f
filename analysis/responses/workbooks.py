"""Excel workbooks and SPSS files as lines of text, as a CSV of them would read."""

from __future__ import annotations

import datetime
import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

from analysis.responses.tabular import ResponsesError

Lines = tuple[list[list[str]], list[str]]  # and remarks


def excel(path: Path, sheet: str = "") -> Lines:
    """A sheet of a workbook, the first by default; of formulas the values that were last computed.

    Raises ResponsesError for what is no workbook, or has no such sheet.
    """
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations, which are not read
            book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile, openpyxl.utils.exceptions.InvalidFileException) as error:
        what = "cannot be read as an Excel workbook; save it as .xlsx or CSV UTF-8"
        raise ResponsesError([f"{path.name}: {what} ({error})"]) from None
    try:
        sheets = [one.title for one in book.worksheets]
        if not sheets or (sheet and sheet not in sheets):
            raise ResponsesError([f"{path.name}: has no sheet {sheet!r}; there are: {', '.join(sheets) or 'none'}"])
        chosen = book[sheet or sheets[0]]
        chosen.reset_dimensions()  # some programs write wrong ones
        lines = [[_text(cell) for cell in row] for row in chosen.iter_rows(values_only=True)]
    finally:
        book.close()
    wide = max(map(len, lines), default=0)
    lines = [line + [""] * (wide - len(line)) for line in lines]
    other = f"{path.name}: read the first sheet, {sheets[0]!r}, of {len(sheets)}"
    return lines, [other] if len(sheets) > 1 and not sheet else []


def spss(path: Path, sheet: str = "") -> Lines:
    """An SPSS file; a number that has a label is read as its label. Raises ResponsesError naming the extra it needs."""
    try:
        import pyreadstat
    except ImportError:
        raise ResponsesError(
            [f"{path.name}: SPSS files need the extra `tables`: pip install 'discern[tables]'"]
        ) from None
    try:
        frame, _ = pyreadstat.read_sav(path, apply_value_formats=True, formats_as_category=False)
    except Exception as error:  # its own kinds, ValueError and others, by version
        raise ResponsesError([f"{path.name}: cannot be read as an SPSS file ({error})"]) from None
    rows = [[_text(entry) for entry in row] for row in frame.itertuples(index=False, name=None)]
    return [list(frame.columns), *rows], []


def _text(entry: Any) -> str:
    """A cell as a CSV would have it: whole numbers without a point, times as ISO text."""
    if entry is None or entry != entry:  # NaN and NaT
        return ""
    if isinstance(entry, bool):
        return str(entry).lower()
    if isinstance(entry, float) and entry.is_integer():
        return str(int(entry))
    if isinstance(entry, datetime.date | datetime.time):
        return entry.isoformat()
    return str(entry)
