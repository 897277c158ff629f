"""Begin a sitting: its condition, cases and order, stored once and for all."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.designs import DESIGNS, allotment
from quiz_app.designs.design import Planned
from quiz_app.designs.order import reader_seed
from quiz_app.errors import InvalidInputError, RefusedError
from quiz_app.models import Case, Hint, Reader, Sitting, Study, Trial, TrialCase
from quiz_app.study import readers
from quiz_app.study.cases import practice_cases, scored_cases

ALLOTTING = 7_507_094  # any number that does not change and that no other lock uses


def begin(reader: Reader) -> Sitting:
    """Create a new sitting of `reader` with its whole order. The seed is recorded with it.

    If the reader has begun before, it belongs to the same period and condition.
    """
    earlier = reader.sitting
    if earlier is None:
        return _lay(reader, **_allotted(reader))
    return _lay(
        reader,
        period=earlier.period,
        condition=earlier.condition,
        sequence=earlier.sequence,
        share=earlier.share,
    )


def begin_next(reader: Reader) -> Sitting:
    """The sitting of the reader's next period; if called again, the one that has begun.

    Raises RefusedError if the previous period is not finished, was the last one, or its washout is not over.
    """
    earlier = reader.sitting
    if earlier is not None and earlier.period > 1 and earlier.instructed_at is None:
        return earlier
    opens = reader.next_part_opens
    if earlier is None or opens is None:
        raise RefusedError("not-due", "There is no next part to start.")
    if clock.now() < opens:
        raise RefusedError("too-early", "You cannot start the next part yet.")
    names = (earlier.sequence or "").split(allotment.MARK)
    return _lay(
        reader,
        period=earlier.period + 1,
        condition=names[earlier.period],
        sequence=earlier.sequence,
        share=earlier.share,
    )


def reset(reader: Reader, reason: str, *, actor: str = "") -> None:
    """Let the reader start again, in a different order. The earlier answers stay; the report uses the latest sitting.

    If there are several periods, the latest one starts again. Raises InvalidInputError if the reader has not begun, the
    study is not open, or no reason is given.
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


def _lay(reader: Reader, period: int, condition: str | None, sequence: str | None, share: int | None) -> Sitting:
    """Create a new sitting in this period, under this condition."""
    study, rules = reader.study, reader.study.rules.under(condition)
    number = len(reader.sittings) + 1
    seed = reader_seed(study.seed, reader.pseudonym, number)
    rng = np.random.Generator(np.random.PCG64(seed))
    sitting = Sitting(
        number=number,
        seed=seed,
        created_at=clock.now(),
        period=period,
        condition=condition,
        sequence=sequence,
        share=share,
    )
    read = _read_before(reader) if period > 1 and rules.conditions_cases == "same" else None
    reader.sittings.append(sitting)
    db.session.flush()
    design, training = DESIGNS[study.design], practice_cases(study)
    rehearsed = design.rehearse(training, rules, rng)
    if read is None:
        cases = dealt_cases(study, rng)
        if share is not None and condition is not None:
            cases = _part(study, cases, (rules.condition_names.index(condition) + share) % rules.periods)
    else:
        cases = [case for case in scored_cases(study) if case.id in read]
    hints = _hints(study) if rules.hints else {}
    planned = [(rehearsed, training), (design.compose(cases, rules, rng), cases)]
    _lay_down(sitting, planned, study.version, hints)
    # The log does not name the condition: the allocation stays concealed.
    told: dict[str, Any] = {"number": number, "seed": seed} | ({"period": period} if condition else {})
    log.record("sitting-begun", sitting=sitting, **told)
    return sitting


def _allotted(reader: Reader) -> dict[str, Any]:
    """The condition under which a new reader begins, and what follows, from the reader's number within the group.

    All readers count who have begun and whose answers are kept. Previews do not count, and get a random number, so that
    a preview does not reveal what the next reader will get.
    """
    study, rules = reader.study, reader.study.rules
    names = rules.condition_names
    if not names:
        return {"period": 1, "condition": None, "sequence": None, "share": None}
    _one_at_a_time(study)
    group = reader.group or ""
    before = sa.select(sa.func.count(sa.distinct(Reader.id))).join(Sitting).where(Reader.study_id == study.id)
    before = before.where(sa.func.coalesce(Reader.group, "") == group, sa.not_(Reader.is_preview))
    number = secrets.randbelow(100) if reader.is_preview else db.session.scalar(before) or 0
    if rules.conditions_by == "between":
        name = names[allotment.allotted(len(names), number, study.seed, group)]
        return {"period": 1, "condition": name, "sequence": name, "share": None}
    rows = allotment.sequences(len(names))
    row = rows[allotment.allotted(len(rows), number, study.seed, group)]
    share = None
    if rules.conditions_cases == "split":
        share = allotment.allotted(len(names), number, study.seed, f"{group}/share")
    sequence = [names[index] for index in row]
    return {"period": 1, "condition": sequence[0], "sequence": allotment.MARK.join(sequence), "share": share}


