"""The readers' answers as one checked table, from a database, our CSV, the PanoDiff export, or a mapped table.

Every loader returns `Responses` or raises `ResponsesError` with all problems at once, each naming its file and row.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.responses.checks import COLUMNS, RATED, ROWS, checked
from analysis.responses.conditions import load as load_conditions
from analysis.responses.mapped import load_mapped
from analysis.responses.panodiff import load_panodiff
from analysis.responses.readings import Responses, as_responses, natural
from analysis.responses.tabular import ResponsesError, Table, checksum, read, refuse

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "RATED",
    "Responses",
    "ResponsesError",
    "load_csv",
    "load_frame",
    "load_mapped",
    "load_panodiff",
    "load_ratings",
    "natural",
]


def load_csv(path: str | Path, conditions: str | Path | None = None) -> Responses:
    """Load our table (CSV, .xlsx or .sav) with the columns of COLUMNS; `reader, case, truth, level` are required.

    `conditions`: a table with the columns of `conditions.COLUMNS`, if readers read under several conditions.

    Raises:
        ResponsesError: lists every problem in the files.
    """
    given, told = read(path), None if conditions is None else load_conditions(conditions)
    files = {Path(one).name: checksum(one) for one in (path, conditions) if one is not None}
    return _ours(given, {"kind": "csv", "files": files}, Path(path).stem, told)


def load_frame(frame: pd.DataFrame, title: str = "") -> Responses:
    """Load a pandas DataFrame with the columns of `load_csv`; truth may also be 0 and 1, missing values are empty.

    Raises:
        ResponsesError: lists every problem in the frame, with rows counted from 1.
    """
    rows = [
        (number, {str(column): as_cell(entry) for column, entry in row.items()})
        for number, row in enumerate(frame.to_dict("records"), start=1)
    ]
    for _, row in rows if "truth" in frame.columns else []:
        row["truth"] = {"0": "real", "1": "synthetic"}.get(row["truth"], row["truth"])
    return _ours(Table("the DataFrame", [str(c) for c in frame.columns], rows), {"kind": "frame", "files": {}}, title)


def as_cell(entry: Any) -> str:
    """Return an entry of a DataFrame as text for a CSV."""
    if entry is None or entry != entry:  # NaN, NaT
        return ""
    if isinstance(entry, bool | np.bool_):
        return str(int(entry))
    if isinstance(entry, float | np.floating) and entry.is_integer():
        return str(int(entry))
    return entry.isoformat() if hasattr(entry, "isoformat") else str(entry)


def _ours(given: Table, origin: dict[str, Any], title: str, told: Table | None = None) -> Responses:
    import pandas as pd

    given = given.named((*COLUMNS, "RealFakeValueSlider"))
    name, header, rows = given.name, given.header, given.rows
    if "RealFakeValueSlider" in header:
        raise ResponsesError(
            [f"{name}: this is an export of the PanoDiff quiz, which needs its image labels too (--labels)"]
        )
    design = next((row["design"].strip().lower() for _, row in rows if row.get("design")), "rating")
    needed = ROWS[design].needed if design in ROWS else ("reader", "case", "truth")
    refuse([f"{name}: column {column!r} is missing" for column in needed if column not in header])
    refuse([f"{name}: it contains no responses"] if not rows else [])
    table = pd.DataFrame([row for _, row in rows]).reindex(columns=COLUMNS, fill_value="")
    places = [f"{name}, row {number}" for number, _ in rows]
    table = checked(table.fillna(""), places, name, told)
    remarks = [*given.remarks, *(told.remarks if told else [])]
    return as_responses(table, origin | {"remarks": remarks}, title)


def load_ratings(path: str | Path, title: str = "") -> Responses:
    """Load a plain table `case,truth,READER,...` of levels 1 to 5 in reading order; groups as in `load_panodiff`.

    Raises:
        ResponsesError: lists every problem in the file.
    """
    import pandas as pd

    name = Path(path).name
    given = read(path).named(("case", "truth"))
    header, rows = given.header, given.rows
    refuse([f"{name}: column {c!r} is missing" for c in ("case", "truth") if c not in header])
    readers = [column for column in header if column not in ("case", "truth")]
    records = [
        {"reader": reader, "reader_group": re.sub(r"\d.*", "", reader), "position": str(position)}
        | {"case": row["case"], "truth": row["truth"], "level": row[reader]}
        for reader in readers
        for position, (_, row) in enumerate(rows, start=1)
    ]
    places = [f"{name}, row {number}, column {reader}" for reader in readers for number, _ in rows]
    refuse([f"{name}: it contains no ratings"] if not records else [])
    table = checked(pd.DataFrame(records).reindex(columns=COLUMNS, fill_value=""), places, name)
    origin = {"kind": "ratings", "files": {name: checksum(path)}, "remarks": given.remarks}
    return as_responses(table, origin, title or Path(path).stem)
