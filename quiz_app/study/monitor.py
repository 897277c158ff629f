"""The progress of readers, and whether all is well. Never their answers: neither truth nor accuracy is used here."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app import clock
from quiz_app.designs import DESIGNS
from quiz_app.models import Event, Reader, Sitting, Study, Trial

# A reader who has sent nothing for this long has left the room.
AWAY_AFTER = timedelta(seconds=90)
# Nobody can see, judge and answer faster: a simple reaction takes 150 ms.
FASTEST_MS = 300
# Nobody looks at one case for this long: the reader was away.
LONGEST_MS = 300_000
# The times measured by browser and server may differ by the network delay, but hardly by more.
MOST_DRIFT_MS = 2000
# A screen with longer frames, such as one with 30 Hz, cannot show brief exposures.
SLOWEST_FRAME_MS = 25


@dataclass(frozen=True)
class Progress:
    """One reader's progress through the study, in their latest sitting. Practice counts only in `practised`."""

    id: int
    reader: str
    group: str | None
    state: str  # invited, consented, instructions, practice, reading, paused, between, finished, revoked, withdrawn
    answered: int
    total: int
    late: int
    last_at: datetime | None  # time of the last answer
    seen_at: datetime | None  # time of the last event: a release, an onset, an answer
    mean_ms: float | None
    marked: int = 0  # trials with marks
    unmarked: int = 0  # trials after which marks were requested but none was set
    unusual: dict[str, int] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)

    @property
    def is_on(self) -> bool:
        """Whether the reader is in the reading room now."""
        there = self.state in ("practice", "reading", "paused")
        return there and self.seen_at is not None and clock.now() - self.seen_at <= AWAY_AFTER

    @property
    def breaks(self) -> int:
        """The number of breaks and pauses that have ended since the first scored answer."""
        return self.events["went-on"]

    @property
    def lost_lines(self) -> int:
        """The number of trials that were released again because nothing could be painted."""
        return self.events["released-again"]

    @property
    def failed_images(self) -> int:
        """How often the browser reported that it could not fetch or decode the image of a trial."""
        return self.events["image-failed"]

    @property
    def reloads(self) -> int:
        """How often the room was opened again."""
        return max(0, self.events["claimed"] - 1)

    def minutes_left(self, interval_ms: int) -> int | None:
        """Minutes left at the reader's own pace, without breaks; None if the pace is unknown or nothing is left."""
        if self.mean_ms is None or self.answered == self.total:
            return None
        return round((self.total - self.answered) * (self.mean_ms + interval_ms) / 60_000) or 1


def progress(session: Session, study: Study) -> list[Progress]:
    """Every reader of the study, in order of invitation, in two queries."""
    events = _events(session, study)
    return [_row(events, *row) for row in session.execute(_query(study))]


def _query(study: Study) -> sa.Select[*tuple[Any, ...]]:
    scored, answered = sa.not_(Trial.is_training), Trial.answered_at.isnot(None)
    count = sa.func.count()
    latest = sa.select(sa.func.max(Sitting.number)).where(Sitting.reader_id == Reader.id).correlate(Reader)
    return (
        sa.select(
            Reader.id,
            Reader.pseudonym,
            Reader.group,
            Reader.consented_at,
            Reader.revoked_at,
            Reader.withdrawn_at,
            Sitting.id,
            Sitting.instructed_at,
            Sitting.paused_at,
            sa.case((Sitting.period >= study.rules.periods, Sitting.finished_at)),
            Sitting.finished_at,
            count.filter(scored, answered),
            count.filter(scored),
            count.filter(scored, Trial.late.is_(True)),
            count.filter(Trial.is_training, sa.not_(answered)),
            sa.func.max(Trial.answered_at),
            sa.func.max(Trial.onset_at),
            sa.func.max(Trial.released_at),
            sa.func.avg(Trial.response_ms).filter(scored),
            count.filter(scored, Trial.response_ms < FASTEST_MS),
            count.filter(scored, Trial.response_ms > LONGEST_MS),
            count.filter(scored, answered, Trial.onset_at.is_(None)),
            count.filter(scored, sa.func.abs(Trial.response_ms - Trial.client_ms) > MOST_DRIFT_MS),
            count.filter(scored, Trial.marks_outcome == "marked"),
            count.filter(scored, Trial.marks_outcome.in_(("nothing", "skipped"))),
            Sitting.device["frame_ms"].as_float(),
        )
        .select_from(Reader)
        .outerjoin(Sitting, sa.and_(Sitting.reader_id == Reader.id, Sitting.number == latest.scalar_subquery()))
        .outerjoin(Trial)
        .where(Reader.study_id == study.id, sa.not_(Reader.is_preview))
        .group_by(Reader.id, Sitting.id)
        .order_by(Reader.id)
    )


