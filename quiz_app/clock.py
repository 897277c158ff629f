"""The only clock. Tests replace `source`; nothing else reads the time of day from the machine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

source: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731


def now() -> datetime:
    """The current time in UTC, to the millisecond: the precision that the database stores."""
    moment = source()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def milliseconds(start: datetime, end: datetime) -> int:
    """Milliseconds from `start` to `end`."""
    return round((end - start).total_seconds() * 1000)


def dated(day: date) -> str:
    """A day in English, such as 3 December 2026; some systems do not support `%-d`."""
    return f"{day.day} {day:%B %Y}"
