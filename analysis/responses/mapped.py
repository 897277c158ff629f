"""Any other table of answers, with a mapping file (TOML) that describes its columns.

    [columns]                    one row per answer: the reader, the case, the answer, and optional columns
    reader = "Befunder"
    case = "Bild"
    answer = "Urteil"
    truth = "Wahrheit"           not needed with a separate table of labels
    reader_group = "Fach"

    [answers]                    meaning of an entry: a level 1 (surely real) to 5 (surely synthetic), 0 = no answer
    "sicher echt" = 1

    [truths]                     meaning of an entry of the truth
    "KI" = "synthetic"

For a table with one row per reader and one column per case, as written by forms and survey tools, replace `case` and
`answer` in [columns] by:

    [wide]
    cases = "Image (\\d+).*"      a regular expression for the full header of a case's column; its group is the case

A `[table]` may have `sheet`, `encoding` (of a CSV) and `skip` (number of rows without answers below the header).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.responses.checks import COLUMNS, checked
from analysis.responses.names import Names
from analysis.responses.panodiff import PANODIFF_LEVELS, PANODIFF_TRUTHS, read_labels
from analysis.responses.readings import Responses, as_responses
from analysis.responses.tabular import ResponsesError, Table, checksum, read, refuse

TABLE = {"sheet": str, "encoding": str, "skip": int}
PARTS = ("table", "columns", "wide", "answers", "truths")


@dataclass(frozen=True)
class Mapping:
    """The content of a mapping file; entries of `answers` and `truths` are looked up regardless of case."""

    table: dict[str, Any]
    columns: dict[str, str]
    cases: re.Pattern[str] | None
    answers: dict[str, int]
    truths: dict[str, str]


def read_mapping(path: str | Path) -> Mapping:
    """Read a mapping file. Raises ResponsesError with all its problems."""
    path = Path(path)
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ResponsesError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ResponsesError([f"{path.name}: is not valid TOML ({error})"]) from None
    faults = [f"[{part}] is unknown; expected {', '.join(PARTS)}" for part in said if part not in PARTS]
    faults += [f"[{part}] is not a table" for part in PARTS if not isinstance(said.get(part, {}), dict)]
    refuse([f"{path.name}: {fault}" for fault in faults])
    table, columns, wide, answers, truths = (said.get(part, {}) for part in PARTS)
    allowed = {"answer", *COLUMNS}
    for part, keys in (("table", TABLE), ("columns", allowed), ("wide", ("cases",))):
        faults += [
            f"[{part}] {key!r} is unknown; expected {', '.join(sorted(keys))}"
            for key in said.get(part, {})
            if key not in keys
        ]
    faults += [
        f"[table] {key} = {table[key]!r}; expected {kind.__name__}"
        for key, kind in TABLE.items()
        if key in table and type(table[key]) is not kind
    ]
    faults += [
        f"[columns] {key} = {value!r}; expected the name of a column"
        for key, value in columns.items()
        if not isinstance(value, str)
    ]
    needed = ("reader",) if wide else ("reader", "case", "answer")
    faults += [f"[columns] {key} is missing" for key in needed if key not in columns]
    faults += [
        f"[columns] {key} cannot be used with [wide]" for key in ("case", "answer", "truth") if wide and key in columns
    ]
    faults += [
        f"[answers] {key!r} = {value!r}; expected 0 to 5"
        for key, value in answers.items()
        if type(value) is not int or not 0 <= value <= 5
    ]
    faults += [
        f"[truths] {key!r} = {value!r}; expected real or synthetic"
        for key, value in truths.items()
        if value not in ("real", "synthetic")
    ]
    cases = None
    try:
        cases = re.compile(wide["cases"]) if wide else None
        if cases and cases.groups != 1:
            faults.append("[wide] cases: expected one group in parentheses that matches the name of the case")
    except (KeyError, TypeError, re.error) as error:
        faults.append(f"[wide] cases is not a valid regular expression ({error})")
    refuse([f"{path.name}: {fault}" for fault in faults])
    return Mapping(table, columns, cases, _folded(answers), _folded(truths))


def load_mapped(responses: str | Path, mapping: str | Path, labels: str | Path | None = None) -> Responses:
    """Load the answers of any table with a mapping file; truths: its own column, or a table `Filename, Label`.

    Raises ResponsesError with every problem in the files.
    """
    import pandas as pd

    said = read_mapping(mapping)
    given = read(responses, **said.table).named(list(said.columns.values()))
    remarks, files = list(given.remarks), {Path(path).name: checksum(path) for path in (responses, mapping)}
    missing = [
        f"{given.name}: column {name!r} is missing" for name in said.columns.values() if name not in given.header
    ]
    refuse(missing)
    truth: dict[str, str] = {}
    faults: list[str] = []
    if labels is not None:
        labelled = read(labels).named(("Filename", "Label"))
        refuse([f"{labelled.name}: column {c!r} is missing" for c in ("Filename", "Label") if c not in labelled.header])
        truth = read_labels(labelled, faults)
        remarks += labelled.remarks
        files[Path(labels).name] = checksum(labels)
    elif "truth" not in said.columns:
        refuse([f"{Path(mapping).name}: [columns] truth is missing, and there is no table of labels"])
    rows = _wide(given, said, faults) if said.cases else _long(given, said)
    names = Names(truth)
    records, places = [], []
    for place, row in rows:
        if labels is not None:
            try:
                row["case"] = names.find(row["case"])
            except ValueError as error:
                faults.append(f"{place}: image {error} in {Path(labels).name}")
            row["truth"] = truth.get(row["case"]) or "real"
        else:
            row["truth"] = _truth(row["truth"], said, place, faults)
        row["level"] = _level(row.pop("answer"), said, place, faults)
        records.append(row)
        places.append(place)
    refuse(faults or ([] if records else [f"{given.name}: it contains no answers"]))
    table = pd.DataFrame(records).reindex(columns=COLUMNS, fill_value="").fillna("").astype(str)
    origin = {"kind": "mapped", "files": files, "remarks": remarks}
    if labels is not None:
        origin["remarks"] = [*remarks, *names.remarks(given.name, Path(labels).name)]
    return as_responses(checked(table, places, given.name), origin, title=Path(responses).stem)


def _long(given: Table, said: Mapping) -> list[tuple[str, dict[str, str]]]:
    return [
        (f"{given.name}, row {number}", {field: row[column].strip() for field, column in said.columns.items()})
        for number, row in given.rows
    ]


def _wide(given: Table, said: Mapping, faults: list[str]) -> list[tuple[str, dict[str, str]]]:
    found = [(column, said.cases.fullmatch(column)) for column in given.header if said.cases]
    cases = {column: match[1] for column, match in found if match}
    if not cases:
        faults.append(f"{given.name}: no column matches {said.cases.pattern!r}")  # type: ignore[union-attr]
    rows = []
    for number, row in given.rows:
        shared = {field: row[column].strip() for field, column in said.columns.items()}
        for position, (column, case) in enumerate(cases.items(), start=1):
            own = {"case": case, "answer": row[column].strip(), "truth": "", "position": str(position)}
            rows.append((f"{given.name}, row {number}, column {column!r}", own | shared))
    return rows


def _level(entry: str, said: Mapping, place: str, faults: list[str]) -> str:
    word = entry.casefold()
    if word in said.answers:
        return str(said.answers[word] or "")
    if word in PANODIFF_LEVELS and not said.answers:
        return str(PANODIFF_LEVELS[word])
    if not entry or (re.fullmatch(r"[1-5](\.0+)?", entry) and not said.answers):
        return entry[:1]
    faults.append(f"{place}: answer {entry!r}; expected {', '.join(map(repr, said.answers)) or '1 to 5'}")
    return ""


def _truth(entry: str, said: Mapping, place: str, faults: list[str]) -> str:
    known = PANODIFF_TRUTHS | said.truths
    if entry.casefold() not in known:
        faults.append(f"{place}: truth {entry!r}; expected one of {', '.join(map(repr, known))}")
    return known.get(entry.casefold(), "real")


def _folded(words: dict[str, Any]) -> dict[str, Any]:
    return {word.strip().casefold(): meaning for word, meaning in words.items()}
