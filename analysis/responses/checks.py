"""Check responses: typed columns, or all problems at once with their rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analysis.responses import comparisons, conditions, quartets, staircases
from analysis.responses.tabular import Table, refuse

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("study", "design", "reader", "reader_group", "sitting", "trial", "position", "block", "is_training", "is_repeat"),
    *("case", "truth", "source", "answer", "certainty", "level", "place", "chosen", "realism", "criterion", "value"),
    *("onset_at", "answered_at", "response_ms", "client_ms", "late", "zoom_max", "windowed", "study_version"),
)
NEEDED = ("reader", "case", "truth", "level")
NUMBERS = ("sitting", "position", "block", "response_ms", "client_ms", "zoom_max")
FLAGS = {"": False, "0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
FLAG_COLUMNS = ("is_training", "is_repeat", "late", "windowed")
RATED = ("rating", "staircase")
LEVELS = {"real full": "1", "real partial": "2", "unsure": "3", "synthetic partial": "4", "synthetic full": "5"}


@dataclass(frozen=True)
class Rows:
    """The rows of a design: required columns, columns that identify a row, and its own checks.

    `said` is the column that holds the answer. `check` gets the typed table, with text columns that it may type, and
    returns each problem with the row's index.
    """

    needed: tuple[str, ...]
    key: tuple[str, ...]
    said: str = "level"
    check: Callable[[pd.DataFrame], tuple[pd.DataFrame, list[tuple[int, str]]]] = lambda table: (table, [])


_RATING = Rows(NEEDED, ("reader", "case"))
_PARTS = ("reader", "trial", "case", "criterion")
ROWS = {
    "rating": _RATING,
    "staircase": replace(_RATING, check=staircases.check),
    "quartet": Rows(("reader", "trial", "case", "truth", "chosen"), _PARTS, "chosen", quartets.check),
    "comparison": Rows(
        ("reader", "trial", "case", "truth", "source", "criterion", "value"), _PARTS, "score", comparisons.check
    ),
}


def checked(table: pd.DataFrame, places: list[str], name: str, told: Table | None = None) -> pd.DataFrame:
    """Return the table with typed columns, or raise all its problems.

    With `told`, from `conditions.checked`, also add the columns `conditions.ADDED`: a case counts once per period.
    """
    import numpy as np
    import pandas as pd

    faults: list[tuple[int, str]] = []

    def fault(bad: pd.Series, message: str) -> None:
        """Add `message` for each row where `bad`; {} is the row's entry in the named column."""
        faults.extend((i, message.format(**table.loc[i])) for i in table.index[bad.to_numpy()])

    table = table.apply(lambda column: column.str.strip())
    if told is not None:
        table, unmatched = conditions.joined(table, told)
        faults += unmatched
    for column in ("truth", "answer", "certainty", "design"):
        table[column] = table[column].str.lower()
    table["level"] = table["level"].str.replace(
        r"^([1-5])[.,]0+$", r"\1", regex=True
    )  # as written by statistics packages
    for column in ("reader", "case"):
        fault(table[column] == "", f"{column} is empty")
    fault(~table["truth"].isin(["real", "synthetic"]), "truth {truth!r}; expected real or synthetic")
    fault(~table["level"].isin(["", *LEVELS.values()]), "level {level!r}; expected 1 to 5, or empty")
    fault(~table["answer"].isin(["", "real", "synthetic", "unsure"]), "answer {answer!r}; expected real or synthetic")
    fault(~table["certainty"].isin(["", "full", "partial"]), "certainty {certainty!r}; expected full or partial")
    numbers = {column: pd.to_numeric(table[column], errors="coerce") for column in NUMBERS}
    for column, values in numbers.items():
        fault(values.isna() & (table[column] != ""), f"{column} {{{column}!r}}; expected a number or nothing")
    for column in FLAG_COLUMNS:
        fault(~table[column].str.lower().isin(FLAGS), f"{column} {{{column}!r}}; expected true or false")
    fault(~table["design"].isin(["", *ROWS]), f"design {{design!r}}; expected one of {', '.join(ROWS)}")
    said = (table["answer"] + " " + table["certainty"]).str.strip()
    expected = said.map(LEVELS)
    clash = expected.notna() & table["level"].isin(LEVELS.values()) & (expected != table["level"])
    fault(clash, "level {level} does not match answer {answer} {certainty}")

    typed = table.assign(**numbers, level=pd.to_numeric(table["level"], errors="coerce"))
    typed = typed.assign(**{c: table[c].str.lower().map(FLAGS).fillna(False).astype(bool) for c in FLAG_COLUMNS})
    # A value that was not recorded is unknown, not "no".
    unknown = {c: np.full(len(table), np.nan) for c in ("late", "windowed") if (table[c] == "").all()}
    typed = typed.assign(**unknown)
    typed["truth"] = (table["truth"] == "synthetic").astype(int)
    design = next((d for d in table["design"] if d), "rating")
    rows, in_turn = ROWS.get(design, _RATING), ["reader"]
    if told is not None:
        rows, in_turn = replace(rows, key=(*rows.key, "period")), ["reader", "period"]
    # Each period has its own sitting, or shares one.
    typed["superseded"] = typed["sitting"] < typed.groupby(in_turn)["sitting"].transform("max")
    faults += _contradictions(typed[table["truth"].isin(["real", "synthetic"])], places, rows.key)
    if not faults:  # checks per reader apply in each period
        parts = [typed] if told is None else [part for _, part in typed.groupby("period", dropna=False)]
        done = [rows.check(part) for part in parts]
        typed = done[0][0] if told is None else pd.concat([part for part, _ in done]).sort_index()
        faults = [found for _, its in done for found in its]
    for column in ("study", "design"):
        several = [entry for entry in table[column].unique() if entry]
        if len(several) > 1:
            faults.append((-1, f"{name}: more than one {column}: {', '.join(several)}"))
    refuse([f"{places[i]}: {message}" if i >= 0 else message for i, message in sorted(set(faults))])
    return typed


def _contradictions(typed: pd.DataFrame, places: list[str], unique: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return rows that contradict an earlier one: a second answer, a different truth, a different group."""
    faults = []
    scored = typed[~typed["is_training"] & ~typed["is_repeat"] & ~typed["superseded"]]
    key = list(unique)
    first = scored.drop_duplicates(key).set_index(key).index
    rows = dict(zip(first, scored.drop_duplicates(key).index, strict=True))
    for i, row in scored[scored.duplicated(key)].iterrows():
        earlier = places[rows[tuple(row[key])]]
        faults.append((i, f"reader {row['reader']!r} answered case {row['case']!r} twice, first in {earlier}"))
    for entity, column in (("case", "truth"), ("reader", "reader_group")):
        firsts = typed.drop_duplicates(entity).set_index(entity)[column]
        for i in typed.index[typed[column] != typed[entity].map(firsts)]:
            what = f"{entity} {typed.at[i, entity]!r} has a different {column.replace('_', ' ')} in an earlier row"
            faults.append((i, what))
    return faults
