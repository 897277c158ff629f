"""Beginning a sitting: which cases, in which order, stored once and for all."""

from __future__ import annotations

import secrets

import numpy as np
import sqlalchemy as sa

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Reader, Sitting, Study, Trial, TrialCase
from quiz_app.sittings.order import balanced_choice, balanced_order, reader_seed, with_repeats
from quiz_app.study import readers
from quiz_app.study.cases import practice_cases, scored_cases


def begin(reader: Reader) -> Sitting:
    """A new sitting of `reader`, its whole order laid down. The seed is recorded with it."""
    study, rules = reader.study, reader.study.rules
    number = len(reader.sittings) + 1
    seed = reader_seed(study.seed, reader.pseudonym, number)
    rng = np.random.Generator(np.random.PCG64(seed))
    sitting = Sitting(number=number, seed=seed, created_at=clock.now())
    training = practice_cases(study)
    for position, index in enumerate(rng.permutation(len(training))[: rules.practice], start=1):
        _add_trial(sitting, training[index], position, block=0, version=study.version)
    cases = dealt_cases(study, rng)
    truths = [case.truth == "synthetic" for case in cases]
    order = with_repeats(balanced_order(truths, rules.block, rng), truths, rules.repeats, rng)
    firsts = 0
    for position, (index, is_repeat) in enumerate(order, start=1):
        firsts += not is_repeat
        block = 1 + (firsts - 1) // rules.block
        _add_trial(sitting, cases[index], position, block=block, version=study.version, is_repeat=is_repeat)
    reader.sittings.append(sitting)
    db.session.flush()
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
    chosen = balanced_choice([case.truth == "synthetic" for case in cases], rules.cases, rng, read)
    return [cases[index] for index in chosen]


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


def _add_trial(
    sitting: Sitting, case: Case, position: int, block: int, version: int, *, is_repeat: bool = False
) -> None:
    sitting.trials.append(
        Trial(
            token=secrets.token_urlsafe(16),
            position=position,
            block=block,
            is_training=block == 0,
            is_repeat=is_repeat,
            study_version=version,
            cases=[TrialCase(case=case, token=secrets.token_urlsafe(16))],
        )
    )
