"""The cases of a study: those of its pool that may be scored, and those for practice."""

from __future__ import annotations

import sqlalchemy as sa

from quiz_app.database import db
from quiz_app.models import Case, Study


def scored_cases(study: Study) -> list[Case]:
    """The cases of the pool that may be scored: neither practice nor excluded."""
    return _cases(study, practice=False)


def practice_cases(study: Study) -> list[Case]:
    """The cases of the pool kept for practice."""
    return _cases(study, practice=True)


def _cases(study: Study, *, practice: bool) -> list[Case]:
    rows = db.session.scalars(
        sa.select(Case).where(Case.pool_id == study.pool_id, Case.excluded.is_(None)).order_by(Case.id)
    )
    return [case for case in rows if case.is_practice == practice]