def _events(session: Session, study: Study) -> dict[int | None, Counter[str]]:
    query = (
        sa.select(Event.sitting_id, Event.kind, sa.func.count())
        .where(Event.study_id == study.id, Event.sitting_id.isnot(None))
        .where(sa.or_(Event.kind != "went-on", Event.details["answered"].as_integer() > 0))
        .group_by(Event.sitting_id, Event.kind)
    )
    found: dict[int | None, Counter[str]] = defaultdict(Counter)
    for sitting, kind, times in session.execute(query):
        found[sitting][kind] = times
    return found


def _row(events: dict[int | None, Counter[str]], *row: Any) -> Progress:
    number, name, group, consented, revoked, withdrawn, sitting, instructed, paused, finished, ended, *counts = row
    answered, total, late, to_practise, last, onset, released, mean_ms, *counts = counts
    fast, gaps, unseen, drifting, marked, unmarked, frame_ms = counts
    own = events.get(sitting, Counter())
    moments = {
        "withdrawn": withdrawn,
        "finished": finished,
        "revoked": revoked,
        "between": ended,  # between two parts under different conditions
        # While the truth of a practice case is shown, before the next case, the sitting counts as paused.
        "practice": instructed and (to_practise or (paused and not answered)),
        "paused": paused,
        "reading": instructed,
        "instructions": sitting,
        "consented": consented,
    }
    unusual = {"implausibly fast": fast, "over 5 minutes": gaps, "answered unseen": unseen, "clock mismatch": drifting}
    unusual |= {"exposures cut short": own["exposure-cut"], "impossible exposures": own["exposure-impossible"]}
    unusual["slow screen, frames per second"] = round(1000 / frame_ms) if (frame_ms or 0) > SLOWEST_FRAME_MS else 0
    return Progress(
        id=number,
        reader=name,
        group=group,
        state=next((state for state, there in moments.items() if there), "invited"),
        answered=answered,
        total=total,
        late=late,
        last_at=last,
        seen_at=max((moment for moment in (last, onset, released) if moment), default=None),
        mean_ms=float(mean_ms) if mean_ms is not None else None,
        marked=marked,
        unmarked=unmarked,
        unusual={what: times for what, times in unusual.items() if times},
        events=own,
    )


@dataclass(frozen=True)
class Summary:
    """A study in a few numbers; practice is not counted."""

    readers: int
    begun: int
    on: int
    finished: int
    answers: int


def summary(rows: list[Progress]) -> Summary:
    """The numbers of readers invited, started, reading now and finished, and the number of scored answers."""
    return Summary(
        readers=len(rows),
        begun=sum(row.total > 0 for row in rows),
        on=sum(row.is_on for row in rows),
        finished=sum(row.state == "finished" for row in rows),
        answers=sum(row.answered for row in rows),
    )


@dataclass(frozen=True)
class Exposures:
    """How well the browsers of a study kept to the requested exposures, without practice and previews.

    `within` of `measured` exposures differed by at most one screen frame, and 95 % of them by at most `off_ms`.
    """

    answered: int
    measured: int
    within: int
    off_ms: float | None


def exposures(session: Session, study: Study) -> Exposures | None:
    """The exposures of the latest sittings; None in a design without limited exposures."""
    if not DESIGNS[study.design].brief:
        return None
    latest = sa.select(sa.func.max(Sitting.number)).where(Sitting.reader_id == Reader.id).correlate(Reader)
    query = (
        sa.select(Trial.viewer)
        .join(Sitting)
        .join(Reader)
        .where(Reader.study_id == study.id, sa.not_(Reader.is_preview), Sitting.number == latest.scalar_subquery())
        .where(sa.not_(Trial.is_training), Trial.answered_at.isnot(None))
    )
    viewers = [viewer or {} for viewer in session.scalars(query)]
    off = sorted(
        (abs(viewer["shown_ms"] - viewer["asked_ms"]), viewer.get("frame_ms") or 0)
        for viewer in viewers
        if viewer.get("shown_ms") and not viewer.get("cut")
    )
    most = off[math.ceil(0.95 * len(off)) - 1][0] if off else None
    # Browsers round their clocks to a tenth of a millisecond.
    return Exposures(len(viewers), len(off), sum(ms <= frame_ms + 0.1 for ms, frame_ms in off), most)
