"""One study's answers, as the loaders hand them over."""

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

    `table` has the columns of COLUMNS, one row per trial and case, practice and repeated cases included and marked;
    `truth` is 0 (real) or 1 (synthetic), `level` 1 to 5 or NaN where nothing was answered. `study` says what is
    known of the study, `origin` where the rows came from, with checksums and remarks. `cases` maps every case of the
    pool that is known, answered or not, to its truth; `detector` cases to a detector's scores, where there is one;
    `marks` says where readers saw it, if they were asked.
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
        """The rows that count: no practice, no repeats, and of a reader who began anew only the latest sitting."""
        return self.table[~self.table["is_training"] & ~self.table["is_repeat"] & ~self.table["superseded"]]

    @cached_property
    def asked(self) -> int:
        """How many cases each reader was to judge: all, unless the study gives each a part."""
        return int(self.study.get("settings", {}).get("cases") or 0) or len(self.case_names)

    @cached_property
    def readers(self) -> list[str]:
        """Readers by name, numbers in their order (R2 before R10)."""
        return sorted(self.table["reader"].unique(), key=natural)

    @cached_property
    def groups(self) -> dict[str, str]:
        """The group of every reader; empty where none was given."""
        return dict(zip(self.table["reader"], self.table["reader_group"], strict=True))

    def matrix(self, column: str) -> np.ndarray:
        """`column` of the scored rows as readers x cases, NaN where there is none; cases as in `case_names`."""
        import numpy as np

        rows = self.scored
        matrix = np.full((len(self.readers), len(self.case_names)), np.nan)
        reader_index = {name: i for i, name in enumerate(self.readers)}
        case_index = {name: i for i, name in enumerate(self.case_names)}
        matrix[rows["reader"].map(reader_index), rows["case"].map(case_index)] = rows[column].astype(float)
        return matrix

    @cached_property
    def case_names(self) -> list[str]:
        """The cases that were put to readers, in order of name."""
        return sorted(self.scored["case"].unique(), key=natural)

    @cached_property
    def truth(self) -> np.ndarray:
        """0 (real) or 1 (synthetic) of every case of `case_names`."""
        import numpy as np

        truth = dict(zip(self.table["case"], self.table["truth"], strict=True))
        return np.array([truth[case] for case in self.case_names], dtype=int)

    def with_groups(self, path: str | Path) -> Responses:
        """The same responses with the groups of a `reader,group` file in place of their own; `years` too, if given."""
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
        """The same responses with a detector's scores: a CSV `case,value`, higher = more synthetic.

        The `responses.csv` that `python -m generation detect` writes is one. Cases that were not put to readers are
        passed over; those without a score are counted where the scores are used.
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
        refuse([f"{name}: none of the study's cases is in it"] if not scores.keys() & set(self.case_names) else [])
        return replace(self, detector=scores, origin=self._from(path, table.remarks))

    @property
    def remarks(self) -> list[str]:
        """What was guessed when the files were read, each once."""
        return list(self.origin.get("remarks", []))

    def _from(self, path: str | Path, remarks: list[str]) -> dict[str, Any]:
        """The origin with one more file."""
        files = {**self.origin["files"], Path(path).name: checksum(path)}
        return {**self.origin, "files": files, "remarks": [*self.remarks, *remarks]}


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key under which R2 comes before R10."""
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
