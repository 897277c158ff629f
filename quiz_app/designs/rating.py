"""Rating: one image; is it real or synthetic, and how certain is the reader?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from flask_babel import LazyString, lazy_gettext

from quiz_app.designs.design import Design, Planned, Said, Shown
from quiz_app.designs.observer import Observer
from quiz_app.designs.order import balanced_choice, balanced_order, with_repeats
from quiz_app.errors import RefusedError
from quiz_app.languages import study_text
from quiz_app.study.settings import PRESETS, StudySettings

ANSWERS = {"real": lazy_gettext("Real"), "synthetic": lazy_gettext("Synthetic"), "unsure": lazy_gettext("Unsure")}
CERTAINTIES = {"full": lazy_gettext("fully certain"), "partial": lazy_gettext("partially certain")}
LEVELS: dict[tuple[str, str | None], int] = {
    ("real", "full"): 1,
    ("real", "partial"): 2,
    ("unsure", None): 3,
    ("synthetic", "partial"): 4,
    ("synthetic", "full"): 5,
}


@dataclass(frozen=True)
class Choice:
    """One answer button. Its key is its level, so that each key means the same in every study."""

    key: int
    answer: str
    certainty: str | None
    label: str = ""  # the study's own words for it

    @property
    def word(self) -> LazyString | str:
        """Real, synthetic or unsure."""
        return self.label or ANSWERS[self.answer]

    @property
    def detail(self) -> LazyString | str:
        """How certain, if the study has no labels of its own."""
        return CERTAINTIES[self.certainty] if self.certainty and not self.label else ""


# Several generators, and the same cases under several conditions.
CONDITIONED: dict[str, tuple[str, StudySettings]] = {
    "generators": (
        "Several generators against shared real cases: every case, blocks large enough to hold some of each.",
        StudySettings(block=40, break_every=40),
    ),
    "clues": (
        "Half of the readers are told what to look for; edit the clue card before you open the study.",
        StudySettings(
            conditions=("untold", 'told: clue = "Look at the roots, at fine texture and at borders between tissues."'),
            conditions_by="between",
        ),
    ),
    "assisted": (
        "Every reader reads the same cases with and without a hint, four weeks apart; needs a hint file.",
        StudySettings(conditions=("unaided", "assisted: hints = true"), washout_days=28),
    ),
}


class Rating(Design):
    """One case per trial, with both classes equally frequent in every block."""

    name = "rating"
    presets: Mapping[str, tuple[str, StudySettings]] = PRESETS | CONDITIONED
    has_levels = True
    measures = MappingProxyType(
        {
            "auc": "Area under the ROC curve (mean of the readers)",
            "accuracy": "Accuracy (mean of the readers)",
            "kappa": "Agreement (Fleiss' kappa)",
        }
    )

    def faults(self, cases: Sequence[Shown], practice: Sequence[Shown], rules: StudySettings) -> list[str]:
        """Classes must be equal in size, and have enough cases for the settings."""
        real, reasons = len(cases) - sum(_synthetic(cases)), []
        synthetic = len(cases) - real
        if real != synthetic or not cases:
            reasons.append(f"pool: {real} real and {synthetic} synthetic cases; equal numbers of both are needed")
        if rules.cases > 2 * min(real, synthetic):
            reasons.append(f"cases: each reader should judge {rules.cases}, but the pool has {len(cases)}")
        if rules.repeats > min(rules.cases or len(cases), len(cases)) // 3:
            reasons.append(f"repeats: {rules.repeats} is too many; at most a third of a reader's cases can be repeated")
        if len(practice) < rules.practice:
            reasons.append(
                f"practice: the study needs {rules.practice} practice cases, but the pool has {len(practice)}"
            )
        return reasons

    def deal(
        self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator, read: Sequence[int] | None
    ) -> list[int]:
        """Half of each class, with sources in the same proportion as the pool."""
        return balanced_choice(_synthetic(cases), rules.cases, rng, read, [case.source for case in cases])

    def rehearse(self, practice: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """The number of trials in the settings, at random."""
        return [Planned((int(index),), block=0) for index in rng.permutation(len(practice))[: rules.practice]]

    def compose(self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """Every case once, in balanced blocks, and some again; a repeat belongs to the block in which it appears."""
        truths, planned, firsts = _synthetic(cases), [], 0
        order = balanced_order(truths, rules.block, rng, [case.source for case in cases])
        for index, is_repeat in with_repeats(order, truths, rules.repeats, rng):
            firsts += not is_repeat
            planned.append(Planned((index,), 1 + (firsts - 1) // rules.block, is_repeat))
        return planned

    def choices(self, rules: StudySettings) -> list[dict[str, Any]]:
        """The possible answers, in order of the levels."""
        offered = [pair for pair in LEVELS if pair[0] != "unsure" or rules.unsure]
        return [{"answer": answer, "certainty": certainty} for answer, certainty in offered]

    def page(self, rules: StudySettings) -> dict[str, Any]:
        """The answer buttons in order, and the study's own labels for the levels 1 to 5, if it has any."""
        labels = [line.strip() for line in study_text("\n".join(rules.labels)).splitlines() if line.strip()]
        own = labels or [""] * len(LEVELS)
        offered = [(str(c["answer"]), c["certainty"]) for c in self.choices(rules) if "answer" in c]
        levels = [(LEVELS[answer, certainty], answer, certainty) for answer, certainty in offered]
        choices = [Choice(level, answer, certainty, own[level - 1]) for level, answer, certainty in levels]
        return {"choices": choices, "labels": labels}

    def check(self, said: Mapping[str, Any], rules: StudySettings, places: Sequence[int]) -> list[dict[str, Any]]:
        """One row, with `answer`, `certainty` and `level`."""
        answer, certainty = said.get("answer"), said.get("certainty")
        if {"answer": answer, "certainty": certainty} not in self.choices(rules):
            raise RefusedError(
                "not-an-answer",
                f"answer {answer!r} with certainty {certainty!r} is not one of the answers of this study",
                status=422,
            )
        level = LEVELS[answer, certainty]  # type: ignore[index]
        return [{"place": places[0], "answer": answer, "certainty": certainty, "level": level}]

    def told(self, answers: Sequence[Said]) -> dict[str, Any]:
        """Answer and certainty."""
        return {"answer": answers[0].answer, "certainty": answers[0].certainty}

    def feedback(self, told: Mapping[str, Any], truths: Sequence[str]) -> dict[str, Any]:
        """The truth of the case; "unsure" is not correct."""
        return {"truth": truths[0], "correct": told["answer"] == truths[0]}

    def simulate(
        self, observer: Observer, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Answer by signal detection theory."""
        return observer.judge(*cases[0], choices)


def _synthetic(cases: Sequence[Shown]) -> list[bool]:
    return [case.truth == "synthetic" for case in cases]
