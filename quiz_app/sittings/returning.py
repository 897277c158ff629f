"""Readers between two parts: who may come back, from when on, and the words to remind them with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask_babel import force_locale, gettext
from sqlalchemy.orm import Session

from quiz_app import clock
from quiz_app.languages import LANGUAGES
from quiz_app.models import Reader, Sitting, Study


@dataclass(frozen=True)
class Returning:
    """A reader who has finished a part and has another one left."""

    id: int
    reader: str
    email: str | None
    part: int  # the next one
    opens: datetime
    closes: datetime | None  # from when on it cannot be started any more

    @property
    def may_come(self) -> bool:
        """Whether the next part can be started now."""
        return self.opens <= clock.now() and (self.closes is None or clock.now() < self.closes)

    @property
    def cut_short(self) -> bool:
        """Whether the reader is shut out before the washout is over."""
        return self.closes is not None and self.closes <= max(self.opens, clock.now())


def returning(session: Session, study: Study) -> list[Returning]:
    """The readers of an open study who are between two parts, by the moment from which the next one can be started."""
    rules = study.rules
    if study.state != "open" or rules.periods < 2:
        return []
    latest = sa.select(sa.func.max(Sitting.number)).where(Sitting.reader_id == Reader.id).correlate(Reader)
    query = (
        sa.select(Reader, Sitting.period, Sitting.finished_at)
        .join(Sitting, sa.and_(Sitting.reader_id == Reader.id, Sitting.number == latest.scalar_subquery()))
        .where(Reader.study_id == study.id, sa.not_(Reader.is_preview))
        .where(Reader.revoked_at.is_(None), Reader.withdrawn_at.is_(None))
        .where(Sitting.finished_at.isnot(None), Sitting.period < rules.periods)
        .order_by(Sitting.finished_at, Reader.id)
    )
    wait = timedelta(days=rules.washout_days)
    return [
        Returning(
            id=reader.id,
            reader=reader.pseudonym,
            email=reader.email,
            part=period + 1,
            opens=ended + wait,
            closes=reader.closes_at or rules.closing,
        )
        for reader, period, ended in session.execute(query)
    ]


def reminders(study: Study) -> dict[str, str]:
    """What to write to readers who may come back, by the name of the language. It names no part and no condition."""
    told = {}
    for code, language in LANGUAGES.items():
        with force_locale(code):
            told[language] = gettext(
                'The next part of "%(title)s" is ready for you. Please continue with the same link as before.',
                title=study.title,
            )
    return told
