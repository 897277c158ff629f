"""Responses as files from which the same responses can be restored; the archive of a report contains them.

responses.csv      the columns of COLUMNS, one row per trial and case
responses.json     facts about the study, where the rows came from, every case, a detector's scores
conditions.csv     the condition of each trial, if there are several
marks.csv, steps.csv, faults.csv    the readers' marks, if they were asked
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.responses import COLUMNS, as_cell, conditions, load_csv
from analysis.responses.formulas import defused, restored
from analysis.responses.marks import Marks
from analysis.responses.readings import Responses
from analysis.responses.tabular import ResponsesError

if TYPE_CHECKING:
    import pandas as pd

ROWS, ABOUT, CONDITIONS = "responses.csv", "responses.json", "conditions.csv"
FRAMES = {"table": "marks.csv", "steps": "steps.csv", "faults": "faults.csv"}
WRITTEN: dict[str, Callable[[Any], str]] = {"f": lambda entry: "" if entry != entry else repr(float(entry))}


def pack(responses: Responses) -> dict[str, bytes]:
    """Return the files of `responses` by name."""
    told: dict[str, Any] = {"study": responses.study, "origin": responses.origin, "detector": responses.detector}
    told["cases"] = {case: int(truth) for case, truth in responses.cases.items()}
    table = responses.table.assign(truth=responses.table["truth"].map({0: "real", 1: "synthetic"}))
    rows = [[as_cell(entry) for entry in row] for row in table[list(COLUMNS)].itertuples(index=False)]
    files = {ROWS: _csv(COLUMNS, rows)}
    if "condition" in table:
        met = table[table["condition"] != ""][list(conditions.COLUMNS)].itertuples(index=False)
        files[CONDITIONS] = _csv(conditions.COLUMNS, [[as_cell(entry) for entry in row] for row in met])
    if (marks := responses.marks) is not None:
        told["marks"] = {"aspect": marks.aspect, "known_size": marks.known_size, "kinds": {}}
        for part, name in FRAMES.items():
            if (frame := getattr(marks, part)) is not None:
                kinds = {str(column): frame[column].dtype.kind for column in frame.columns}
                told["marks"]["kinds"][part] = kinds
                entries = [
                    [WRITTEN.get(kind, str)(entry) for kind, entry in zip(kinds.values(), row, strict=True)]
                    for row in frame.itertuples(index=False)
                ]
                files[name] = _csv(list(kinds), entries)
    files[ABOUT] = (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()
    return files


def unpack(files: dict[str, bytes]) -> Responses:
    """Restore responses from the files of `pack`; rows are checked like any others.

    Raises:
        ResponsesError: a file is missing, or was not written by `pack`.
    """
    if missing := [f"{name}: is missing" for name in (ROWS, ABOUT) if name not in files]:
        raise ResponsesError(missing)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in (ROWS, CONDITIONS) if name in files}
        for name, path in paths.items():
            path.write_bytes(files[name])
        found = load_csv(paths[ROWS], paths.get(CONDITIONS))
    try:
        told = json.loads(files[ABOUT])
        marks = told.get("marks")
        if marks is not None:
            frames = {part: _frame(files[FRAMES[part]], kinds) for part, kinds in marks["kinds"].items()}
            marks = Marks(**frames, aspect=marks["aspect"], known_size=marks["known_size"])
        return replace(found, marks=marks, **{name: told[name] for name in ("study", "origin", "cases", "detector")})
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ResponsesError([f"{ABOUT}: was not written by a report ({type(error).__name__}: {error})"]) from None


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([defused(entry) for entry in row] for row in (header, *rows))
    return out.getvalue().encode()


def _frame(text: bytes, kinds: dict[str, str]) -> pd.DataFrame:
    """Return the table of a CSV with columns of these kinds (numpy's letters)."""
    import pandas as pd

    lines = list(csv.reader(io.StringIO(text.decode(), newline="")))
    if lines[0] != list(kinds):
        raise ValueError(f"columns {', '.join(lines[0])}; expected {', '.join(kinds)}")
    read: dict[str, Callable[[str], Any]] = {
        "f": lambda entry: float(entry or "nan"),
        "i": int,
        "b": lambda entry: entry == "True",
    }
    columns = {
        column: [read.get(kind, restored)(line[at]) for line in lines[1:]]
        for at, (column, kind) in enumerate(kinds.items())
    }
    types = {"f": "float64", "i": "int64", "b": "bool"}
    return pd.DataFrame({c: pd.Series(values, dtype=types.get(kinds[c], "object")) for c, values in columns.items()})
