"""Marks and known faults, checked against the responses to which they belong."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.responses.tabular import ResponsesError, Table, checksum, finite, read, refuse

if TYPE_CHECKING:
    import pandas as pd

    from analysis.responses.readings import Responses

MARKS = (
    *("study", "design", "reader", "reader_group", "sitting", "trial", "position", "block", "is_training", "is_repeat"),
    *("place", "case", "truth", "source", "answer", "certainty", "level", "mark", "x", "y", "reason", "rating"),
    *("outcome", "marked_at", "late", "study_version"),
)
FAULTS = ("study", "case", "kind", "x", "y", "rx", "ry", "angle", "width", "height")
OUTCOMES = ("marked", "nothing", "skipped")
SIDES: dict[float, str] = {1: "real", 2: "real", 3: "unsure", 4: "synthetic", 5: "synthetic"}
ASPECT = 2.0  # of a panoramic radiograph, if the size of the images is unknown


@dataclass(frozen=True)
class Marks:
    """The marks of a study's scored trials, and the faults of its cases if they are known.

    `table`: one row per mark (reader, group, case, truth 0 or 1, source, answer, x, y, reason, rating, level; NaN or
    empty if there is none). `steps`: one row per marking step (reader, trial, case, outcome); the case is empty if a
    trial with several images ended without a mark. Both have the condition if there are several. `faults`: case, kind,
    x, y, rx, ry, angle; None if none are known. `aspect` is the width of the images divided by their height,
    `known_size` whether it was given.
    """

    table: pd.DataFrame
    steps: pd.DataFrame
    faults: pd.DataFrame | None = None
    aspect: float = ASPECT
    known_size: bool = False


def with_marks(
    found: Responses, marks: str | Path | None, faults: str | Path | None, size: Sequence[int] | None = None
) -> Responses:
    """Add the marks of a table, and known faults of a table or of a pool's faults.json, to the responses.

    size: width and height of the images, if known. Raises ResponsesError with every problem in both.
    """
    told, sizes = _faults_file(Path(faults)) if faults else (None, None)
    if marks is None:
        return _with_faults(found, told, size or sizes, faults)
    given = read(marks).named(MARKS)
    joined = joined_with(found, given, told, size or sizes)
    files = {Path(path).name: checksum(path) for path in (marks, faults) if path}
    remarks = [*found.remarks, *given.remarks, *(told.remarks if told else [])]
    return replace(joined, origin=found.origin | {"files": found.origin["files"] | files, "remarks": remarks})


def _with_faults(found: Responses, told: Table | None, size: Sequence[int] | None, path: Any) -> Responses:
    """Add the known faults of a file to responses that have marks."""
    if told is None:
        return found
    if found.marks is None:
        raise ResponsesError([f"{told.name}: known faults are compared with marks, but there are no marks"])
    problems: list[str] = []
    known = _checked_faults(found, told, problems)
    refuse(problems)
    marks = replace(found.marks, faults=known)
    if size:
        marks = replace(marks, aspect=size[0] / size[1], known_size=True)
    files = found.origin["files"] | {Path(path).name: checksum(path)}
    return replace(found, marks=marks, origin=found.origin | {"files": files})


def joined_with(
    found: Responses, marks: Table, faults: Table | None = None, size: Sequence[int] | None = None
) -> Responses:
    """Add checked marks and known faults to the responses; arguments as in `with_marks`. Practice is left out."""
    problems: list[str] = []
    table = _checked_marks(found, marks, problems)
    known = _checked_faults(found, faults, problems) if faults else None
    refuse(problems)
    sizes = size or _size_in(faults)
    aspect = sizes[0] / sizes[1] if sizes and min(sizes) > 0 else ASPECT
    earlier = set(_sittings(found.table[found.table["superseded"]]))
    counting = ~table["is_training"] & ~table["is_repeat"]
    table = table[[ok and one not in earlier for ok, one in zip(counting, _sittings(table), strict=True)]]
    table = table if "condition" in found.table else table.drop(columns="condition")
    kept = [column for column in ("reader", "trial", "case", "outcome", "condition") if column in table]
    steps = table.drop_duplicates(["reader", "trial", "case"])[kept].reset_index(drop=True)
    placed = table[table["mark"] > 0].drop(columns=["is_training", "is_repeat", "sitting", "outcome", "mark", "trial"])
    return replace(found, marks=Marks(placed.reset_index(drop=True), steps, known, aspect, sizes is not None))


def _checked_marks(found: Responses, given: Table, problems: list[str]) -> pd.DataFrame:
    import pandas as pd

    needed = ("reader", "case", "x", "y", "reason")
    refuse([f"{given.name}: column {column!r} is missing" for column in needed if column not in given.header])
    truths = found.cases
    sources = dict(zip(found.table["case"], found.table["source"], strict=True))
    of_case, of_trial = (_said(found, key) for key in (["reader", "case"], ["reader", "trial", "case"]))
    again = "condition" in found.table and bool(found.scored.duplicated(["reader", "case"]).any())
    study, readers = str(found.study.get("slug") or ""), set(found.readers)
    rows = []
    for number, row in given.rows:
        at = f"{given.name}, row {number}"
        text = {column: (row.get(column) or "").strip() for column in MARKS}
        reader, case, outcome = text["reader"], text["case"], text["outcome"].lower()
        if study and text["study"] and text["study"] != study:
            problems.append(f"{at}: study {text['study']!r}; the responses are from {study!r}")
        placed = text["x"] != "" or text["y"] != ""
        outcome = outcome or ("marked" if placed else "nothing")
        if reader not in readers:
            problems.append(f"{at}: reader {reader!r} is not in the responses")
        if outcome not in OUTCOMES:
            problems.append(f"{at}: outcome {outcome!r}; expected {', '.join(OUTCOMES)}")
        if case not in truths and (placed or case):
            problems.append(f"{at}: case {case!r} is not in the responses")
        numbers = {column: finite(text[column]) for column in ("x", "y", "rating", "level", "sitting")}
        if placed:
            for side in ("x", "y"):
                if not 0 <= numbers[side] <= 1:
                    problems.append(f"{at}: {side} {text[side]!r}; expected a number from 0 to 1")
            if not text["reason"]:
                problems.append(f"{at}: reason is empty")
        if text["rating"] and numbers["rating"] not in (1, 2, 3, 4, 5):
            problems.append(f"{at}: rating {text['rating']!r}; expected 1 to 5, or nothing")
        flags = [text[column].lower() in ("1", "true", "yes") for column in ("is_training", "is_repeat")]
        said = of_trial.get((reader, text["trial"], case))
        if again and said is None and case in truths and not flags[0]:
            problems.append(f"{at}: trial {text['trial']!r} is not in the responses, so its condition is unknown")
        said = said or of_case.get((reader, case), {})
        level = numbers["level"] if text["level"] else said.get("level", math.nan)
        answer = text["answer"].lower() or said.get("answer", "") or SIDES.get(level, "")
        said_of_case = (found.groups.get(reader, ""), case, truths.get(case, -1), sources.get(case, ""), answer)
        mark = (numbers["x"], numbers["y"], text["reason"], numbers["rating"], level, int(placed))
        met = said.get("condition", "")
        rows.append((reader, *said_of_case, *mark, met, text["trial"], outcome, numbers["sitting"], *flags))
    columns = ("reader", "group", "case", "truth", "source", "answer", "x", "y", "reason", "rating", "level", "mark")
    more = ("condition", "trial", "outcome", "sitting", "is_training", "is_repeat")
    return pd.DataFrame(rows, columns=[*columns, *more])


def _sittings(table: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    return table[["reader", "sitting"]].itertuples(index=False, name=None)


def _said(found: Responses, key: list[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return level and answer, and the condition if there are several, of the last row of each `key`."""
    columns = [column for column in ("level", "answer", "condition") if column in found.table]
    last = found.table.drop_duplicates(key, keep="last")
    return dict(zip(last[key].itertuples(index=False, name=None), last[columns].to_dict("records"), strict=True))


