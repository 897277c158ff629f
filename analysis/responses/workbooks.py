"""Read Excel workbooks and SPSS files as lines of text, like a CSV."""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from analysis.responses.tabular import ResponsesError

SECONDS = 60
READ_SPSS = """
import sys, pyreadstat
frame, _ = pyreadstat.read_sav(sys.argv[1], apply_value_formats=True, formats_as_category=False)
frame.to_pickle(sys.stdout.buffer)
"""
Lines = tuple[list[list[str]], list[str]]  # and remarks


def excel(path: Path, sheet: str = "") -> Lines:
    """Return a sheet of a workbook, by default the first; formulas give the values that were last computed.

    Raises ResponsesError if the file is not a workbook, or has no such sheet.
    """
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and validations, which are not read
            book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
            with contextlib.closing(book):
                sheets = [one.title for one in book.worksheets]
                if not sheets or (sheet and sheet not in sheets):
                    there = ", ".join(sheets) or "none"
                    raise ResponsesError([f"{path.name}: has no sheet {sheet!r}; there are: {there}"])
                chosen = book[sheet or sheets[0]]
                chosen.reset_dimensions()  # some programs write wrong dimensions
                lines = [[_text(cell) for cell in row] for row in chosen.iter_rows(values_only=True)]
    except ResponsesError:
        raise
    except Exception as error:  # a corrupt workbook may raise anything
        what = "cannot be read as an Excel workbook; save it as .xlsx or CSV UTF-8"
        raise ResponsesError([f"{path.name}: {what} ({error})"]) from None
    wide = max(map(len, lines), default=0)
    lines = [line + [""] * (wide - len(line)) for line in lines]
    other = f"{path.name}: read the first sheet, {sheets[0]!r}, of {len(sheets)}"
    return lines, [other] if len(sheets) > 1 and not sheet else []


def spss(path: Path, sheet: str = "") -> Lines:
    """Return an SPSS file; numbers with labels are read as labels.

    It is read in a separate process, because a corrupt file can crash its reader. Raises ResponsesError naming the
    problem, or the required extra.
    """
    if importlib.util.find_spec("pyreadstat") is None:
        raise ResponsesError([f"{path.name}: SPSS files need the extra `tables`: pip install 'discern[tables]'"])
    import pandas as pd

    refused = f"{path.name}: cannot be read as an SPSS file"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        command = [sys.executable, "-c", READ_SPSS, str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ResponsesError([f"{refused} (it took more than {SECONDS} s)"]) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ResponsesError([f"{refused} ({said[-1] if said else 'it crashes the program that reads it'})"])
    frame = pd.read_pickle(io.BytesIO(done.stdout))
    rows = [[_text(entry) for entry in row] for row in frame.itertuples(index=False, name=None)]
    return [[_text(name) for name in frame.columns], *rows], []  # a corrupt name is NaN


def _text(entry: Any) -> str:
    """Return a cell as text for a CSV: whole numbers without a decimal point, times in ISO format."""
    if entry is None or entry != entry:  # NaN and NaT
        return ""
    if isinstance(entry, bool):
        return str(entry).lower()
    if isinstance(entry, float) and entry.is_integer():
        return str(int(entry))
    if isinstance(entry, datetime.date | datetime.time):
        return entry.isoformat()
    return str(entry)
