"""Quartet: several images, of which one is real and each other one of another source; which is real, how real is each.

The quartets are those of the pool: cases with the same `group`. Those for practice have the group `practice`, and are
put together in the order of the pool: the first case of each source, the second, and so on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from flask_babel import gettext

from quiz_app.designs.design import Design, Planned, Said, Shown
from quiz_app.designs.observer import Observer
from quiz_app.designs.order import balanced_places, shown_again
from quiz_app.errors import RefusedError
from quiz_app.languages import sections, study_text
from quiz_app.study.settings import StudySettings, marked, rule

FEWEST, MOST = 2, 6  # images of a quartet
SCALE = (
    marked("Unrealistic"),
    marked("Rather unrealistic"),
    marked("Rather realistic"),
    marked("Fully realistic"),
)


@dataclass(frozen=True)
class QuartetSettings(StudySettings):
    """How a study of quartets is read. The defaults are those of the published study of the cervical spine."""

    unused: ClassVar[frozenset[str]] = frozenset({"block", "unsure", "labels"})

    limit_s: float = rule(
        "Time",
        "Time limit (s)",
        0.0,
        "Seconds a reader has for a quartet, choice and realism together; 0 = no limit. An answer after them is still "
        "taken, and marked late.",
        0,
        3600,
    )
    cases: int = rule(
        "Cases", "Quartets a reader", 0, "Quartets a reader judges; 0 = every quartet of the pool.", 0, 10_000
    )
    repeats: int = rule(
        "Cases",
        "Repeated quartets",
        0,
        "Quartets shown a second time, for a reader's agreement with themselves: the first of the order, again in its "
        "last third, with the places drawn anew.",
        0,
        1000,
    )
    practice: int = rule("Cases", "Practice quartets", 2, "Practice quartets at the start, never scored.", 0, 50)
    practice_feedback: bool = rule(
        "Cases", "Feedback in practice", True, "Whether a reader is shown the real image of a practice quartet."
    )
    break_every: int = rule(
        "Breaks", "Break every", 25, "A break is offered after this many quartets; 0 = none.", 0, 10_000
    )
    first: str = rule(
        "Answers",
        "First",
        "choice",
        "What is asked first.",
        choices={"choice": "which image is real, then the realism of each", "realism": "the realism of each image"},
    )
    scale: tuple[str, ...] = rule(
        "Answers",
        "Scale of realism",
        (),
        "Words on the scale, one a line, from the least realistic on: four or five; none = the usual four. After a "
        "line [da] or [de] alone, those of another language.",
        lines=(4, 5),
    )
    welcome: str = rule(
        "Texts",
        "Welcome",
        marked(
            "Thank you for taking part. You will see radiographs several at a time. One of them is real, the others "
            "are synthetic."
        ),
        "First words on the welcome page.",
        long=True,
    )
    instructions: str = rule(
        "Texts",
        "Instructions",
        marked("Each time, say which radiograph is the real one, and how realistic each of them looks to you."),
        "Shown before practice.",
        long=True,
    )

    @property
    def points(self) -> int:
        """How many points the scale of realism has."""
        own = sections("\n".join(self.scale))[""]
        return sum(bool(line.strip()) for line in own.splitlines()) or len(SCALE)


class Quartet(Design):
    """One group of the pool a trial; over a reader's trials each source stands at each place equally often."""

    name = "quartet"
    settings = QuartetSettings
    presets: Mapping[str, tuple[str, StudySettings]] = MappingProxyType(
        {
            "cervical": (
                "The published study: fifty quartets, four points, no limit of time.",
                QuartetSettings(cases=50),
            ),
            "quartets": ("Every quartet of the pool, four points, no limit of time.", QuartetSettings()),
        }
    )
    grouped = True
    chooses = True
    noun = "quartets"
    balance = "with the real image equally often at each place"
    untimed_s = 30

    def unfit(self, cases: Sequence[Shown]) -> list[str]:
        """Without groups it is a pool for ratings; a quartet has one real image and one of every source."""
        alone = sum(not case.group for case in cases)
        if not cases or alone == len(cases):
            return [
                "pool: its cases stand alone, as for ratings; for quartets each must belong to a group (upload one "
                "folder a source as quartets, or: discern generate pool --quartets)"
            ]
        reasons = [f"pool: {alone} cases belong to no quartet"] if alone else []
        groups = _groups(cases)
        sources = {cases[index].source for group in groups.values() for index in group if _is_synthetic(cases[index])}
        for name, group in groups.items():
            reasons += [f"pool: quartet {name}: {fault}" for fault in _faults([cases[i] for i in group], sources)]
        if not FEWEST <= len(sources) + 1 <= MOST:
            reasons.append(f"pool: quartets of {len(sources) + 1} images; {FEWEST} to {MOST} are expected")
        return reasons

    def available(self, cases: Sequence[Shown]) -> int:
        """The quartets."""
        return len(_groups(cases))

    def faults(self, cases: Sequence[Shown], practice: Sequence[Shown], rules: StudySettings) -> list[str]:
        """Whole quartets, and enough of them for what the settings ask."""
        reasons = self.unfit(cases)
        if reasons:
            return reasons
        there, ready = self.available(cases), len(_rehearsals(practice))
        if rules.cases > there:
            reasons.append(f"cases: {rules.cases} quartets a reader are asked for, the pool has {there}")
        if rules.repeats > min(rules.cases or there, there) // 3:
            most = "at most a third of a reader's quartets can be"
            reasons.append(f"repeats: {rules.repeats} quartets are to be repeated, {most}")
        if ready < rules.practice:
            reasons.append(f"practice: {rules.practice} practice quartets are asked for, the pool has {ready}")
        size = len(next(iter(_groups(cases).values())))
        if rules.practice and ready and len(_rehearsals(practice)[0]) != size:
            reasons.append(f"practice: {len(_rehearsals(practice)[0])} sources are for practice, {size} are scored")
        return reasons

    def deal(
        self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator, read: Sequence[int] | None
    ) -> list[int]:
        """Whole quartets."""
        groups = list(_groups(cases).values())
        order = [groups[number] for number in rng.permutation(len(groups))]
        if read is not None:
            order.sort(key=lambda group: read[group[0]])  # stable: ties stay in random order
        return sorted(index for group in order[: rules.cases] for index in group)

    def rehearse(self, practice: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """As many as asked for, at random."""
        groups = _rehearsals(practice)
        order = [groups[number] for number in rng.permutation(len(groups))[: rules.practice]]
        return _placed(order, [(0, False)] * len(order), rng)

    def compose(self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """Every quartet once, some again, in one block."""
        groups = list(_groups(cases).values())
        order = [int(number) for number in rng.permutation(len(groups))]
        shown = shown_again(order, order[: rules.repeats], rng)
        return _placed([groups[number] for number, _ in shown], [(1, again) for _, again in shown], rng)

    def choices(self, rules: StudySettings) -> list[dict[str, Any]]:
        """The two parts, in their order; realism goes from 1 to `points`."""
        assert isinstance(rules, QuartetSettings)
        parts: list[dict[str, Any]] = [{"part": "choice"}, {"part": "realism", "points": rules.points}]
        return parts if rules.first == "choice" else parts[::-1]

    def page(self, rules: StudySettings) -> dict[str, Any]:
        """The words on the scale of realism, from 1 on."""
        assert isinstance(rules, QuartetSettings)
        own = [line.strip() for line in study_text("\n".join(rules.scale)).splitlines() if line.strip()]
        return {"scale": own or [gettext(word) for word in SCALE]}

    def check(self, said: Mapping[str, Any], rules: StudySettings, places: Sequence[int]) -> list[dict[str, Any]]:
        """A row a place: `chosen`, `realism`."""
        assert isinstance(rules, QuartetSettings)
        chosen, realism = said.get("chosen"), said.get("realism")
        if type(chosen) is not int or chosen not in places:
            raise RefusedError("not-an-answer", f"chosen {chosen!r} is none of the images on the screen", status=422)
        if not isinstance(realism, list) or len(realism) != len(places):
            raise RefusedError("not-an-answer", f"realism: a list of {len(places)} numbers is expected", status=422)
        for one in realism:
            if type(one) is not int or not 1 <= one <= rules.points:
                what = f"realism {one!r} is not a whole number from 1 to {rules.points}"
                raise RefusedError("not-an-answer", what, status=422)
        return [
            {"place": place, "chosen": place == chosen, "realism": one}
            for place, one in zip(sorted(places), realism, strict=True)
        ]

    def told(self, answers: Sequence[Said]) -> dict[str, Any]:
        """The place that was chosen, and the realism by place."""
        return {
            "chosen": next(place for place, row in enumerate(answers, start=1) if row.chosen),
            "realism": [row.realism for row in answers],
        }

    def feedback(self, told: Mapping[str, Any], truths: Sequence[str]) -> dict[str, Any]:
        """The place of the real one."""
        real = 1 + list(truths).index("real")
        return {"real": real, "correct": told["chosen"] == real}

    def simulate(
        self, observer: Observer, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """By signal detection theory, or with a given chance of success."""
        points = next(part["points"] for part in choices if part["part"] == "realism")
        return observer.choose(cases, points)


def _is_synthetic(case: Shown) -> bool:
    return case.truth == "synthetic"


def _groups(cases: Sequence[Shown]) -> dict[str, list[int]]:
    """The cases of each quartet, the real one first, then by source."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, case in enumerate(cases):
        if case.group:
            groups[case.group].append(index)
    return {name: sorted(group, key=lambda i: (cases[i].truth, cases[i].source)) for name, group in groups.items()}


def _rehearsals(practice: Sequence[Shown]) -> list[list[int]]:
    """The practice quartets: the cases of each source in their order, side by side."""
    columns: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, case in enumerate(practice):
        columns["real", ""].append(index) if case.truth == "real" else columns[case.truth, case.source].append(index)
    if ("real", "") not in columns or len(columns) < FEWEST:
        return []
    return [list(row) for row in zip(*(columns[name] for name in sorted(columns)), strict=False)]


def _faults(group: Sequence[Shown], sources: set[str]) -> list[str]:
    """What is wrong with one quartet, where every synthetic source is to be there once."""
    real = sum(case.truth == "real" for case in group)
    given = Counter(case.source for case in group if _is_synthetic(case))
    faults = [] if real == 1 else [f"{real or 'no'} real image{'s' if real > 1 else ''}; one is expected"]
    faults += [f"no image of {source}" for source in sorted(sources - given.keys())]
    return faults + [f"{times} images of {source}; one is expected" for source, times in given.items() if times > 1]


def _placed(groups: list[list[int]], kinds: list[tuple[int, bool]], rng: np.random.Generator) -> list[Planned]:
    """The trials with these cases, each at its place; `kinds` says block and repeat."""
    if not groups:
        return []
    planned = []
    places = balanced_places(len(groups), len(groups[0]), rng)
    for group, row, (block, again) in zip(groups, places, kinds, strict=True):
        at = {place: index for index, place in zip(group, row, strict=True)}
        planned.append(Planned(tuple(at[place] for place in range(len(group))), block, again))
    return planned
