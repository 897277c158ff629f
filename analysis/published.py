"""Published visual Turing tests: the table that ships with Discern, tables like it, and a study's place among them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from analysis.responses import ResponsesError

TABLE = Path(__file__).parent / "data" / "published_turing_tests.csv"
NEEDED = ("study", "year", "scale")
SHARES = ("chance", "value", "low", "high", "sd")
COUNTS = ("readers", "real", "synthetic", "correct_real", "correct_synthetic")
WORDS = ("doi", "modality", "generator", "kind", "scoring", "checked", "sources", "note", "results")
SCALES = {
    "accuracy": "share of correct answers",
    "auc": "area under the curve",
    "choice": "choice among several",
    "classes": "more than two classes",
    "synthetic": "synthetic images only",
}


@dataclass(frozen=True)
class Published:
    """One line of a table of studies; unknown entries are None, or an empty text.

    `value` is the mean over readers on `scale`, `low` and `high` its 95 % interval, `sd` its spread over readers,
    `by_reader` that of each reader; `correct_*` count correct answers over all readers. `results` is the path of a
    report's results.json, from which `discern meta` takes the figures.
    """

    study: str
    year: int
    scale: str
    doi: str = ""
    modality: str = ""
    generator: str = ""
    kind: str = ""
    scoring: str = ""
    checked: str = ""
    sources: str = ""
    note: str = ""
    results: str = ""
    chance: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    by_reader: tuple[float, ...] = ()
    readers: int | None = None
    real: int | None = None
    synthetic: int | None = None
    correct_real: int | None = None
    correct_synthetic: int | None = None

    @property
    def figure(self) -> float | None:
        """Return the value; if it is missing, the readers' mean or the share of correct answers."""
        if self.value is not None:
            return self.value
        if self.by_reader:
            return sum(self.by_reader) / len(self.by_reader)
        asked = self.asked
        if None in (asked, self.correct_real, self.correct_synthetic):
            return None
        return (self.correct_real + self.correct_synthetic) / asked  # type: ignore[operator]

    @property
    def asked(self) -> int | None:
        """Return the number of answers, if the numbers of readers and images are known."""
        if None in (self.readers, self.real, self.synthetic):
            return None
        return self.readers * (self.real + self.synthetic)  # type: ignore[operator]


