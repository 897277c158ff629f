"""One study's answers, as returned by the loaders."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.responses.tabular import checksum, finite, read, refuse

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from analysis.responses.marks import Marks


@dataclass(frozen=True)
class Responses:
    """One study's answers.

    `table` has the columns of COLUMNS, one row per trial and case, with practice and repeated cases included and
    flagged; `truth` is 0 (real) or 1 (synthetic), `level` 1 to 5 or NaN if not answered. `study` has the known facts
    about the study, `origin` where the rows came from, with checksums and remarks. `cases` maps every known case of the
    pool, answered or not, to its truth; `detector` maps cases to a detector's scores, if there is one; `marks` has the
    readers' marks, if they were asked.
    """

    table: pd.DataFrame
    study: dict[str, Any]
    origin: dict[str, Any]
    cases: dict[str, int] = field(default_factory=dict)
    detector: dict[str, float] = field(default_factory=dict)
    marks: Marks | None = None

    @cached_property
    def design(self) -> str:
        return str(self.study["design"])

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The rows that count: no practice, no repeats, and only the latest sitting of a reader who restarted."""
        return self.table[~self.table["is_training"] & ~self.table["is_repeat"] & ~self.table["superseded"]]

    @cached_property
    def asked(self) -> int:
        """Return the number of cases that each reader should judge: all, unless the study assigns each a part."""
        return int(self.study.get("settings", {}).get("cases") or 0) or len(self.case_names)

    @cached_property
    def readers(self) -> list[str]:
        """Return readers by name, with numbers in natural order (R2 before R10)."""
        return sorted(self.table["reader"].unique(), key=natural)

    @cached_property
    def groups(self) -> dict[str, str]:
        """Return the group of every reader; empty if none was given."""
        return dict(zip(self.table["reader"], self.table["reader_group"], strict=True))

    def matrix(self, column: str) -> np.ndarray:
        """Return `column` of the scored rows as readers x cases, NaN if there is none; cases as in `case_names`."""
        import numpy as np

        rows = self.scored
        matrix = np.full((len(self.readers), len(self.case_names)), np.nan)
        reader_index = {name: i for i, name in enumerate(self.readers)}
        case_index = {name: i for i, name in enumerate(self.case_names)}
        matrix[rows["reader"].map(reader_index), rows["case"].map(case_index)] = rows[column].astype(float)
        return matrix

    @cached_property
    def case_names(self) -> list[str]:
        """Return the cases that were shown to readers, sorted by name."""
        return sorted(self.scored["case"].unique(), key=natural)

    @cached_property
    def truth(self) -> np.ndarray:
        """Return 0 (real) or 1 (synthetic) for every case in `case_names`."""
        import numpy as np

        truth = dict(zip(self.table["case"], self.table["truth"], strict=True))
        return np.array([truth[case] for case in self.case_names], dtype=int)

    def with_groups(self, path: str | Path) -> Responses:
        """Replace the readers' groups by those in a `reader,group` file; also `years`, if given."""
        name = Path(path).name
        table = read(path).named(("reader", "group", "years"))
        refuse([f"{name}: column {c!r} is missing" for c in ("reader", "group") if c not in table.header])
        groups: dict[str, str] = {}
        years: dict[str, float] = {}
        faults = []
        for number, row in table.rows:
            reader, group = row["reader"].strip(), row["group"].strip()
            if reader in groups:
                faults.append(f"{name}, row {number}: reader {reader!r} is listed twice")
            elif reader not in self.readers:
                faults.append(f"{name}, row {number}: reader {reader!r} is not in the responses")
            groups[reader] = group
            stated = row.get("years", "").strip()
            years |= {reader: finite(stated)} if stated else {}
            if reader in years and not years[reader] >= 0:
                faults.append(f"{name}, row {number}: years {stated!r}; expected a number of 0 or more, or nothing")
        faults += [f"{name}: reader {r!r} has no row" for r in self.readers if r not in groups]
        refuse(faults)
        grouped = self.table.assign(reader_group=self.table["reader"].map(groups))
        study = {**self.study, "years": years} if years else self.study
        marks = self.marks and replace(
            self.marks, table=self.marks.table.assign(group=self.marks.table["reader"].map(groups))
        )
        return replace(self, table=grouped, study=study, origin=self._from(path, table.remarks), marks=marks)

    def with_detector(self, path: str | Path) -> Responses:
        """Add a detector's scores from a CSV `case,value`, higher = more synthetic.

        The `responses.csv` written by `python -m generation detect` is such a file. Cases not shown to readers are
        ignored; those without a score are counted where the scores are used.
        """
        name = Path(path).name
        table = read(path).named(("case", "value"))
        refuse([f"{name}: column {c!r} is missing" for c in ("case", "value") if c not in table.header])
        scores: dict[str, float] = {}
        faults = []
        for number, row in table.rows:
            case, value = row["case"].strip(), row["value"].strip()
            if case in scores:
                faults.append(f"{name}, row {number}: case {case!r} is listed twice")
            scores[case] = finite(value)
            if math.isnan(scores[case]):
                faults.append(f"{name}, row {number}: value {value!r}; expected a number")
        refuse(faults)
        refuse([f"{name}: has none of the study's cases"] if not scores.keys() & set(self.case_names) else [])
        return replace(self, detector=scores, origin=self._from(path, table.remarks))

    @property
    def remarks(self) -> list[str]:
        """Return what was guessed when the files were read, each once."""
        return list(self.origin.get("remarks", []))

    def _from(self, path: str | Path, remarks: list[str]) -> dict[str, Any]:
        """Return the origin with one more file."""
        files = {**self.origin["files"], Path(path).name: checksum(path)}
        return {**self.origin, "files": files, "remarks": [*self.remarks, *remarks]}


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts R2 before R10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def as_responses(table: pd.DataFrame, origin: dict[str, Any], title: str) -> Responses:
    study: dict[str, Any] = {
        "slug": next((s for s in table["study"] if s), ""),
        "title": title,
        "design": next((d for d in table["design"] if d), "rating"),
    }
    versions = [v for v in table["study_version"].unique() if v]
    if versions:
        study["version"] = ", ".join(map(str, versions))
    cases = dict(zip(table["case"], table["truth"], strict=True))
    return Responses(table=table, study=study, origin=origin, cases=cases)
