"""The one clock. Tests replace `source`; nothing else asks the machine for the time of day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

source: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731


def now() -> datetime:
    """The present moment in UTC, to the millisecond: what the database keeps, no finer."""
    moment = source()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def milliseconds(start: datetime, end: datetime) -> int:
    """From `start` to `end`."""
    return round((end - start).total_seconds() * 1000)


def dated(day: date) -> str:
    """A day in English, as in 3 December 2026; `%-d` is unknown to some systems."""
    return f"{day.day} {day:%B %Y}"
