"""Entry to a study: consent, and the questions before the sitting begins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.errors import InvalidInputError, RefusedError
from quiz_app.models import Reader, Sitting, Study
from quiz_app.rules import marked
from quiz_app.sittings import start
from quiz_app.study import readers
from quiz_app.study.cases import scored_cases

MOST_YEARS = 70
LONGEST_TEXT = 500
LONGEST_GROUP = 80
# Error messages for the reader's page. Not inside an f-string, because Babel does not look there.
CHOOSE = marked("Please choose one.")
NAME = marked("Please write 1 to 80 characters.")
WHOLE = marked("Please enter a whole number from 0 to 70.")
WRITE = marked("Please write 1 to 500 characters.")
MARKING_S = 10  # about how long a reader takes for the marks of a trial
SMALLEST_SCREEN = 600  # CSS pixels: anything narrower is a phone
# What the device check measures, with plausible bounds.
DEVICE = {
    "width": (1, 50_000),  # of the screen, in CSS pixels
    "height": (1, 50_000),
    "ratio": (0.1, 20),  # device pixels per CSS pixel
    "depth": (1, 64),  # bits per pixel
    "touch": (0, 1),
    "trip_ms": (0, 600_000),  # to the server and back
    "frame_ms": (0, 10_000),  # between two frames of the screen
}


def expected_minutes(study: Study) -> int:
    """How long each part takes a reader in minutes, rounded up: two thirds of the time limit per case, marks after
    every case or every second case, and the suggested breaks. Conditions may have other limits."""
    rules, design = study.rules, DESIGNS[study.design]
    read = rules.cases or design.available(scored_cases(study))
    cases = (read // rules.periods if rules.conditions_cases == "split" else read) + rules.repeats
    case_s = (rules.trial_s * 2 / 3 or design.untimed_s) + rules.interval_ms / 1000
    if rules.marks != "off":
        case_s += MARKING_S / (1 if rules.marks_for == "all" else 2)
    breaks = (cases - 1) // rules.break_every if rules.break_every and cases else 0
    rest_s = breaks * rules.break_s + (rules.long_break_s - rules.break_s if breaks else 0)
    return -int(-((cases + rules.practice) * case_s + rest_s) // 60)


def consent(reader: Reader, external_id: str = "") -> None:
    """Record that the reader agrees to take part; `external_id` is their ID at the panel. Agreeing twice changes
    nothing.

    Raises RefusedError (409) if another reader of the study has that ID: nobody takes a study twice.
    """
    if reader.consented_at is None:
        if external_id and not reader.is_preview:
            assert_new(reader.study, external_id)
            reader.external_id = external_id
        reader.consented_at = clock.now()
        log.record("consented", study=reader.study, actor=reader.pseudonym)


def assert_new(study: Study, external_id: str) -> None:
    """Raise RefusedError (409) if a reader of the study has this ID: nobody takes a study twice."""
    same = sa.select(Reader.id).filter_by(study_id=study.id, external_id=external_id)
    if db.session.scalar(same) is not None:
        raise RefusedError(
            "panel-id-taken",
            "You have already started this study. Please continue with the personal link that you were given then.",
            409,
        )


@dataclass(frozen=True)
class Question:
    """One of the study's own questions: a choice, or free text if there are no `choices`."""

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
    """The questions that this reader has not answered yet: `group`, `years`, and the study's own by name."""
    rules = reader.study.rules
    asked = ["group"] if rules.groups and reader.group is None else []
    asked += ["years"] if rules.ask_years and reader.years is None else []
    return asked + [question.name for question in own_questions(reader.study) if question.words not in reader.profile]


def enrol(reader: Reader, said: Mapping[str, str]) -> Sitting:
    """Store the reader's details and begin the sitting.

    Raises InvalidInputError with every problem by field.
    """
    told = _told(reader.study, questions(reader), said)
    _keep(reader, told)
    return reader.sitting or start.begin(reader)


def correct(reader: Reader, said: Mapping[str, str], *, actor: str = "") -> None:
    """Correct what is stored about the reader: group, years, answers to the study's own questions, e-mail address.

    Only the fields in `said` change, and only those that the reader has given. The log records which, and why.
    Raises InvalidInputError with every problem by field.
    """
    faults = readers.no_reason(said.get("reason", ""))
    known = [name for name in answered(reader) if name in said]
    try:
        told = _told(reader.study, known, said)
    except InvalidInputError as faulty:
        told, faults = {}, faults + faulty.faults
    email = said.get("email", reader.email or "").strip()
    faults += readers.no_address(email, reader.pseudonym)
    if faults:
        raise InvalidInputError(faults)
    before = (reader.group, reader.years, reader.email, reader.profile)
    _keep(reader, told)
    reader.email = email or None
    after = (reader.group, reader.years, reader.email, reader.profile)
    names = ("group", "years", "email", "questions")
    changed = [name for name, was, is_ in zip(names, before, after, strict=True) if was != is_]
    if not changed:
        raise InvalidInputError(["reader: no field was changed"])
    log.record(
        "reader-corrected",
        study=reader.study,
        actor=actor,
        reader=reader.pseudonym,
        fields=changed,
        reason=said["reason"].strip()[:500],
    )


def answered(reader: Reader) -> list[str]:
    """The questions that this reader has answered: the opposite of `questions`."""
    told = ["group"] if reader.group is not None else []
    told += ["years"] if reader.years is not None else []
    return told + [question.name for question in own_questions(reader.study) if question.words in reader.profile]


def _told(study: Study, asked: list[str], said: Mapping[str, str]) -> dict[str, str]:
    """The answers to the questions in `asked`, by name. Raises InvalidInputError with every problem by field."""
    told, faults = {name: said.get(name, "").strip() for name in asked}, []
    group, years = told.get("group"), told.get("years", "0")
    if group is not None and study.rules.groups and group not in study.rules.groups:
        faults.append(f"group: {CHOOSE}")
    elif group is not None and not 0 < len(group) <= LONGEST_GROUP:
        faults.append(f"group: {NAME}")
    if not (years.isdecimal() and len(years) <= 2 and int(years) <= MOST_YEARS):
        faults.append(f"years: {WHOLE}")
    for question in own_questions(study):
        text = told.get(question.name)
        if text is None:
            continue
        if question.choices and text not in question.choices:
            faults.append(f"{question.name}: {CHOOSE}")
        elif not 0 < len(text) <= LONGEST_TEXT:
            faults.append(f"{question.name}: {WRITE}")
    if faults:
        raise InvalidInputError(faults)
    return told


def _keep(reader: Reader, told: Mapping[str, str]) -> None:
    if "group" in told:
        reader.group = told["group"]
    if "years" in told:
        reader.years = int(told["years"])
    own = {question.words: told[question.name] for question in own_questions(reader.study) if question.name in told}
    reader.profile = {**reader.profile, **own}


def instruct(sitting: Sitting, device: str) -> None:
    """Record that the reader has read the instructions; `device` = results of the device check as JSON, empty = none.

    Raises InvalidInputError if this is a phone and the study does not allow phones, and RefusedError (422) if `device`
    is invalid.
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
        raise RefusedError("bad-device", f"device: expected a JSON object with {', '.join(DEVICE)}", 422) from None
    return measured
