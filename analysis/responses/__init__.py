"""What the readers said, as one checked table: from a database, from our CSV, or from the PanoDiff export.

Every loader hands over `Responses` or raises `ResponsesError` with all faults at once, each naming its file and row.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.responses.tabular import ResponsesError, checksum, finite, read, refuse

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["Responses", "ResponsesError", "load_csv", "load_panodiff", "load_ratings"]

COLUMNS = (
    *("study", "design", "reader", "reader_group", "sitting", "trial", "position", "block", "is_training", "is_repeat"),
    *("case", "truth", "source", "answer", "certainty", "level", "place", "chosen", "realism", "criterion", "value"),
    *("onset_at", "answered_at", "response_ms", "client_ms", "late", "zoom_max", "windowed", "study_version"),
)
NEEDED = ("reader", "case", "truth", "level")
NUMBERS = ("sitting", "position", "block", "response_ms", "client_ms", "zoom_max")
FLAGS = {"": False, "0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
FLAG_COLUMNS = ("is_training", "is_repeat", "late", "windowed")
DESIGNS = ("rating", "quartet", "comparison", "staircase")
RATED = ("rating", "staircase")
LEVELS = {"real full": "1", "real partial": "2", "unsure": "3", "synthetic partial": "4", "synthetic full": "5"}
PANODIFF_LEVELS = {
    "definitely real": 1,
    "probably real": 2,
    "unsure": 3,
    "probably fake": 4,
    "definitely fake": 5,
}
PANODIFF_TRUTHS = {"real": "real", "fake": "synthetic", "synthetic": "synthetic"}


@dataclass(frozen=True)
class Responses:
    """One study's answers.

    `table` has the columns of COLUMNS, one row per trial and case, practice and repeated cases included and marked;
    `truth` is 0 (real) or 1 (synthetic), `level` 1 to 5 or NaN where nothing was answered. `study` says what is
    known of the study, `origin` where the rows came from, with checksums. `cases` maps every case of the pool that
    is known, answered or not, to its truth; `detector` cases to a detector's scores, where there is one.
    """

    table: pd.DataFrame
    study: dict[str, Any]
    origin: dict[str, Any]
    cases: dict[str, int] = field(default_factory=dict)
    detector: dict[str, float] = field(default_factory=dict)

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
        header, rows = read(path)
        refuse([f"{name}: column {c!r} is missing" for c in ("reader", "group") if c not in header])
        groups: dict[str, str] = {}
        years: dict[str, float] = {}
        faults = []
        for number, row in rows:
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
        table = self.table.assign(reader_group=self.table["reader"].map(groups))
        study = {**self.study, "years": years} if years else self.study
        return replace(self, table=table, study=study, origin=self._from(path))

    def with_detector(self, path: str | Path) -> Responses:
        """The same responses with a detector's scores: a CSV `case,value`, higher = more synthetic.

        The `responses.csv` that `python -m generation detect` writes is one. Cases that were not put to readers are
        passed over; those without a score are counted where the scores are used.
        """
        name = Path(path).name
        header, rows = read(path)
        refuse([f"{name}: column {c!r} is missing" for c in ("case", "value") if c not in header])
        scores: dict[str, float] = {}
        faults = []
        for number, row in rows:
            case, value = row["case"].strip(), row["value"].strip()
            if case in scores:
                faults.append(f"{name}, row {number}: case {case!r} is listed twice")
            scores[case] = finite(value)
            if math.isnan(scores[case]):
                faults.append(f"{name}, row {number}: value {value!r}; expected a number")
        refuse(faults)
        refuse([f"{name}: none of the study's cases is in it"] if not scores.keys() & set(self.case_names) else [])
        return replace(self, detector=scores, origin=self._from(path))

    def _from(self, path: str | Path) -> dict[str, Any]:
        """The origin with one more file."""
        return {**self.origin, "files": {**self.origin["files"], Path(path).name: checksum(path)}}


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key under which R2 comes before R10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def load_csv(path: str | Path) -> Responses:
    """Our CSV: the columns of COLUMNS, of which `reader, case, truth, level` must be there.

    Raises:
        ResponsesError: with every fault of the file.
    """
    import pandas as pd

    name = Path(path).name
    header, rows = read(path)
    if "RealFakeValueSlider" in header:
        raise ResponsesError(
            [f"{name}: this is an export of the PanoDiff quiz, which needs its image labels too (--labels)"]
        )
    design = next((row["design"] for _, row in rows if row.get("design")), "rating")
    needed = NEEDED if design in RATED else tuple(c for c in NEEDED if c != "level")
    refuse([f"{name}: column {column!r} is missing" for column in needed if column not in header])
    refuse([f"{name}: there is not one row of responses in it"] if not rows else [])
    table = pd.DataFrame([row for _, row in rows]).reindex(columns=COLUMNS, fill_value="")
    places = [f"{name}, row {number}" for number, _ in rows]
    table = checked(table.fillna(""), places, name)
    return as_responses(table, {"kind": "csv", "files": {name: checksum(path)}}, title=Path(path).stem)


def load_panodiff(responses: str | Path, labels: str | Path) -> Responses:
    """The export of the PanoDiff quiz: `User Name, File, RealFakeValueSlider` and `Filename, Label`.

    The letters before the digits of a reader's name are the group. Where the export has its `Progress Value`, the
    position in the reading order is worked out from it.

    Raises:
        ResponsesError: with every fault of both files.
    """
    import pandas as pd

    answers, truths = Path(responses).name, Path(labels).name
    header, rows = read(responses)
    label_header, label_rows = read(labels)
    refuse(
        [f"{answers}: column {c!r} is missing" for c in ("User Name", "File", "RealFakeValueSlider") if c not in header]
        + [f"{truths}: column {c!r} is missing" for c in ("Filename", "Label") if c not in label_header]
    )
    faults: list[str] = []
    truth: dict[str, str] = {}
    for number, row in label_rows:
        file, label = row["Filename"].strip(), row["Label"].strip()
        if label.lower() not in PANODIFF_TRUTHS:
            faults.append(f"{truths}, row {number}: label {label!r} of image {file!r}; expected Real or Fake")
        if file in truth:
            faults.append(f"{truths}, row {number}: image {file!r} is labelled twice")
        truth[file] = PANODIFF_TRUTHS.get(label.lower(), "")
    records, places = [], []
    for number, row in rows:
        place, file, said = f"{answers}, row {number}", row["File"].strip(), row["RealFakeValueSlider"].strip()
        if file not in truth:
            faults.append(f"{place}: image {file!r} has no label in {truths}")
        if said.lower() not in PANODIFF_LEVELS:
            expected = ", ".join(level.title() for level in PANODIFF_LEVELS)
            faults.append(f"{place}: level {said!r}; expected one of {expected}")
        reader = row["User Name"].strip()
        group = re.match(r"\D*", reader).group().rstrip("-_ ")  # type: ignore[union-attr]
        level = PANODIFF_LEVELS.get(said.lower(), "")
        records.append(
            {"reader": reader, "reader_group": group, "case": file, "truth": truth.get(file) or "real", "level": level}
            | {"position": _progress(row.get("Progress Value", ""), len(truth))}
        )
        places.append(place)
    refuse([f"{answers}: there is not one row of responses in it"] if not rows else [])
    table = pd.DataFrame(records).reindex(columns=COLUMNS, fill_value="").astype(str)
    if table.duplicated(["reader", "position"]).any():
        table["position"] = ""
    try:
        table = checked(table, places, answers)
    except ResponsesError as bad:
        faults += bad.faults
    refuse(faults)
    files = {answers: checksum(responses), truths: checksum(labels)}
    loaded = as_responses(table, {"kind": "panodiff", "files": files}, title="PanoDiff export")
    return replace(loaded, cases={case: int(t == "synthetic") for case, t in truth.items()})


def load_ratings(path: str | Path, title: str = "") -> Responses:
    """A plain table `case,truth,READER,...` of levels 1 to 5, cases in reading order; groups as in `load_panodiff`.

    Raises:
        ResponsesError: with every fault of the file.
    """
    import pandas as pd

    name = Path(path).name
    header, rows = read(path)
    refuse([f"{name}: column {c!r} is missing" for c in ("case", "truth") if c not in header])
    readers = [column for column in header if column not in ("case", "truth")]
    records = [
        {"reader": reader, "reader_group": re.sub(r"\d.*", "", reader), "position": str(position)}
        | {"case": row["case"], "truth": row["truth"], "level": row[reader]}
        for reader in readers
        for position, (_, row) in enumerate(rows, start=1)
    ]
    places = [f"{name}, row {number}, column {reader}" for reader in readers for number, _ in rows]
    refuse([f"{name}: there is not one rating in it"] if not records else [])
    table = checked(pd.DataFrame(records).reindex(columns=COLUMNS, fill_value=""), places, name)
    return as_responses(table, {"kind": "ratings", "files": {name: checksum(path)}}, title or Path(path).stem)


def checked(table: pd.DataFrame, places: list[str], name: str) -> pd.DataFrame:
    """The table with typed columns, or every fault of it."""
    import numpy as np
    import pandas as pd

    faults: list[tuple[int, str]] = []

    def fault(bad: pd.Series, message: str) -> None:
        """`message` for each row where `bad`; {} is the row's entry of the column named last."""
        faults.extend((i, message.format(**table.loc[i])) for i in table.index[bad.to_numpy()])

    table = table.apply(lambda column: column.str.strip())
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
    fault(~table["design"].isin(["", *DESIGNS]), f"design {{design!r}}; expected one of {', '.join(DESIGNS)}")
    said = (table["answer"] + " " + table["certainty"]).str.strip()
    expected = said.map(LEVELS)
    clash = expected.notna() & table["level"].isin(LEVELS.values()) & (expected != table["level"])
    fault(clash, "level {level} does not go with answer {answer} {certainty}")

    typed = table.assign(**numbers, level=pd.to_numeric(table["level"], errors="coerce"))
    typed = typed.assign(**{c: table[c].str.lower().map(FLAGS).fillna(False).astype(bool) for c in FLAG_COLUMNS})
    # What nobody recorded is not known; it is not "no".
    unknown = {c: np.full(len(table), np.nan) for c in ("late", "windowed") if (table[c] == "").all()}
    typed = typed.assign(**unknown)
    typed["truth"] = (table["truth"] == "synthetic").astype(int)
    typed["superseded"] = typed["sitting"] < typed.groupby("reader")["sitting"].transform("max")
    faults += _contradictions(typed[table["truth"].isin(["real", "synthetic"])], places)
    for column in ("study", "design"):
        several = [entry for entry in table[column].unique() if entry]
        if len(several) > 1:
            faults.append((-1, f"{name}: more than one {column}: {', '.join(several)}"))
    refuse([f"{places[i]}: {message}" if i >= 0 else message for i, message in sorted(set(faults))])
    return typed


