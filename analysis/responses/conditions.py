"""The condition and period of each trial, and the hint that the reader saw.

They come as a table with the columns of COLUMNS, one row per trial: the database view `conditions`, or conditions.csv
of an export.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analysis.responses.readings import Responses, natural
from analysis.responses.tabular import Table, read, refuse

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("study", "reader", "sitting", "trial", "case", "condition", "period", "sequence", "hint")
NEEDED = ("reader", "case", "condition", "period")
TRIAL = ("reader", "sitting", "trial", "case")
ADDED = ("condition", "period", "sequence", "hint")
MOST = 4  # conditions of a study, and so also periods


class Cell(NamedTuple):
    """The condition, and the hint as shown to the reader, empty if there was none."""

    condition: str
    hint: str


def load(path: str | Path) -> Table | None:
    """Load conditions from a file (CSV, .xlsx or .sav), as `checked`. Raises ResponsesError with all its problems."""
    return checked(read(path))


def checked(given: Table) -> Table | None:
    """Return the same table with all columns of COLUMNS, stripped. Raises ResponsesError with every problem, by row.

    None if no row names a condition: a study with hints but without conditions.
    """
    given = given.named(COLUMNS)
    name = given.name
    refuse([f"{name}: column {column!r} is missing" for column in NEEDED if column not in given.header])
    rows = [(at, {column: row.get(column, "").strip() for column in COLUMNS}) for at, row in given.rows]
    if rows and not any(row["condition"] for _, row in rows):
        return None
    faults, seen = [], dict[tuple[str, ...], int]()
    for at, row in rows:
        faults += [f"{name}, row {at}: {column} is empty" for column in NEEDED if not row[column]]
        if row["period"] and row["period"] not in map(str, range(1, MOST + 1)):
            faults.append(f"{name}, row {at}: period {row['period']!r}; expected a whole number from 1 to {MOST}")
        first = seen.setdefault(tuple(row[column] for column in TRIAL), at)
        if first != at:
            faults.append(f"{name}, row {at}: the same trial as in row {first}")
    named = sorted({row["condition"] for _, row in rows if row["condition"]}, key=natural)
    if len(named) > MOST:
        faults.append(f"{name}: {len(named)} conditions ({', '.join(named)}); expected at most {MOST}")
    refuse(faults)
    return Table(name, list(COLUMNS), rows, given.remarks)


def joined(table: pd.DataFrame, conditions: Table) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """Return the responses, as text, with the columns ADDED; and problems with the index of their row.

    A row without sitting and trial in `conditions` applies to every answer of the reader to the case; `period` is a
    number, NaN for practice, which has no condition.
    """
    exact = {tuple(row[column] for column in TRIAL): row for _, row in conditions.rows}
    practice = table["is_training"].str.lower().isin(["1", "true", "yes"])
    found = [
        exact.get((reader, sitting, trial, case)) or exact.get((reader, "", "", case))
        for reader, sitting, trial, case in table[list(TRIAL)].itertuples(index=False)
    ]
    lacking = f"{conditions.name} does not give the condition under which it was read"
    faults = [(i, lacking) for i, row in enumerate(found) if row is None and not practice[i]]
    columns = {column: [row[column] if row else "" for row in found] for column in ADDED}
    periods = [float(period or "nan") for period in columns["period"]]
    return table.assign(**columns | {"period": periods}), faults


def names(responses: Responses) -> list[str]:
    """Return the conditions of the readers, in the order of the study's settings if known, otherwise by name.

    Empty for a study without conditions. Every difference is a later condition minus an earlier one, so the first is
    the reference for the others.
    """
    if "condition" not in responses.table:
        return []
    met = sorted(set(responses.scored["condition"]), key=natural)
    told = (responses.study.get("settings") or {}).get("conditions") or []
    order = [str(line).partition(":")[0].strip() for line in told]
    return [name for name in order if name in met] + [name for name in met if name not in order]


def cells(responses: Responses) -> dict[tuple[str, str, int], Cell]:
    """Return condition and hint of every reading: (reader, case, period) -> condition and hint."""
    rows = responses.scored[["reader", "case", "period", "condition", "hint"]].itertuples(index=False)
    return {(row.reader, row.case, int(row.period)): Cell(row.condition, row.hint) for row in rows}


def sequences(responses: Responses) -> dict[str, str]:
    """Return the order of conditions assigned to each reader, as "A>B"; if not recorded, the observed order."""
    rows = responses.scored.sort_values("period", kind="stable")
    met = rows.groupby("reader")["condition"].agg(lambda column: ">".join(dict.fromkeys(column)))
    told = rows.groupby("reader")["sequence"].first()
    return {str(reader): told[reader] or met[reader] for reader in met.index}


def within(responses: Responses, condition: str) -> Responses:
    """Return only the answers under one condition, and the marks made under it."""
    marks = responses.marks
    if marks is not None:
        own = {part: getattr(marks, part) for part in ("table", "steps")}
        own = {part: frame[frame["condition"] == condition].reset_index(drop=True) for part, frame in own.items()}
        marks = replace(marks, **own)
    return replace(responses, table=responses.table[responses.table["condition"] == condition], marks=marks)


def read_again(responses: Responses) -> bool:
    """Return whether any reader read a case under more than one condition."""
    met = responses.scored[["reader", "case", "condition"]].drop_duplicates()
    return bool(met.duplicated(["reader", "case"]).any())
