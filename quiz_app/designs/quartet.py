"""Quartet: several images, one of them real and each of the others from a different source. Readers say which one is
real and how realistic each image is.

The quartets are the groups of the pool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from flask_babel import gettext

from quiz_app.designs.design import Said, Shown
from quiz_app.designs.groups import Grouped, by_group
from quiz_app.designs.observer import Observer
from quiz_app.errors import RefusedError
from quiz_app.languages import sections, study_text
from quiz_app.rules import marked, rule
from quiz_app.study.settings import OF_RATINGS, StudySettings

FEWEST, MOST = 2, 6  # images of a quartet
SCALE = (
    marked("Unrealistic"),
    marked("Rather unrealistic"),
    marked("Rather realistic"),
    marked("Fully realistic"),
)


@dataclass(frozen=True)
class QuartetSettings(StudySettings):
    """How a quartet study is read. The defaults are those of the published study of the cervical spine."""

    unused: ClassVar[frozenset[str]] = frozenset({"block", "unsure", "labels"}) | OF_RATINGS

    limit_s: float = rule(
        "Time",
        "Time limit (s)",
        0.0,
        "Seconds a reader has for a quartet, choice and realism together, or for the first part if the second has its "
        "own limit; 0 = no limit. A later answer is still accepted and marked late.",
        0,
        3600,
    )
    second_s: float = rule(
        "Time",
        "Time limit of the second part (s)",
        0.0,
        "Seconds for the second part, counted from the end of the first. The time limit above then applies to the "
        "first part only; 0 = one clock for both.",
        0,
        3600,
    )
    cases: int = rule(
        "Cases", "Quartets per reader", 0, "Quartets a reader judges; 0 = every quartet of the pool.", 0, 10_000
    )
    repeats: int = rule(
        "Cases",
        "Repeated quartets",
        0,
        "Quartets shown a second time, to measure a reader's agreement with themselves: the first in the order return "
        "in its last third, with the images in new positions.",
        0,
        1000,
    )
    practice: int = rule("Cases", "Practice quartets", 2, "Practice quartets at the start, never scored.", 0, 50)
    practice_feedback: bool = rule(
        "Cases", "Feedback in practice", True, "Show which image of a practice quartet is real."
    )
    break_every: int = rule(
        "Breaks", "Break every", 25, "A break is offered after this many quartets; 0 = none.", 0, 10_000
    )
    first: str = rule(
        "Answers",
        "First",
        "choice",
        "Which question comes first.",
        choices={"choice": "which image is real, then the realism of each", "realism": "the realism of each image"},
    )
    scale: tuple[str, ...] = rule(
        "Answers",
        "Scale of realism",
        (),
        "Words on the scale, one per line, starting with the least realistic: four or five; none = the usual four. A "
        "line with only [da] or [de] starts another language.",
        lines=(4, 5),
    )
    welcome: str = rule(
        "Texts",
        "Welcome",
        marked(
            "Thank you for taking part. You will see several radiographs at a time. One of them is real, the others "
            "are synthetic."
        ),
        "Shown at the top of the welcome page.",
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
    def trial_s(self) -> float:
        """The time limit of both parts together, in seconds."""
        return self.limit_s and self.limit_s + self.second_s

    @property
    def points(self) -> int:
        """The number of points on the realism scale."""
        own = sections("\n".join(self.scale))[""]
        return sum(bool(line.strip()) for line in own.splitlines()) or len(SCALE)


class Quartet(Grouped):
    """One group of the pool per trial; over a reader's trials, each source appears in each place equally often."""

    name = "quartet"
    settings = QuartetSettings
    presets: Mapping[str, tuple[str, StudySettings]] = MappingProxyType(
        {
            "cervical": (
                "The published study: fifty quartets, four points, no time limit.",
                QuartetSettings(cases=50),
            ),
            "quartets": ("Every quartet of the pool, four points, no time limit.", QuartetSettings()),
        }
    )
    chooses = True
    noun = "quartets"
    measures = MappingProxyType({"quartet": "Share of quartets in which the real image is found"})
    balance = "with the real image equally often in each position"
    untimed_s = 30

    def unfit(self, cases: Sequence[Shown]) -> list[str]:
        """A pool without groups is for ratings; a quartet has one real image and one from every source."""
        alone = sum(not case.group for case in cases)
        if not cases or alone == len(cases):
            return [
                "pool: its cases are single images, as for ratings; in quartets each belongs to a group (upload one "
                "folder per source as quartets, or run: discern generate pool --quartets)"
            ]
        reasons = [f"pool: cases that do not belong to a quartet: {alone}"] if alone else []
        groups = by_group(cases)
        sources = {cases[index].source for group in groups.values() for index in group if _is_synthetic(cases[index])}
        for name, group in groups.items():
            reasons += [f"pool: quartet {name}: {fault}" for fault in _faults([cases[i] for i in group], sources)]
        if not FEWEST <= len(sources) + 1 <= MOST:
            reasons.append(f"pool: quartets of {len(sources) + 1} images; expected {FEWEST} to {MOST}")
        return reasons

    def faults(self, cases: Sequence[Shown], practice: Sequence[Shown], rules: StudySettings) -> list[str]:
        """A second clock needs a first one."""
        assert isinstance(rules, QuartetSettings)
        alone = rules.second_s and not rules.limit_s
        reason = "second_s: the second part can have a time limit only if the first part has one (limit_s)"
        return super().faults(cases, practice, rules) + [reason] * bool(alone)

    def unlike(self, cases: Sequence[Shown], practice: Sequence[Shown]) -> str:
        """Compare the numbers of sources."""
        scored, rehearsed = (len(set(map(self.kind, some))) for some in (cases, practice))
        return "" if scored == rehearsed else f"practice has {rehearsed} sources, the scored cases have {scored}"

    def ordered(self, cases: Sequence[Shown], group: Sequence[int]) -> list[int]:
        """The real image first, then sorted by source."""
        return sorted(group, key=lambda i: (cases[i].truth, cases[i].source))

    def kind(self, case: Shown) -> str:
        """Real, whatever its source, or synthetic from one source."""
        return f"synthetic {case.source}" if _is_synthetic(case) else case.truth

    def rehearsals(self, practice: Sequence[Shown]) -> list[list[int]]:
        """The practice trials that have a real image."""
        return [row for row in super().rehearsals(practice) if practice[row[0]].truth == "real" and len(row) >= FEWEST]

    def choices(self, rules: StudySettings) -> list[dict[str, Any]]:
        """The two parts, in order; realism goes from 1 to `points`."""
        assert isinstance(rules, QuartetSettings)
        parts: list[dict[str, Any]] = [{"part": "choice"}, {"part": "realism", "points": rules.points}]
        parts = parts if rules.first == "choice" else parts[::-1]
        limits = (rules.limit_s, rules.second_s) if rules.second_s else (0, 0)
        return [part | ({"limit_ms": round(s * 1000)} if s else {}) for part, s in zip(parts, limits, strict=True)]

    def page(self, rules: StudySettings) -> dict[str, Any]:
        """The words on the realism scale, starting at 1."""
        assert isinstance(rules, QuartetSettings)
        own = [line.strip() for line in study_text("\n".join(rules.scale)).splitlines() if line.strip()]
        return {"scale": own or [gettext(word) for word in SCALE]}

    def check(self, said: Mapping[str, Any], rules: StudySettings, places: Sequence[int]) -> list[dict[str, Any]]:
        """One row per place, with `chosen` and `realism`."""
        assert isinstance(rules, QuartetSettings)
        chosen, realism = said.get("chosen"), said.get("realism")
        if type(chosen) is not int or chosen not in places:
            raise RefusedError(
                "not-an-answer", f"chosen {chosen!r} is not the position of an image on the screen", status=422
            )
        if not isinstance(realism, list) or len(realism) != len(places):
            raise RefusedError("not-an-answer", f"realism: expected a list of {len(places)} numbers", status=422)
        for one in realism:
            if type(one) is not int or not 1 <= one <= rules.points:
                what = f"realism {one!r} is not a whole number from 1 to {rules.points}"
                raise RefusedError("not-an-answer", what, status=422)
        return [
            {"place": place, "chosen": place == chosen, "realism": one}
            for place, one in zip(sorted(places), realism, strict=True)
        ]

    def is_late(self, rules: StudySettings, client_ms: int | None, viewer: Mapping[str, Any]) -> bool:
        """Whether one part took longer than its own limit. Only the browser knows when the first part ended."""
        assert isinstance(rules, QuartetSettings)
        first_ms = viewer.get("first_ms")
        if not rules.second_s or first_ms is None:
            return False
        return first_ms > rules.limit_s * 1000 or (client_ms or 0) - first_ms > rules.second_s * 1000

    def taken_for_synthetic(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """The images that were not chosen."""
        return [row["place"] for row in rows if not row["chosen"]]

    def told(self, answers: Sequence[Said]) -> dict[str, Any]:
        """The chosen place, and the realism by place."""
        return {
            "chosen": next(place for place, row in enumerate(answers, start=1) if row.chosen),
            "realism": [row.realism for row in answers],
        }

    def feedback(self, told: Mapping[str, Any], truths: Sequence[str]) -> dict[str, Any]:
        """The place of the real image."""
        real = 1 + list(truths).index("real")
        return {"real": real, "correct": told["chosen"] == real}

    def simulate(
        self, observer: Observer, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Answer by signal detection theory, or with a given probability of success."""
        points = next(part["points"] for part in choices if part["part"] == "realism")
        return observer.choose(cases, points)


def _is_synthetic(case: Shown) -> bool:
    return case.truth == "synthetic"


def _faults(group: Sequence[Shown], sources: set[str]) -> list[str]:
    """What is wrong with one quartet, which should have every synthetic source once."""
    real = sum(case.truth == "real" for case in group)
    given = Counter(case.source for case in group if _is_synthetic(case))
    faults = [] if real == 1 else [f"{real or 'no'} real image{'s' if real > 1 else ''}; expected one"]
    faults += [f"no image of {source}" for source in sorted(sources - given.keys())]
    return faults + [f"{times} images of {source}; expected one" for source, times in given.items() if times > 1]
