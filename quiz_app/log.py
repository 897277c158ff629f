"""Writing to the log of a study."""

from __future__ import annotations

from typing import Any, Protocol

from quiz_app import clock
from quiz_app.database import db
from quiz_app.models import Event


class _Study(Protocol):
    id: Any


class _Reader(Protocol):
    pseudonym: Any

    @property
    def study(self) -> _Study: ...


class _Sitting(Protocol):
    id: Any

    @property
    def reader(self) -> _Reader: ...


def record(
    kind: str,
    *,
    study: _Study | None = None,
    sitting: _Sitting | None = None,
    actor: str = "",
    **details: Any,
) -> None:
    """Add a line to the log, in the current transaction."""
    if sitting is not None:
        study, actor = sitting.reader.study, actor or sitting.reader.pseudonym
    db.session.add(
        Event(
            at=clock.now(),
            kind=kind,
            study_id=study.id if study else None,
            sitting_id=sitting.id if sitting else None,
            actor=actor,
            details=details,
        )
    )
