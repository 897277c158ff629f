"""The cases of a study: the cases of its pool that can be scored, and those for practice."""

from __future__ import annotations

import itertools

import sqlalchemy as sa

from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.designs.groups import Grouped
from quiz_app.models import Case, Pool, Study


def scored_cases(study: Study) -> list[Case]:
    """The cases of the pool that can be scored: neither practice nor excluded."""
    return scored_in(study.pool, study.design)


def practice_cases(study: Study) -> list[Case]:
    """The cases of the pool for practice; if groups are trials, only those of complete trials with none excluded."""
    design = DESIGNS[study.design]
    if not isinstance(design, Grouped):
        return _cases(study.pool, practice=True)
    cases = [case for case in _all(study.pool) if case.is_practice]
    trials = [row for row in design.rehearsals(cases) if all(cases[index].excluded is None for index in row)]
    return [cases[index] for index in sorted(itertools.chain(*trials))]


def scored_in(pool: Pool, design: str) -> list[Case]:
    """The scored cases of a pool in a study of this design: if a group is one trial, it is left out as a whole."""
    cases = _cases(pool, practice=False)
    if not DESIGNS[design].grouped:
        return cases
    left_out = sa.select(Case.group).where(Case.pool_id == pool.id, Case.excluded.isnot(None), Case.group != "")
    broken = set(db.session.scalars(left_out))
    return [case for case in cases if case.group not in broken]


def _cases(pool: Pool, *, practice: bool) -> list[Case]:
    return [case for case in _all(pool) if case.excluded is None and case.is_practice == practice]


def _all(pool: Pool) -> list[Case]:
    return list(db.session.scalars(sa.select(Case).where(Case.pool_id == pool.id).order_by(Case.id)))
