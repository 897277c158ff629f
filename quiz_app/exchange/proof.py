"""Check that nothing is missing: every trial of every sitting is there once and in order, with its answer if it was
answered.

The checksum is that of the exported responses, so that a restored backup can be compared with its original.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app.designs import DESIGNS
from quiz_app.exchange import responses_csv
from quiz_app.models import MARKS_DUE, Answer, Case, Reader, Sitting, Study, Trial, TrialCase
from quiz_app.storage import Store


@dataclass(frozen=True)
class Proof:
    """What a study contains; `sha256` is that of its responses; `faults` lists what is missing or inconsistent."""

    study: str
    readers: int
    finished: int
    trials: int
    answered: int
    answers: int
    sha256: str
    faults: list[str]


def of_database(session: Session) -> list[str]:
    """Errors that the database itself finds: SQLite reads every page; PostgreSQL has its own checksums."""
    if session.connection().dialect.name != "sqlite":
        return []
    said = [row[0] for row in session.execute(sa.text("PRAGMA integrity_check")) if row[0] != "ok"]
    broken = session.execute(sa.text("PRAGMA foreign_key_check")).all()
    return [f"database: {line}" for line in said] + [f"{row[0]}: row {row[1]} refers to nothing" for row in broken]


def of_study(session: Session, study: Study, images: Store) -> Proof:
    """Check every sitting, trial, answer and image of `study`."""
    rows = session.execute(_TRIALS, {"study": study.id}).all()
    sittings: dict[int, list[sa.Row]] = defaultdict(list)
    for row in rows:
        sittings[row.sitting].append(row)
    faults = [fault for trials in sittings.values() for fault in _of_sitting(trials, study)]
    faults += _uneven(sittings, study)
    faults += [f"image of case {name}: is missing" for name in _without_image(session, study, images)]
    finished = sa.select(sa.func.count(Reader.id.distinct())).join(Sitting).where(Sitting.finished_at.isnot(None))
    digest = hashlib.sha256()
    for line in responses_csv.lines(session, study.slug):
        digest.update(line.encode())
    return Proof(
        study=study.slug,
        readers=session.scalar(sa.select(sa.func.count()).where(Reader.study_id == study.id)) or 0,
        finished=session.scalar(finished.where(Reader.study_id == study.id)) or 0,
        trials=len(rows),
        answered=sum(row.answered_at is not None for row in rows),
        answers=sum(row.answers for row in rows),
        sha256=digest.hexdigest(),
        faults=faults,
    )


def _counting() -> sa.Select:
    """Every trial of a study with the number of its images and answer rows, in reading order."""
    counted = (
        sa.select(
            TrialCase.trial_id,
            sa.func.count(TrialCase.id.distinct()).label("places"),
            sa.func.count(Answer.id).label("answers"),
        )
        .outerjoin(Answer, Answer.trial_case_id == TrialCase.id)
        .group_by(TrialCase.trial_id)
        .subquery()
    )
    return (
        sa.select(
            Trial.sitting_id.label("sitting"), Trial.position, Trial.is_training, Trial.answered_at,
            Trial.study_version, Trial.marks_outcome, Sitting.number, Sitting.finished_at, Reader.pseudonym,
            sa.func.coalesce(counted.c.places, 0).label("places"),
            sa.func.coalesce(counted.c.answers, 0).label("answers"),
        )
        .join(Trial.sitting)
        .join(Sitting.reader)
        .outerjoin(counted, counted.c.trial_id == Trial.id)
        .where(Reader.study_id == sa.bindparam("study"))
        .order_by(Trial.sitting_id, Trial.is_training.desc(), Trial.position)
    )  # fmt: skip


_TRIALS = _counting()


def _of_sitting(trials: list[sa.Row], study: Study) -> Iterator[str]:
    first = trials[0]
    where = f"reader {first.pseudonym}, sitting {first.number}"
    for what, training in (("practice trials", True), ("trials", False)):
        found = [row.position for row in trials if row.is_training == training]
        if missing := sorted(set(range(1, max(found, default=0) + 1)) - set(found)):
            yield f"{where}: {what} {', '.join(map(str, missing))} are missing"
    several = DESIGNS[study.design].grouped
    restored = not study.pool.served_bytes  # from answers alone, which do not show who had finished
    for row in trials:
        name = f"{where}, {'practice ' if row.is_training else ''}trial {row.position}"
        if not row.places:
            yield f"{name}: has no image"
        if row.answered_at is not None and not row.answers:
            yield f"{name}: was answered, but the answer is missing"
        if row.answered_at is None and row.answers:
            yield f"{name}: has an answer, but was never answered"
        if row.answers > 1 and not several:
            yield f"{name}: has {row.answers} answers"
    answered = [row.answered_at is not None for row in trials]
    if answered != sorted(answered, reverse=True):
        yield f"{where}: an answer follows a trial that was not answered"
    whole = all(answered) and not any(row.marks_outcome == MARKS_DUE for row in trials)
    if whole != (first.finished_at is not None) and not restored:
        yield f"{where}: {'has every answer but no end' if whole else 'has an end but not every answer'}"


def _uneven(sittings: dict[int, list[sa.Row]], study: Study) -> Iterator[str]:
    """Sittings created under the same settings must have the same number of trials, unless restored from answers."""
    if not study.pool.served_bytes:
        return
    sizes: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for trials in sittings.values():
        sizes[trials[0].study_version][len(trials)].append(trials[0].pseudonym)
    for version, by_size in sizes.items():
        if len(by_size) > 1:
            told = "; ".join(f"{size} for {', '.join(who[:5])}" for size, who in sorted(by_size.items()))
            yield f"version {version}: sittings differ in their number of trials: {told}"


def _without_image(session: Session, study: Study, images: Store) -> list[str]:
    if not study.pool.served_bytes:  # restored from answers alone
        return []
    cases = session.execute(sa.select(Case.name, Case.stored).where(Case.pool_id == study.pool_id).order_by(Case.name))
    return [name for name, stored in cases if not (images / stored).is_file()]