def _checked_faults(found: Responses, given: Table, problems: list[str]) -> pd.DataFrame:
    """Return the known faults of the study's cases; those of other cases in the pool are ignored."""
    import pandas as pd

    needed = ("case", "kind", "x", "y", "rx", "ry")
    refuse([f"{given.name}: column {column!r} is missing" for column in needed if column not in given.header])
    rows = []
    for number, row in given.rows:
        at, case, kind = f"{given.name}, row {number}", row["case"].strip(), row["kind"].strip()
        angle = (row.get("angle") or "").strip() or "0"
        numbers = {column: finite(row[column]) for column in ("x", "y", "rx", "ry")} | {"angle": finite(angle)}
        for column, value in numbers.items():
            low, high = (-360, 360) if column == "angle" else (0, 1)
            if not low <= value <= high or (column in ("rx", "ry") and value == 0):
                expected = "above 0, up to 1" if column in ("rx", "ry") else f"from {low} to {high}"
                problems.append(f"{at}: {column} {row.get(column)!r}; expected a number {expected}")
        if not kind:
            problems.append(f"{at}: kind is empty")
        if found.cases.get(case) == 0:
            problems.append(f"{at}: case {case!r} is real; only synthetic images have faults")
        rows.append((case, kind, *numbers.values()))
    table = pd.DataFrame(rows, columns=["case", "kind", "x", "y", "rx", "ry", "angle"])
    known = table[table["case"].isin(found.cases)].reset_index(drop=True)
    if len(table) and not len(known):
        problems.append(f"{given.name}: has none of the study's cases")
    return known


def _size_in(given: Table | None) -> tuple[float, float] | None:
    """Return width and height of the images if the table of faults has them."""
    for _, row in given.rows if given else ():
        size = finite(row.get("width") or ""), finite(row.get("height") or "")
        if all(side > 0 for side in size):
            return size
    return None


def _faults_file(path: Path) -> tuple[Table, tuple[int, int] | None]:
    """A table of faults, or a pool's faults.json as a table; and the size of the images if pool.json is next to it."""
    if path.suffix.lower() != ".json":
        return read(path).named(FAULTS), None
    try:
        given = json.loads(path.read_text("utf-8"))
        pairs = [(case, fault) for case, own in given["faults"].items() for fault in own]
        rows = [{"case": case, **{name: str(fault[name]) for name in FAULTS[2:8]}} for case, fault in pairs]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        refuse([f"{path.name}: not a faults.json ({type(error).__name__}: {error})"])
    table = Table(path.name, list(FAULTS[1:8]), list(enumerate(rows, start=1)))
    try:
        pool = json.loads((path.parent / "pool.json").read_text("utf-8"))
        return table, (int(pool["width"]), int(pool["height"]))
    except (OSError, ValueError, KeyError, TypeError):
        return table, None


def from_text(name: str, text: str) -> Table:
    """Return a table from the text of a CSV in an export."""
    lines = csv.DictReader(io.StringIO(text, newline=""))
    rows = [(number, {key: value or "" for key, value in row.items() if key}) for number, row in enumerate(lines, 2)]
    return Table(name, list(lines.fieldnames or ()), rows)


def from_rows(name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table from the rows of a database view."""
    told = [{column: "" if row[column] is None else str(row[column]) for column in columns} for row in rows]
    return Table(name, list(columns), list(enumerate(told, start=1)))
