"""The marking step: after an answer is stored, the reader can mark what decided it in the image, and say why.

No clock runs. The answer and its time are stored; the reader does not know the truth yet. Like answers, marks are
stored once and completely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from quiz_app import clock, log, models
from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.errors import RefusedError
from quiz_app.models import MARKS_DUE, Answer, Mark, Outgoing, TrialCase
from quiz_app.sittings import rows, steps
from quiz_app.sittings.identity import identity
from quiz_app.sittings.rows import Trial, Way
from quiz_app.study.settings import StudySettings

MARKED, NOTHING, SKIPPED = "marked", "nothing", "skipped"
FIELDS = {"place", "x", "y", "reason", "rating"}


def ask(trial: Trial, answers: Sequence[Mapping[str, Any]], now: datetime) -> Trial | None:
    """Decide whether to ask for marks after this answer, which is about to be stored: the trial, or None.

    Without an image there is nothing to mark: if it was gone, it is shown again if the study allows it, and recorded.
    """
    study = trial.sitting.reader.study
    rules = study.rules
    if rules.marks == "off" or not _wanted(trial, rules, answers):
        return None
    if not steps.visible(trial, now):
        if not rules.marks_after_timeout:
            return None
        log.record("shown-again", sitting=trial.sitting, trial=trial.token)
    trial.marks_outcome = MARKS_DUE
    return trial


def places(trial: Trial) -> list[int]:
    """The places of the images of an answered trial that may be marked."""
    query = sa.select(TrialCase.place, Answer.answer, Answer.chosen).join(Answer).where(TrialCase.trial_id == trial.id)
    answers = [dict(row) for row in db.session.execute(query).mappings()]
    return _wanted(trial, trial.sitting.reader.study.rules, answers)


def _wanted(trial: Trial, rules: StudySettings, answers: Sequence[Mapping[str, Any]]) -> list[int]:
    shown_as_such = steps.reference(trial)
    judged = [row for row in answers if row["place"] != shown_as_such]
    if rules.marks_for == "synthetic":
        return sorted(DESIGNS[trial.sitting.reader.study.design].taken_for_synthetic(judged))
    return sorted({row["place"] for row in judged})


def find_trial(way: Way, token: str) -> Trial:
    """The trial of this sitting for which marks were sent. Raises RefusedError if it has no marking step."""
    if way.marking is not None and way.marking.token == token:
        return way.marking
    trial = rows.trial_called(way.sitting, token)
    if trial is None:
        raise _refused("trial: this question is not one of yours")
    if trial.answered_at is None:
        raise _refused("trial: it has no answer yet, and marks follow the answer")
    if trial.marks_outcome is None:
        raise _refused("trial: no marks were requested after its answer")
    return trial


def take(way: Way, trial: Trial, said: Mapping[str, Any]) -> None:
    """Store the marks of `trial`, and move on. The caller locks the reader and commits.

    Raises RefusedError for invalid marks and in a closed study; then nothing is changed.
    """
    steps.assert_open(way.sitting)
    rules, now = way.sitting.reader.study.rules, clock.now()
    marks_id, outcome = identity(said), said.get("outcome")
    allowed = [MARKED, NOTHING] + [SKIPPED] * (rules.marks == "optional")
    if outcome not in allowed:
        raise _refused(f"outcome: expected one of {', '.join(allowed)}")
    marks = _checked(said.get("marks", []), rules, places(trial))
    if bool(marks) != (outcome == MARKED):
        raise _refused(f"marks: {len(marks)} with the outcome {outcome}; only {MARKED} has marks")
    shown = {shown.place: shown.id for shown in trial.cases}
    for number, mark in enumerate(marks, start=1):
        db.session.add(Mark(trial_case_id=shown[mark.pop("place")], number=number, **mark))
    trial.marks_id, trial.marks_outcome, trial.marked_at = marks_id, outcome, now
    if said.get("pause") is True and way.sitting.paused_at is None:
        way.sitting.paused_at = now
        log.record("paused", sitting=way.sitting)
    _store(way, marks_id)
    _send_again(trial, now)
    way.marking = None
    steps.finish(way, now)


def told(trial: Trial) -> dict[str, Any]:
    """The marks as stored."""
    query = sa.select(TrialCase.place, Mark.x, Mark.y, Mark.reason, Mark.rating).join(Mark)
    given = db.session.execute(query.where(TrialCase.trial_id == trial.id).order_by(Mark.number)).mappings()
    return {
        "id": trial.marks_id,
        "trial": trial.token,
        "outcome": trial.marks_outcome,
        "marks": [dict(mark) for mark in given],
    }


def _checked(given: Any, rules: StudySettings, allowed: Sequence[int]) -> list[dict[str, Any]]:
    """The marks as columns. Raises RefusedError that names the first invalid field."""
    if not isinstance(given, list) or not all(isinstance(mark, dict) for mark in given):
        raise _refused("marks: expected a list of objects")
    if len(given) > rules.marks_most:
        raise _refused(f"marks: {len(given)} given; expected at most {rules.marks_most}")
    for number, mark in enumerate(given):
        if fault := _fault(mark, rules, allowed):
            raise _refused(f"marks[{number}].{fault}")
    return [{name: mark.get(name) for name in FIELDS} for mark in given]


def _fault(mark: Mapping[str, Any], rules: StudySettings, allowed: Sequence[int]) -> str:
    """What is wrong with one mark, starting with the field; empty if nothing is."""
    if strange := mark.keys() - FIELDS:
        return f"{min(strange, key=str)}: unknown; expected {', '.join(sorted(FIELDS))}"
    if type(mark.get("place")) is not int or mark["place"] not in allowed:
        return (
            f"place: {mark.get('place')!r} is not one of the images that may be marked: {', '.join(map(str, allowed))}"
        )
    for side in ("x", "y"):
        if type(mark.get(side)) not in (int, float) or not 0 <= mark[side] <= 1:
            return f"{side}: {mark.get(side)!r} is not within the image; expected a number from 0 to 1"
    if mark.get("reason") not in rules.reasons:
        return f"reason: {mark.get('reason')!r} is not one of {', '.join(rules.reasons)}"
    rating = mark.get("rating")
    if rating is not None and not rules.marks_rating:
        return "rating: this study does not ask for ratings"
    if rating is not None and (type(rating) is not int or not 1 <= rating <= 5):
        return f"rating: {rating!r} is not a whole number from 1 to 5"
    return ""


def _refused(what: str) -> RefusedError:
    return RefusedError("not-marks", what, 422)


def _store(way: Way, marks_id: str) -> None:
    """Send the marks to the database. Raises RefusedError if the marks of another trial have their id."""
    try:
        way.save()
        db.session.flush()
    except sa.exc.IntegrityError:
        db.session.rollback()
        if db.session.scalar(sa.select(models.Trial.id).filter_by(marks_id=marks_id)) is None:
            raise
        raise RefusedError("id-taken", "id: other marks have this one", 422) from None


def _send_again(trial: Trial, now: datetime) -> None:
    """Queue the answer for the mirror again, because the mirror stores the marks with it.

    A worker that is sending the answer now sees from the later time that it has read an older version.
    """
    answers = sa.select(Answer.id).join(TrialCase).where(TrialCase.trial_id == trial.id)
    mine = sa.select(Outgoing).where(Outgoing.answer_id.in_(answers)).order_by(Outgoing.answer_id)
    for waiting in db.session.scalars(mine.with_for_update()):  # so that no worker records it as sent meanwhile
        waiting.queued_at = max(now, waiting.queued_at + timedelta(milliseconds=1))
        waiting.sent_at = None