def load(path: Path = TABLE) -> list[Published]:
    """Load the lines of a table of studies.

    Args:
        path: a CSV in UTF-8 with the columns study, year, scale, and any others of `Published`.

    Raises:
        ResponsesError: lists every problem with its row and column.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise ResponsesError([f"{path}: cannot be read as a table in UTF-8 ({fault})"]) from None
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in NEEDED if name not in (reader.fieldnames or [])]
    if missing:
        raise ResponsesError([f"{path}: no column {', '.join(missing)}; expected at least {', '.join(NEEDED)}"])
    studies: list[Published] = []
    faults: list[str] = []
    for row in reader:
        line = _Line(f"{path}, row {reader.line_num}", row)
        studies.append(line.study())
        faults += line.faults
    names = [one.study for one in studies]
    faults += [
        f"{path}: the study {name!r} is listed twice" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if not studies:
        faults.append(f"{path}: contains no study")
    if faults:
        raise ResponsesError(faults)
    return studies


class _Line:
    """One row being converted to a study; problems are collected in `faults`."""

    def __init__(self, place: str, row: Mapping[str, Any]):
        self.place, self.row, self.faults = place, row, list[str]()

    def text(self, name: str) -> str:
        return (self.row.get(name) or "").strip()

    def say(self, name: str, wanted: str) -> None:
        self.faults.append(f"{self.place}, {name}: expected {wanted}, got {self.text(name)!r}")

    def share(self, name: str, given: str | None = None) -> float | None:
        given = self.text(name) if given is None else given
        if not given:
            return None
        try:
            number = float(given)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            self.say(name, "a number from 0 to 1")
            return None
        return number

    def count(self, name: str) -> int | None:
        given = self.text(name)
        if given and not re.fullmatch(r"\d+", given):
            self.say(name, "a whole number")
            return None
        return int(given) if given else None

    def study(self) -> Published:
        if not self.text("study"):
            self.say("study", "a name")
        if not re.fullmatch(r"(19|20)\d\d", self.text("year")):
            self.say("year", "a year such as 2024")
        if self.text("scale") not in SCALES:
            self.say("scale", f"one of {', '.join(SCALES)}")
        each = [self.share("by_reader", one.strip()) for one in self.text("by_reader").split(";") if one.strip()]
        given: dict[str, Any] = {name: self.text(name) for name in ("study", "scale", *WORDS)}
        given |= {name: self.share(name) for name in SHARES} | {name: self.count(name) for name in COUNTS}
        given["year"] = int(self.text("year")) if self.text("year").isdecimal() else 0
        given["by_reader"] = tuple(one for one in each if one is not None)
        found = Published(**given)
        self.check(found)
        return found

    def check(self, found: Published) -> None:
        """Check that the figures are consistent."""
        if (found.low is None) != (found.high is None):
            self.faults.append(f"{self.place}: low and high must be given together")
        elif found.low is not None and not found.low <= (found.figure if found.figure is not None else found.low):
            self.say("low", "not above the value")
        if found.high is not None and found.figure is not None and found.high < found.figure:
            self.say("high", "not below the value")
        if found.by_reader and found.readers not in (None, len(found.by_reader)):
            self.say("by_reader", f"{found.readers} figures, one per reader")
        for right, images in (("correct_real", found.real), ("correct_synthetic", found.synthetic)):
            count = getattr(found, right)
            if count is not None and (images is None or found.readers is None or count > images * found.readers):
                self.say(right, "at most readers times images, and both given")


@cache
def _shipped() -> tuple[Published, ...]:
    return tuple(load())


def place(value: float | None, ci: tuple[float, float] | None, title: str) -> dict[str, Any]:
    """Compare a study's mean accuracy with published ones on the same scale, with the same chance level.

    Args:
        value: the mean accuracy of the study's readers; None if undefined.
        ci: its 95 % interval, if there is one.
        title: title of the study; a published test whose name (without year) occurs in it is left out.

    Returns:
        `value`, `ci`; how many published tests are `comparable`, and of these `below` the value, `at_least` as high,
        `inside` the interval; `lowest`, `median`, `highest`; `itself`, names left out; `studies`, each published test
        with `value`, `comparable` and, if not, the `reason`. A `reason` instead of counts if there is no value.
    """
    itself = [one.study for one in _shipped() if is_called(one.study, title)]
    studies = [_line(one, one.study in itself) for one in _shipped()]
    known = sorted(line["value"] for line in studies if line["comparable"])
    found: dict[str, Any] = {"value": value, "ci": ci, "comparable": len(known), "itself": itself, "studies": studies}
    if value is None:
        return found | {"reason": "the study's accuracy is undefined"}
    middle = len(known) // 2
    median = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
    return found | {
        "below": sum(one < value for one in known),
        "at_least": sum(one >= value for one in known),
        "inside": sum(ci[0] <= one <= ci[1] for one in known) if ci else None,
        "lowest": known[0],
        "median": median,
        "highest": known[-1],
    }


def is_called(name: str, title: str) -> bool:
    """Return whether a title contains the name of a published method as a word; an author's name does not count."""
    name = re.sub(r" \d{4}.*", "", name)
    return re.search(r"[a-z][A-Z]", name) is not None and re.search(rf"\b{re.escape(name)}\b", title, re.I) is not None


def _line(one: Published, itself: bool) -> dict[str, Any]:
    reason = None
    if itself:
        reason = "it is this study"
    elif one.scale != "accuracy":
        reason = f"another scale: {SCALES[one.scale]}"
    elif one.figure is None:
        reason = "accuracy not found in two places"
    kept = ("study", "year", "doi", "modality", "generator", "kind", "readers", "real", "synthetic", "scale", "scoring")
    given = asdict(one)
    line = {name: given[name] for name in kept}
    return line | {"value": one.figure, "comparable": reason is None, "reason": reason}