def _contradictions(typed: pd.DataFrame, places: list[str]) -> list[tuple[int, str]]:
    """Rows that speak against an earlier one: a second answer, another truth, another group."""
    faults = []
    scored = typed[~typed["is_training"] & ~typed["is_repeat"] & ~typed["superseded"]]
    rated = scored["design"].isin(["", *RATED]).all()
    key = ["reader", "case"] if rated else ["reader", "trial", "case", "criterion"]
    first = scored.drop_duplicates(key).set_index(key).index
    rows = dict(zip(first, scored.drop_duplicates(key).index, strict=True))
    for i, row in scored[scored.duplicated(key)].iterrows():
        earlier = places[rows[tuple(row[key])]]
        faults.append((i, f"reader {row['reader']!r} answered case {row['case']!r} twice, first in {earlier}"))
    for entity, column in (("case", "truth"), ("reader", "reader_group")):
        firsts = typed.drop_duplicates(entity).set_index(entity)[column]
        for i in typed.index[typed[column] != typed[entity].map(firsts)]:
            what = f"{entity} {typed.at[i, entity]!r} has another {column.replace('_', ' ')} than in an earlier row"
            faults.append((i, what))
    return faults


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


def _progress(text: str, total: int) -> str:
    """The position that a text such as `Progress: 89.055%` stands for, counted from 1; empty where it has none."""
    match = re.search(r"([\d.]+)\s*%", text)
    return str(round(float(match[1]) / 100 * total)) if match else ""
