"""Subgroups of the cases, declared beforehand: columns of the pool's cases.csv, or of any table with a row a case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from analysis.responses.readings import Responses
from analysis.responses.tabular import checksum, finite, read, refuse

MOST = 8  # values of a column; of more, numbers are split at their median and texts are refused


def with_subgroups(responses: Responses, path: str | Path, columns: Sequence[str]) -> Responses:
    """The same responses with `subgroups` in `study`: for each of `columns` the value of every case that was asked.

    `path` is a table with the column `case`. A column of more than MOST different numbers is split at the median of the
    cases asked. Cases without a value are in no subgroup.

    Raises:
        ResponsesError: not a rating study, a column or case is missing or twice, or a column has one value or too many.
    """
    name = Path(path).name
    table = read(path).named(("case", *columns))
    faults = [f"{name}: column {c!r} is missing" for c in ("case", *columns) if c not in table.header]
    if responses.design != "rating":
        faults.append(f"--subgroups: are for rating studies, and this is a study of the design {responses.design}")
    faults += [f"--subgroups: {c!r} is named twice" for c in dict.fromkeys(columns) if columns.count(c) > 1]
    faults += [f"--subgroups: {c!r} is no subgroup of the cases" for c in columns if c in ("case", "truth", "file")]
    refuse(faults)
    rows: dict[str, dict[str, str]] = {}
    for number, row in table.rows:
        case = row["case"].strip()
        if case in rows:
            faults.append(f"{name}, row {number}: case {case!r} is listed twice")
        rows[case] = row
    faults += [
        f"{name}: case {case!r} of the responses has no row" for case in responses.case_names if case not in rows
    ]
    refuse(faults)
    found = {}
    for column in columns:
        given = {case: rows[case][column].strip() for case in responses.case_names}
        given = _split({case: value for case, value in given.items() if value})
        values = len(set(given.values()))
        if not 2 <= values <= MOST:
            faults.append(f"{name}: column {column!r} has {values} value(s); expected 2 to {MOST}, or numbers")
        found[column] = given
    refuse(faults)
    origin = responses.origin | {"files": {**responses.origin.get("files", {}), name: checksum(path)}}
    return replace(responses, study=responses.study | {"subgroups": found}, origin=origin)


def _split(given: dict[str, str]) -> dict[str, str]:
    """Values as they are; where they are many numbers, the halves below and above their median."""
    if len(set(given.values())) <= MOST:
        return given
    numbers = {case: finite(value) for case, value in given.items()}
    if any(math.isnan(number) for number in numbers.values()):
        return given
    middle = median(numbers.values())
    return {case: f"{'up to' if number <= middle else 'above'} {middle:g}" for case, number in numbers.items()}
