"""Interim looks at a study: only the planned ones, each once, and only their decision is revealed.

The truth is read only to decide a look: all that is shown and stored about a look is whether to continue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app import log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Event, Study
from quiz_app.settings import Settings
from quiz_app.study import reports
from quiz_app.study.cases import scored_cases

if TYPE_CHECKING:
    from analysis.responses import Responses
    from analysis.statistics.stopping import Looks

PLANNED, TAKEN = "looks-planned", "look-taken"
STOPS = ("efficacy", "futility", "end")
SAID = {
    "continue": "continue",
    "efficacy": "stop: the readers' figure differs from chance",
    "futility": "stop: more readers are unlikely to show a difference from chance",
    "end": "this was the last look; no difference from chance was shown",
}


@dataclass(frozen=True)
class Look:
    """A planned look: its number, how many finished readers it needs, when it was taken, and its decision."""

    number: int
    readers: int
    taken_at: datetime | None = None
    said: str = ""


def plan(study: Study) -> Looks | None:
    """The looks planned in the settings; None if there are none. Raises InvalidInputError that names the setting."""
    from analysis.planning import looks

    rules = study.rules
    if not rules.looks.strip():
        return None
    try:
        readers = [int(part) for part in rules.looks.replace(",", " ").split()]
    except ValueError:
        raise InvalidInputError(
            [f"looks: {rules.looks!r} is not a list of numbers of readers, such as 3, 4, 6"]
        ) from None
    if rules.cases and rules.assignment != "crossed":
        raise InvalidInputError(["looks: every reader must judge the same cases (assignment: crossed)"])
    futility = rules.looks_futility or None
    try:
        return looks.plan(
            rules.looks_figure, readers, [rules.cases or len(scored_cases(study))],
            spending=rules.looks_spending, futility=futility,
        )  # fmt: skip
    except ValueError as fault:
        raise InvalidInputError([f"looks: {fault}"]) from None


def faults(study: Study) -> list[str]:
    """Why the study cannot open with its planned looks."""
    try:
        plan(study)
    except InvalidInputError as faulty:
        return faulty.faults
    return []


def record_plan(study: Study, actor: str = "") -> None:
    """Record the plan, if there is one that is not recorded yet."""
    planned = plan(study)
    if planned and planned.as_dict() != next(iter(_details(db.session(), study, PLANNED)[::-1]), None):
        log.record(PLANNED, study=study, actor=actor, **planned.as_dict())


def listed(session: Session, study: Study) -> list[Look]:
    """Every planned look, with what is recorded about it."""
    planned = plan(study)
    taken = {line.details["look"]: line for line in _lines(session, study, TAKEN)}
    return [
        Look(number, readers, taken[number].at, SAID[taken[number].details["decision"]])
        if number in taken
        else Look(number, readers)
        for number, readers in enumerate(planned.readers if planned else (), start=1)
    ]


def due(planned: list[Look]) -> Look | None:
    """The next look; None after the last one, and after one that said stop."""
    if any(look.said in {SAID[stop] for stop in STOPS} for look in planned):
        return None
    return next((look for look in planned if look.taken_at is None), None)


def take(settings: Settings, study: Study, *, actor: str = "") -> str:
    """Take and record the next planned look, and return only its decision.

    It uses the readers who finished first, as many as planned, even if more have finished since. Raises
    InvalidInputError if no look is due. The caller's uncommitted changes are rolled back.
    """
    slug, (planned, coming) = study.slug, _due(study)
    db.session.rollback()  # deciding takes a moment, and no reader's answer should wait for this transaction
    decision = _decision(reports.load(settings, slug), planned, coming)
    db.session.refresh(study, with_for_update=True)
    if _due(study)[1] != coming:
        raise InvalidInputError([f"looks: interim look {coming.number} has just been taken"])
    record_plan(study, actor)
    log.record(TAKEN, study=study, actor=actor, look=coming.number, readers=coming.readers, decision=decision)
    return f"Look {coming.number}, {coming.readers} readers: {SAID[decision]}."


def _due(study: Study) -> tuple[Looks, Look]:
    planned = plan(study)
    if planned is None:
        raise InvalidInputError(["looks: this study has no planned interim looks"])
    if study.state != "open":
        raise InvalidInputError([f"state: the study is {study.state}; interim looks are taken while it is open"])
    coming = due(listed(db.session(), study))
    if coming is None:
        raise InvalidInputError(["looks: a look has already said stop, or the last look has been taken"])
    return planned, coming


def _decision(responses: Responses, planned: Looks, look: Look) -> str:
    from analysis.designs.rating.looks import decided, in_order

    finished = in_order(responses)
    if len(finished) < look.readers:
        wanted = f"look {look.number} needs {look.readers} readers, but {len(finished)} have finished"
        raise InvalidInputError([f"looks: {wanted}"])
    order = [responses.readers.index(name) for name in finished[: look.readers]]
    return decided(responses.matrix("level"), responses.truth, planned, order, look.number - 1)["decision"]


def _lines(session: Session, study: Study, kind: str) -> list[Event]:
    query = sa.select(Event).where(Event.study_id == study.id, Event.kind == kind).order_by(Event.id)
    return list(session.scalars(query))


def _details(session: Session, study: Study, kind: str) -> list[dict[str, Any]]:
    return [line.details for line in _lines(session, study, kind)]