def _one_at_a_time(study: Study) -> None:
    """Until this transaction ends, nobody else can begin in the study; SQLite has only one writer anyway."""
    if db.session.connection().dialect.name == "postgresql":
        db.session.execute(sa.select(sa.func.pg_advisory_xact_lock(ALLOTTING, study.id)))


def _read_before(reader: Reader) -> set[int]:
    """The scored cases of the reader's latest sitting."""
    query = sa.select(TrialCase.case_id).join(Trial).where(sa.not_(Trial.is_training))
    return set(db.session.scalars(query.where(Trial.sitting_id == reader.sittings[-1].id)))


def _part(study: Study, cases: list[Case], number: int) -> list[Case]:
    """One of the parts into which cases are split, the same for all readers. A group that is one trial stays together;
    otherwise, each part has the same number of cases from each class and source."""
    grouped = DESIGNS[study.design].grouped
    units: dict[Hashable, Hashable] = {}
    for case in cases:
        units[case.group if grouped else case.id] = "" if grouped else (case.truth, case.source)
    rng = np.random.Generator(np.random.PCG64(study.seed))
    part = dict(zip(units, allotment.parts(list(units.values()), study.rules.periods, rng), strict=True))
    return [case for case in cases if part[case.group if grouped else case.id] == number]


def _hints(study: Study) -> dict[int, Hint]:
    return {hint.case_id: hint for hint in db.session.scalars(sa.select(Hint).filter_by(study_id=study.id))}


def dealt_cases(study: Study, rng: np.random.Generator) -> list[Case]:
    """The cases of one sitting: all cases, those drawn for the study, those dealt least often so far, or the anchors
    and the block that the fewest readers have read."""
    rules, cases = study.rules, scored_cases(study)
    if not rules.cases:
        return cases
    read = None
    if rules.assignment == "crossed":
        rng = np.random.Generator(np.random.PCG64(study.seed))
    elif rules.assignment == "anchored":
        return _anchored(study, cases, rng)
    else:
        counts = _times_dealt(study)
        read = [counts[case.id].begun for case in cases]
    return [cases[index] for index in DESIGNS[study.design].deal(cases, rules, rng, read)]


def _anchored(study: Study, cases: list[Case], rng: np.random.Generator) -> list[Case]:
    """The anchors and the least-filled block. Both depend on the seed of the study."""
    _one_at_a_time(study)
    drawing = np.random.Generator(np.random.PCG64(study.seed))
    truths = [case.truth == "synthetic" for case in cases]
    sources = [case.source for case in cases]
    anchors, blocks = allotment.anchored(truths, study.rules.cases, study.rules.anchors, drawing, sources)
    counts = _times_dealt(study)
    finished, begun = ([getattr(counts[case.id], name) for case in cases] for name in ("finished", "begun"))
    block = blocks[allotment.least_filled(blocks, finished, begun, rng)]
    return [cases[index] for index in sorted([*anchors, *block])]


@dataclass(frozen=True)
class Dealt:
    """The number of readers to whom a case was dealt, and how many of them have finished."""

    begun: int = 0
    finished: int = 0


def _times_dealt(study: Study) -> defaultdict[int, Dealt]:
    done = sa.func.count(sa.distinct(sa.case((Sitting.finished_at.isnot(None), Reader.id))))
    query = (
        sa.select(TrialCase.case_id, sa.func.count(sa.distinct(Reader.id)), done)
        .join(Trial)
        .join(Sitting)
        .join(Reader)
        .where(Reader.study_id == study.id, sa.not_(Reader.is_preview))
        .where(sa.not_(Trial.is_training), sa.not_(Trial.is_repeat))
        .group_by(TrialCase.case_id)
    )
    dealt = {case: Dealt(begun, finished) for case, begun, finished in db.session.execute(query)}
    return defaultdict(Dealt, dealt)


def _lay_down(
    sitting: Sitting, parts: list[tuple[list[Planned], list[Case]]], version: int, hints: Mapping[int, Hint]
) -> None:
    """Store the trials of a sitting and what they show, in two statements; each part has its own positions."""
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
        {
            "trial_id": number,
            "case_id": cases[index].id,
            "place": place,
            "token": secrets.token_urlsafe(16),
            "hint": hints[cases[index].id].hint if cases[index].id in hints else None,
            "hint_text": hints[cases[index].id].text if cases[index].id in hints else None,
        }
        for number, (_, trial, cases) in zip(ids, planned, strict=True)
        for place, index in enumerate(trial.cases, start=1)
    ]
    db.session.execute(sa.insert(TrialCase), shown)
