"""The cases of a study: those of its pool that may be scored, and those for practice."""

from __future__ import annotations

import sqlalchemy as sa

from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.models import Case, Pool, Study


def scored_cases(study: Study) -> list[Case]:
    """The cases of the pool that may be scored: neither practice nor excluded."""
    return scored_in(study.pool, study.design)


def practice_cases(study: Study) -> list[Case]:
    """The cases of the pool kept for practice."""
    return _cases(study.pool, practice=True)


def scored_in(pool: Pool, design: str) -> list[Case]:
    """The same of a pool, in a study of this design: where a group is one trial, it is left out as a whole."""
    cases = _cases(pool, practice=False)
    if not DESIGNS[design].grouped:
        return cases
    left_out = sa.select(Case.group).where(Case.pool_id == pool.id, Case.excluded.isnot(None), Case.group != "")
    broken = set(db.session.scalars(left_out))
    return [case for case in cases if case.group not in broken]


def _cases(pool: Pool, *, practice: bool) -> list[Case]:
    rows = db.session.scalars(sa.select(Case).where(Case.pool_id == pool.id, Case.excluded.is_(None)).order_by(Case.id))
    return [case for case in rows if case.is_practice == practice]
