"""Beginning a sitting: which cases, in which order, stored once and for all."""

from __future__ import annotations

import secrets

import numpy as np
import sqlalchemy as sa

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.designs.design import Planned
from quiz_app.designs.order import reader_seed
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Reader, Sitting, Study, Trial, TrialCase
from quiz_app.study import readers
from quiz_app.study.cases import practice_cases, scored_cases


def begin(reader: Reader) -> Sitting:
    """A new sitting of `reader`, its whole order laid down. The seed is recorded with it."""
    study, rules = reader.study, reader.study.rules
    number = len(reader.sittings) + 1
    seed = reader_seed(study.seed, reader.pseudonym, number)
    rng = np.random.Generator(np.random.PCG64(seed))
    sitting = Sitting(number=number, seed=seed, created_at=clock.now())
    reader.sittings.append(sitting)
    db.session.flush()
    design, training = DESIGNS[study.design], practice_cases(study)
    rehearsed = design.rehearse(training, rules, rng)
    cases = dealt_cases(study, rng)
    _lay_down(sitting, [(rehearsed, training), (design.compose(cases, rules, rng), cases)], study.version)
    log.record("sitting-begun", sitting=sitting, number=number, seed=seed)
    return sitting


def reset(reader: Reader, reason: str, *, actor: str = "") -> None:
    """Let the reader begin anew, in another order. The earlier answers stay; the report takes the latest sitting.

    Raises InvalidInputError when there is nothing to begin anew, the study is not open, or no reason is given.
    """
    faults = readers.no_reason(reason)
    if reader.sitting is None:
        faults.append(f"sitting: {reader.pseudonym} has not begun")
    if reader.study.state != "open":
        faults.append(f"state: the study is {reader.study.state}")
    if faults:
        raise InvalidInputError(faults)
    sitting = begin(reader)
    log.record("reader-reset", sitting=sitting, actor=actor, reader=reader.pseudonym, reason=reason.strip())


def dealt_cases(study: Study, rng: np.random.Generator) -> list[Case]:
    """The cases of one sitting: all, those drawn for the study, or those dealt least often so far."""
    rules, cases = study.rules, scored_cases(study)
    if not rules.cases:
        return cases
    read = None
    if rules.assignment == "crossed":
        rng = np.random.Generator(np.random.PCG64(study.seed))
    else:
        counts = _times_dealt(study)
        read = [counts.get(case.id, 0) for case in cases]
    return [cases[index] for index in DESIGNS[study.design].deal(cases, rules, rng, read)]


def _times_dealt(study: Study) -> dict[int, int]:
    query = (
        sa.select(TrialCase.case_id, sa.func.count())
        .join(Trial)
        .join(Sitting)
        .join(Reader)
        .where(Reader.study_id == study.id, sa.not_(Reader.is_preview))
        .where(sa.not_(Trial.is_training), sa.not_(Trial.is_repeat))
        .group_by(TrialCase.case_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


def _lay_down(sitting: Sitting, parts: list[tuple[list[Planned], list[Case]]], version: int) -> None:
    """Store the trials of a sitting and what they show, each part with positions of its own: in two statements."""
    planned = [(position, trial, cases) for trials, cases in parts for position, trial in enumerate(trials, start=1)]
    if not planned:
        return
    rows = [
        {
            "sitting_id": sitting.id,
            "token": secrets.token_urlsafe(16),
            "position": position,
            "block": trial.block,
            "is_training": trial.block == 0,
            "is_repeat": trial.is_repeat,
            "study_version": version,
        }
        for position, trial, _ in planned
    ]
    ids = db.session.scalars(sa.insert(Trial).returning(Trial.id, sort_by_parameter_order=True), rows)
    shown = [
        {"trial_id": number, "case_id": cases[index].id, "place": place, "token": secrets.token_urlsafe(16)}
        for number, (_, trial, cases) in zip(ids, planned, strict=True)
        for place, index in enumerate(trial.cases, start=1)
    ]
    db.session.execute(sa.insert(TrialCase), shown)
