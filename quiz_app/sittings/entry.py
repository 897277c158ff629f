"""The way in: what a reader agrees to and is asked before the sitting begins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quiz_app import clock, log
from quiz_app.designs import DESIGNS
from quiz_app.errors import InvalidInputError, RefusedError
from quiz_app.models import Reader, Sitting, Study
from quiz_app.sittings import start
from quiz_app.study.cases import scored_cases
from quiz_app.study.settings import marked

MOST_YEARS = 70
LONGEST_TEXT = 500
SMALLEST_SCREEN = 600  # CSS pixels: anything narrower is a phone
# What the device check measures, with the bounds of what can be true.
DEVICE = {
    "width": (1, 50_000),  # of the screen, in CSS pixels
    "height": (1, 50_000),
    "ratio": (0.1, 20),  # device pixels for one of them
    "depth": (1, 64),  # bits a pixel
    "touch": (0, 1),
    "trip_ms": (0, 600_000),  # to the server and back
    "frame_ms": (0, 10_000),  # between two frames of the screen
}


def expected_minutes(study: Study) -> int:
    """How long a reader will sit, rounded up: two thirds of the time limit a case, and the advised breaks."""
    rules, design = study.rules, DESIGNS[study.design]
    cases = (rules.cases or design.available(scored_cases(study))) + rules.repeats
    case_s = (rules.trial_s * 2 / 3 or design.untimed_s) + rules.interval_ms / 1000
    breaks = (cases - 1) // rules.break_every if rules.break_every and cases else 0
    rest_s = breaks * rules.break_s + (rules.long_break_s - rules.break_s if breaks else 0)
    return -int(-((cases + rules.practice) * case_s + rest_s) // 60)


def consent(reader: Reader) -> None:
    """The reader agrees to take part. Agreeing twice changes nothing."""
    if reader.consented_at is None:
        reader.consented_at = clock.now()
        log.record("consented", study=reader.study, actor=reader.pseudonym)


@dataclass(frozen=True)
class Question:
    """One of the study's own questions: a choice, or a free text where there are no `choices`."""

    name: str
    words: str
    choices: tuple[str, ...]


def own_questions(study: Study) -> list[Question]:
    """The study's own questions, from lines such as `Specialty: dentistry | radiology`."""
    asked = []
    for number, line in enumerate(study.rules.questions, start=1):
        words, _, offered = line.partition(":") if "|" in line else (line, "", "")
        choices = tuple(choice.strip() for choice in offered.split("|") if choice.strip())
        asked.append(Question(f"question-{number}", words.strip(), choices))
    return asked


def questions(reader: Reader) -> list[str]:
    """What this reader is still asked: `group`, `years`, and the study's own by name."""
    rules = reader.study.rules
    asked = ["group"] if rules.groups and reader.group is None else []
    asked += ["years"] if rules.ask_years and reader.years is None else []
    return asked + [question.name for question in own_questions(reader.study) if question.words not in reader.profile]


def enrol(reader: Reader, said: Mapping[str, str]) -> Sitting:
    """Keep what the reader says of themselves and begin the sitting.

    Raises InvalidInputError with every fault by field.
    """
    faults = []
    asked = questions(reader)
    group, years = said.get("group"), said.get("years", "").strip()
    if "group" in asked and group not in reader.study.rules.groups:
        faults.append(f"group: {marked('please choose one')}")
    if "years" in asked and not (years.isdecimal() and len(years) <= 2 and int(years) <= MOST_YEARS):
        faults.append(f"years: {marked('please give whole years, 0 to 70')}")
    own = {question: said.get(question.name, "").strip() for question in own_questions(reader.study)}
    own = {question: text for question, text in own.items() if question.name in asked}
    for question, text in own.items():
        if question.choices and text not in question.choices:
            faults.append(f"{question.name}: {marked('please choose one')}")
        elif not 0 < len(text) <= LONGEST_TEXT:
            faults.append(f"{question.name}: {marked('please answer, in at most 500 letters')}")
    if faults:
        raise InvalidInputError(faults)
    if "group" in asked:
        reader.group = group
    if "years" in asked:
        reader.years = int(years)
    reader.profile = {**reader.profile, **{question.words: text for question, text in own.items()}}
    return reader.sitting or start.begin(reader)


def instruct(sitting: Sitting, device: str) -> None:
    """The reader has read the instructions on a `device`, as its check tells in JSON; empty = not checked.

    Raises InvalidInputError where the study lets no phone in and this is one, RefusedError (422) for a check out of
    form.
    """
    measured = _measured(device) if device else {}
    narrowest = min(measured.get("width", SMALLEST_SCREEN), measured.get("height", SMALLEST_SCREEN))
    if narrowest < SMALLEST_SCREEN and not sitting.reader.study.rules.phones:
        small = marked("This screen is too small for this study. Please open your link on a larger one.")
        raise InvalidInputError([f"device: {small}"])
    sitting.device = {**sitting.device, **measured}
    sitting.instructed_at = clock.now()


def _measured(device: str) -> dict[str, Any]:
    try:
        measured = json.loads(device)
        for name, value in measured.items():
            low, high = DEVICE[name]
            if type(value) not in (int, float) or not low <= value <= high:
                raise ValueError
    except (ValueError, KeyError, AttributeError, RecursionError):
        raise RefusedError("bad-device", f"device: a JSON object of {', '.join(DEVICE)} is expected", 422) from None
    return measured
