"""Comparison: images of one case by several methods, shown blind and judged on several criteria.

The cases compared are the groups of the pool; the method is the source. An image whose source is `reference` is shown
as the reference, in the last place, and is not judged.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

from flask_babel import get_locale, gettext

from quiz_app.designs.design import Said, Shown
from quiz_app.designs.groups import Grouped, by_group
from quiz_app.designs.observer import Observer
from quiz_app.errors import RefusedError
from quiz_app.languages import sections
from quiz_app.rules import marked, rule
from quiz_app.study.settings import OF_RATINGS, StudySettings

FEWEST, MOST = 2, 4  # images of a trial that are judged
REFERENCE = "reference"
VALUES = {"better": ("better", "same", "worse"), "yes-no": ("yes", "no")}
_LINE = re.compile(r"([a-z][a-z0-9-]{0,39}): *(better/same/worse|yes/no|choice|scale ([2-9])): *(\S.*)")
_KINDS = {"better/same/worse": "better", "yes/no": "yes-no", "choice": "choice"}


@dataclass(frozen=True)
class Criterion:
    """One question: its short name in exports, its kind, the points of a scale, and its wording."""

    name: str
    kind: str  # better, yes-no, choice or scale
    points: int
    words: str


def parsed(lines: Sequence[str], language: str = "") -> list[Criterion]:
    """The criteria in these lines, in this language if available. Raises ValueError for a line in the wrong format."""
    by_language = {code: _criteria(part) for code, part in sections("\n".join(lines)).items()}
    usual = by_language[""]
    if not usual:
        raise ValueError("no criteria are given; expected one per line")
    if twice := [name for name, count in Counter(one.name for one in usual).items() if count > 1]:
        raise ValueError(f"two criteria have the same name: {', '.join(twice)}")
    for code, others in by_language.items():
        if [(one.name, one.kind, one.points) for one in others] != [(o.name, o.kind, o.points) for o in usual]:
            raise ValueError(f"[{code}]: expected the same names and kinds as in the lines before it")
    return by_language.get(language) or usual


def _criteria(part: str) -> list[Criterion]:
    found = []
    for line in filter(str.strip, part.splitlines()):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            form = "'noise: yes/no: There is more noise'; kinds: better/same/worse, yes/no, choice, scale 2 to scale 9"
            raise ValueError(f"{line.strip()!r}: expected a name, a kind and the words, as in {form}")
        name, kind, points, words = match.groups()
        found.append(Criterion(name, _KINDS.get(kind, "scale"), int(points or 0), words))
    return found


@dataclass(frozen=True)
class ComparisonSettings(StudySettings):
    """How a comparison study is read."""

    unused: ClassVar[frozenset[str]] = OF_RATINGS | {
        *("block", "unsure", "labels", "practice_feedback", "result", "leaderboard", "marks_for"),
    }

    limit_s: float = rule(
        "Time",
        "Time limit (s)",
        0.0,
        "Seconds a reader has for a case with all its criteria; 0 = no limit. A later answer is still accepted and "
        "marked late.",
        0,
        3600,
    )
    cases: int = rule("Cases", "Cases per reader", 0, "Cases a reader compares; 0 = every case of the pool.", 0, 10_000)
    repeats: int = rule(
        "Cases",
        "Repeated cases",
        0,
        "Cases shown a second time, to measure a reader's agreement with themselves: the first in the order return in "
        "its last third, with the images in new positions.",
        0,
        1000,
    )
    practice: int = rule("Cases", "Practice cases", 1, "Practice cases at the start, never scored.", 0, 50)
    practice_feedback: bool = False  # there is no truth to show
    marks_for: str = "all"  # and no image is called synthetic
    criteria: tuple[str, ...] = rule(
        "Answers",
        "Criteria",
        ("better: better/same/worse: " + marked("Overall, how good is this radiograph?"),),
        "One per line: a short name for exports, the kind (better/same/worse, yes/no, choice, scale 2 to scale 9) and "
        "the words, such as 'noise: yes/no: There is more noise'. Better and worse compare with the reference if the "
        "pool has one, otherwise with the other images. A line with only [da] or [de] starts another language.",
        check=parsed,
    )
    display: str = rule(
        "Viewer",
        "Display",
        "side",
        "How the images of a case are shown. Zoom and window are the same for all of them.",
        choices={
            "side": "side by side; any one enlarges",
            "flicker": "one at a time in the same place; the reader switches between them freely",
            "series": "one after the other; the questions follow when all have been seen",
        },
    )
    welcome: str = rule(
        "Texts",
        "Welcome",
        marked("Thank you for taking part. You will see several versions of one radiograph at a time."),
        "Shown at the top of the welcome page.",
        long=True,
    )
    instructions: str = rule(
        "Texts",
        "Instructions",
        marked("Each time, compare the versions and answer the questions about them. There is no right or wrong."),
        "Shown before practice.",
        long=True,
    )


DIFFUSIONXRAY = (
    "nodule: yes/no: " + marked("The nodule is easy to see"),
    "confusable: yes/no: " + marked("The nodule could be taken for bone, a lead or a button"),
    "clarity: yes/no: " + marked("The lung fields are clearer"),
    "noise: yes/no: " + marked("There is clearly more noise"),
)


class Comparison(Grouped):
    """One group of the pool per trial; over a reader's trials, each method appears in each place equally often."""

    name = "comparison"
    settings = ComparisonSettings
    presets: Mapping[str, tuple[str, StudySettings]] = MappingProxyType(
        {
            "comparisons": ("Every case of the pool, which image is better, no time limit.", ComparisonSettings()),
            "diffusionxray": (
                "Like the DiffusionXRay study: its four criteria, yes or no for each image.",
                ComparisonSettings(criteria=DIFFUSIONXRAY),
            ),
        }
    )
    has_truth = False
    has_reference = True
    known_by = "source"
    noun = "comparisons"
    balance = "with each method equally often in each position"
    untimed_s = 40

    def unfit(self, cases: Sequence[Shown]) -> list[str]:
        """Every case must have one image by every method."""
        alone = sum(not case.group for case in cases)
        if not cases or alone == len(cases):
            return [
                "pool: its cases are single images, as for ratings; in "
                "comparisons the images of one case have the same "
                "group, and their method as source (upload one folder per method as comparisons, or run: discern "
                "generate pool --comparisons)"
            ]
        reasons = [f"pool: {alone} images do not belong to a group"] if alone else []
        sources = sorted({case.source for case in cases if case.group})
        for name, group in by_group(cases).items():
            given = Counter(cases[index].source for index in group)
            reasons += [f"pool: case {name}: no image of {source}" for source in sources if source not in given]
            twice = [source for source, times in given.items() if times > 1]
            reasons += [f"pool: case {name}: {given[s]} images of {s}; expected one" for s in twice]
        methods = [source for source in sources if source != REFERENCE]
        if not FEWEST <= len(methods) <= MOST:
            found = ", ".join(methods) or "none"
            reasons.append(f"pool: {len(methods)} methods ({found}); expected {FEWEST} to {MOST}")
        return reasons

    def unlike(self, cases: Sequence[Shown], practice: Sequence[Shown]) -> str:
        """Compare the methods."""
        scored, rehearsed = ({case.source for case in some} for some in (cases, practice))
        said = " and ".join(", ".join(sorted(some)) for some in (rehearsed, scored))
        return "" if scored == rehearsed else f"its methods differ from those of the scored cases: {said}"

    def ordered(self, cases: Sequence[Shown], group: Sequence[int]) -> list[int]:
        """Sorted by method, with the reference last."""
        return sorted(group, key=lambda i: (cases[i].source == REFERENCE, cases[i].source))

    def kind(self, case: Shown) -> str:
        """Its method."""
        return case.source

    def reference(self, cases: Sequence[Shown]) -> int | None:
        """The last place, if the pool has a reference."""
        return len(cases) if cases[-1].source == REFERENCE else None

    def choices(self, rules: StudySettings) -> list[dict[str, Any]]:
        """The criteria in order: name, kind, wording, and the points of a scale."""
        assert isinstance(rules, ComparisonSettings)
        return [
            {"criterion": one.name, "kind": one.kind, "words": one.words}
            | ({"points": one.points} if one.kind == "scale" else {})
            for one in parsed(rules.criteria)
        ]

    def page(self, rules: StudySettings) -> dict[str, Any]:
        """The criteria, in order."""
        assert isinstance(rules, ComparisonSettings)
        return {
            "criteria": [replace(one, words=gettext(one.words)) for one in parsed(rules.criteria, str(get_locale()))]
        }

    def check(self, said: Mapping[str, Any], rules: StudySettings, places: Sequence[int]) -> list[dict[str, Any]]:
        """One row per place and criterion, with `value`. `places` are those of the images to be judged."""
        given, choices = said.get("criteria"), self.choices(rules)
        names = {choice["criterion"] for choice in choices}
        if not isinstance(given, Mapping) or given.keys() - names:
            raise _refused(f"criteria: expected an answer for each of {', '.join(sorted(names))}, and no others")
        rows = []
        for choice in choices:
            name = choice["criterion"]
            if name not in given:
                raise _refused(f"criterion {name!r} is missing")
            values = _values(choice, given[name], sorted(places))
            rows += [
                {"place": place, "criterion": name, "value": value}
                for place, value in zip(sorted(places), values, strict=True)
            ]
        return rows

    def told(self, answers: Sequence[Said]) -> dict[str, Any]:
        """For each criterion, the values by place or the chosen place."""
        values: dict[str, list[Any]] = defaultdict(list)
        for row in answers:
            if row.value is None:
                continue  # the reference
            values[row.criterion].append(row.value)
        return {"criteria": {name: _as_sent(given) for name, given in values.items()}}

    def feedback(self, told: Mapping[str, Any], truths: Sequence[str]) -> dict[str, Any]:
        """None: there are no right or wrong answers."""
        return {}

    def simulate(
        self, observer: Observer, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Prefer the method that comes first by name with a given probability."""
        return observer.compare([case for case in cases if case[1] != REFERENCE], choices, len(cases))


def _refused(what: str) -> RefusedError:
    return RefusedError("not-an-answer", what, status=422)


def _values(choice: Mapping[str, Any], given: Any, places: Sequence[int]) -> list[str]:
    """The stored values for one criterion, by place. Raises RefusedError."""
    name, kind = choice["criterion"], choice["kind"]
    if kind == "choice":
        if type(given) is not int or given not in places:
            raise _refused(f"criterion {name!r}: {given!r} is not the position of an image on the screen")
        return ["chosen" if place == given else "not chosen" for place in places]
    if not isinstance(given, list) or len(given) != len(places):
        raise _refused(f"criterion {name!r}: expected a list of {len(places)} answers, one per image")
    for one in given:
        if kind == "scale" and (type(one) is not int or not 1 <= one <= choice["points"]):
            raise _refused(f"criterion {name!r}: {one!r} is not a whole number from 1 to {choice['points']}")
        if kind != "scale" and one not in VALUES[kind]:
            raise _refused(f"criterion {name!r}: {one!r} is not one of {', '.join(VALUES[kind])}")
    return [str(one) for one in given]


def _as_sent(values: list[Any]) -> Any:
    if "chosen" in values:
        return 1 + values.index("chosen")
    return [int(value) if value.isdecimal() else value for value in values]
