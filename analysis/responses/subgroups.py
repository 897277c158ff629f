"""Subgroups of the cases: columns of the pool's cases.csv that a study declares, or of any table with a row a case."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from analysis.responses.readings import Responses
from analysis.responses.tabular import checksum, finite, read, refuse

MOST = 8  # values of a column; of more, numbers are split at their median and texts are refused
NOT_SUBGROUPS = ("case", "file", "truth", "source", "sha256")


def values(given: Mapping[str, str]) -> dict[str, str]:
    """The value of each case as it is compared: as it is, or of many different numbers the half below or above.

    Cases without a value are left out. The halves are those of the cases given.

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
    """Why the values of a column, as they are compared, are no subgroups; empty if they are.

    >>> unfit(["Sirona", "Sirona"])
    'has 1 value(s); expected 2 to 8, or numbers'
    """
    count = len(set(compared))
    return "" if 2 <= count <= MOST else f"has {count} value(s); expected 2 to {MOST}, or numbers"


def with_declared(responses: Responses, labels: Mapping[str, Mapping[str, str]]) -> Responses:
    """The same responses with the subgroups that the settings of their study declared before it opened.

    `labels`: for each case its entries in further columns of cases.csv. What was declared is kept as it is, even where
    the cases that were read turn out to have one value alone.
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
    """The same responses with further `subgroups` in `study`: for each of `columns` the value of every case asked.

    `path` is a table with the column `case`. A column of more than MOST different numbers is split at the median of the
    cases asked. Cases without a value are in no subgroup.

    Raises:
        ResponsesError: not a rating study, a column or case is missing or twice, was declared in the study, or a column
            has one value or too many.
    """
    name, there = Path(path).name, responses.study.get("subgroups") or {}
    table = read(path).named(("case", *columns))
    faults = [f"{name}: column {c!r} is missing" for c in ("case", *columns) if c not in table.header]
    if responses.design != "rating":
        faults.append(f"subgroups: are for rating studies, and this is a study of the design {responses.design}")
    faults += [f"subgroups: {c!r} is given twice" for c in dict.fromkeys(columns) if columns.count(c) > 1]
    faults += [f"subgroups: {c!r} is not a subgroup of the cases" for c in columns if c in NOT_SUBGROUPS]
    faults += [f"subgroups: {c!r} was declared in the study and is reported in any case" for c in columns if c in there]
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
