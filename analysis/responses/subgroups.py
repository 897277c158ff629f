"""Subgroups of cases: columns of the pool's cases.csv declared by a study, or of any table with one row per case."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from analysis.responses.readings import Responses
from analysis.responses.tabular import checksum, finite, read, refuse

MOST = 8  # maximum values of a column; if there are more, numbers are split at their median and texts are refused
NOT_SUBGROUPS = ("case", "file", "truth", "source", "sha256")


def values(given: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each case for comparison: unchanged, or for many different numbers the lower or upper half.

    Cases without a value are left out. The halves are those of the given cases.

    >>> values({"a": "Sirona", "b": "", "c": "Planmeca"})
    {'a': 'Sirona', 'c': 'Planmeca'}
    >>> values({str(teeth): str(teeth) for teeth in range(20, 32)})["31"]
    'above 25.5'
    """
    known = {case: value.strip() for case, value in given.items() if value.strip()}
    if len(set(known.values())) <= MOST:
        return known
    numbers = {case: finite(value) for case, value in known.items()}
    if any(math.isnan(number) for number in numbers.values()):
        return known
    middle = median(numbers.values())
    return {case: f"{'up to' if number <= middle else 'above'} {middle:g}" for case, number in numbers.items()}


def unfit(compared: Iterable[str]) -> str:
    """Return why the compared values of a column do not form subgroups; empty if they do.

    >>> unfit(["Sirona", "Sirona"])
    'has 1 value(s); expected 2 to 8, or numbers'
    """
    count = len(set(compared))
    return "" if 2 <= count <= MOST else f"has {count} value(s); expected 2 to {MOST}, or numbers"


def with_declared(responses: Responses, labels: Mapping[str, Mapping[str, str]]) -> Responses:
    """Add the subgroups that the study's settings declared before it opened.

    `labels`: the entries of each case in further columns of cases.csv. Declared subgroups are kept, even if the cases
    that were read have only one value.
    """
    columns = responses.study.get("settings", {}).get("subgroups") or ()
    if not columns or responses.design != "rating":
        return responses
    found = {
        column: values({case: labels.get(case, {}).get(column) or "" for case in responses.case_names})
        for column in columns
    }
    return replace(responses, study=responses.study | {"subgroups": found, "declared": list(columns)})


def with_subgroups(responses: Responses, path: str | Path, columns: Sequence[str]) -> Responses:
    """Add further `subgroups` to `study`: for each of `columns`, the value of every case shown to readers.

    `path` is a table with the column `case`. A column with more than MOST different numbers is split at the median of
    the cases shown. Cases without a value are in no subgroup.

    Raises:
        ResponsesError: not a rating study; a column or case is missing or duplicate; a column was declared in the
            study, or has one value or too many.
    """
    name, there = Path(path).name, responses.study.get("subgroups") or {}
    table = read(path).named(("case", *columns))
    faults = [f"{name}: column {c!r} is missing" for c in ("case", *columns) if c not in table.header]
    if responses.design != "rating":
        faults.append(f"subgroups: are for rating studies, and this study has the design {responses.design}")
    faults += [f"subgroups: {c!r} is given twice" for c in dict.fromkeys(columns) if columns.count(c) > 1]
    faults += [f"subgroups: {c!r} is not a subgroup of the cases" for c in columns if c in NOT_SUBGROUPS]
    faults += [f"subgroups: {c!r} was declared in the study and is reported anyway" for c in columns if c in there]
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
    found = {column: values({case: rows[case][column] for case in responses.case_names}) for column in columns}
    refuse([f"{name}: column {c!r} {why}" for c, given in found.items() if (why := unfit(given.values()))])
    origin = responses.origin | {"files": {**responses.origin.get("files", {}), name: checksum(path)}}
    return replace(responses, study=responses.study | {"subgroups": there | found}, origin=origin)
