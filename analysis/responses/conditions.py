"""Under which condition each trial was read, in which period, and what hint the reader saw.

A table with the columns of COLUMNS, one row a trial: the database's view `conditions`, or conditions.csv of an export.
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
MOST = 4  # conditions of a study, and so its periods


class Cell(NamedTuple):
    """What a reader met: the condition, and the hint as it was shown, empty where none was."""

    condition: str
    hint: str


def load(path: str | Path) -> Table | None:
    """The conditions in a file (CSV, .xlsx or .sav), as `checked`. Raises ResponsesError with every fault of it."""
    return checked(read(path))


def checked(given: Table) -> Table | None:
    """The same table with all columns of COLUMNS, stripped. Raises ResponsesError with every fault, by row.

    None where no row names a condition: a study that showed hints, and had none.
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
            faults.append(f"{name}, row {at}: the trial of row {first} again")
    named = sorted({row["condition"] for _, row in rows if row["condition"]}, key=natural)
    if len(named) > MOST:
        faults.append(f"{name}: {len(named)} conditions ({', '.join(named)}); expected at most {MOST}")
    refuse(faults)
    return Table(name, list(COLUMNS), rows, given.remarks)


def joined(table: pd.DataFrame, conditions: Table) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """The responses, as text, with the columns ADDED; and faults with the index of their row.

    A row without sitting and trial in `conditions` holds for every answer of the reader to the case; `period` is a
    number, NaN in practice, which belongs to no condition.
    """
    exact = {tuple(row[column] for column in TRIAL): row for _, row in conditions.rows}
    practice = table["is_training"].str.lower().isin(["1", "true", "yes"])
    found = [
        exact.get((reader, sitting, trial, case)) or exact.get((reader, "", "", case))
        for reader, sitting, trial, case in table[list(TRIAL)].itertuples(index=False)
    ]
    lacking = f"{conditions.name} does not say under which condition it was read"
    faults = [(i, lacking) for i, row in enumerate(found) if row is None and not practice[i]]
    columns = {column: [row[column] if row else "" for row in found] for column in ADDED}
    periods = [float(period or "nan") for period in columns["period"]]
    return table.assign(**columns | {"period": periods}), faults


def names(responses: Responses) -> list[str]:
    """The conditions that readers met: in the order of the study's settings where these are known, else by name.

    Empty for a study without conditions. Every difference is of a later condition less an earlier one, so that the
    first is what the others are held against.
    """
    if "condition" not in responses.table:
        return []
    met = sorted(set(responses.scored["condition"]), key=natural)
    told = (responses.study.get("settings") or {}).get("conditions") or []
    order = [str(line).partition(":")[0].strip() for line in told]
    return [name for name in order if name in met] + [name for name in met if name not in order]


def cells(responses: Responses) -> dict[tuple[str, str, int], Cell]:
    """What every reader met on a case in a period: (reader, case, period) -> condition and hint."""
    rows = responses.scored[["reader", "case", "period", "condition", "hint"]].itertuples(index=False)
    return {(row.reader, row.case, int(row.period)): Cell(row.condition, row.hint) for row in rows}


def sequences(responses: Responses) -> dict[str, str]:
    """The order of conditions that every reader was allotted, as "A>B"; what was met in turn where it is not told."""
    rows = responses.scored.sort_values("period", kind="stable")
    met = rows.groupby("reader")["condition"].agg(lambda column: ">".join(dict.fromkeys(column)))
    told = rows.groupby("reader")["sequence"].first()
    return {str(reader): told[reader] or met[reader] for reader in met.index}


def within(responses: Responses, condition: str) -> Responses:
    """The answers of one condition alone, and the marks made under it."""
    marks = responses.marks
    if marks is not None:
        own = {part: getattr(marks, part) for part in ("table", "steps")}
        own = {part: frame[frame["condition"] == condition].reset_index(drop=True) for part, frame in own.items()}
        marks = replace(marks, **own)
    return replace(responses, table=responses.table[responses.table["condition"] == condition], marks=marks)


def read_again(responses: Responses) -> bool:
    """Whether a reader read a case under more than one condition."""
    met = responses.scored[["reader", "case", "condition"]].drop_duplicates()
    return bool(met.duplicated(["reader", "case"]).any())
