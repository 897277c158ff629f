"""Readers between two parts: who can come back, from when, and the text of their reminders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask_babel import force_locale, gettext
from sqlalchemy.orm import Session, selectinload

from quiz_app import clock
from quiz_app.languages import LANGUAGES
from quiz_app.models import Reader, Study


@dataclass(frozen=True)
class Returning:
    """A reader who has finished a part and has another one to do."""

    id: int
    reader: str
    email: str | None
    part: int  # the next one
    opens: datetime
    closes: datetime | None  # when it can no longer be started

    @property
    def may_come(self) -> bool:
        """Whether the next part can be started now."""
        return self.opens <= clock.now() and (self.closes is None or clock.now() < self.closes)

    @property
    def cut_short(self) -> bool:
        """Whether the study closes for the reader before the washout is over."""
        return self.closes is not None and self.closes <= max(self.opens, clock.now())


def returning(session: Session, study: Study) -> list[Returning]:
    """The readers of an open study who are between two parts, in order of when they can start the next one."""
    if study.state != "open" or study.rules.periods < 2:
        return []
    query = sa.select(Reader).where(Reader.study_id == study.id, sa.not_(Reader.is_preview))
    query = query.where(Reader.revoked_at.is_(None), Reader.withdrawn_at.is_(None)).order_by(Reader.id)
    found = [
        Returning(
            id=reader.id,
            reader=reader.pseudonym,
            email=reader.email,
            part=reader.sitting.period + 1,
            opens=reader.next_part_opens,
            closes=reader.closes_at or study.rules.closing,
        )
        for reader in session.scalars(query.options(selectinload(Reader.sittings)))
        if reader.sitting is not None and reader.next_part_opens is not None
    ]
    return sorted(found, key=lambda one: one.opens)


def reminders(study: Study) -> dict[str, str]:
    """The reminder for readers who can come back, by name of the language. It mentions no part and no condition."""
    told = {}
    for code, language in LANGUAGES.items():
        with force_locale(code):
            told[language] = gettext(
                'The next part of "%(title)s" is ready for you. Please continue with the same link as before.',
                title=study.title,
            )
    return told
