"""The marking step: after an answer is stored, the reader may show where in the image it was seen, and why.

No clock runs. The answer is given and its time taken; the truth is still unknown to the reader. Marks are stored once
and whole, as answers are.
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
    """Lay down whether marks are asked for after this answer, which is about to be stored: the trial, or None.

    Without an image there is nothing to mark: where it was gone, it is shown again if the study says so, on record.
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
    """The trial of this sitting whose marks are sent. Raises RefusedError for one that has no marking step."""
    if way.marking is not None and way.marking.token == token:
        return way.marking
    trial = rows.trial_called(way.sitting, token)
    if trial is None:
        raise _refused("trial: this question is not one of yours")
    if trial.answered_at is None:
        raise _refused("trial: it has no answer yet, and marks follow the answer")
    if trial.marks_outcome is None:
        raise _refused("trial: no marks were asked for after its answer")
    return trial


def take(way: Way, trial: Trial, said: Mapping[str, Any]) -> None:
    """Store the marks of `trial`, which is at hand, and move on. The caller holds the reader and commits.

    Raises RefusedError for marks out of form and in a closed study; nothing is changed then.
    """
    steps.assert_open(way.sitting)
    rules, now = way.sitting.reader.study.rules, clock.now()
    marks_id, outcome = identity(said), said.get("outcome")
    allowed = [MARKED, NOTHING] + [SKIPPED] * (rules.marks == "optional")
    if outcome not in allowed:
        raise _refused(f"outcome: one of {', '.join(allowed)} is expected")
    marks = _checked(said.get("marks", []), rules, places(trial))
    if bool(marks) != (outcome == MARKED):
        raise _refused(f"marks: {len(marks)} with the outcome {outcome}; {MARKED} goes with marks, the others without")
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
    """The marks as they are stored."""
    query = sa.select(TrialCase.place, Mark.x, Mark.y, Mark.reason, Mark.rating).join(Mark)
    given = db.session.execute(query.where(TrialCase.trial_id == trial.id).order_by(Mark.number)).mappings()
    return {
        "id": trial.marks_id,
        "trial": trial.token,
        "outcome": trial.marks_outcome,
        "marks": [dict(mark) for mark in given],
    }


def _checked(given: Any, rules: StudySettings, allowed: Sequence[int]) -> list[dict[str, Any]]:
    """The marks as columns. Raises RefusedError with the first field that cannot be."""
    if not isinstance(given, list) or not all(isinstance(mark, dict) for mark in given):
        raise _refused("marks: a list of objects is expected")
    if len(given) > rules.marks_most:
        raise _refused(f"marks: {len(given)} are given, at most {rules.marks_most} are expected")
    for number, mark in enumerate(given):
        if fault := _fault(mark, rules, allowed):
            raise _refused(f"marks[{number}].{fault}")
    return [{name: mark.get(name) for name in FIELDS} for mark in given]


def _fault(mark: Mapping[str, Any], rules: StudySettings, allowed: Sequence[int]) -> str:
    """What is wrong with one mark, the field first; nothing where all is well."""
    if strange := mark.keys() - FIELDS:
        return f"{min(strange, key=str)}: unknown; {', '.join(sorted(FIELDS))} are expected"
    if type(mark.get("place")) is not int or mark["place"] not in allowed:
        return f"place: {mark.get('place')!r} is none of the images that are marked: {', '.join(map(str, allowed))}"
    for side in ("x", "y"):
        if type(mark.get(side)) not in (int, float) or not 0 <= mark[side] <= 1:
            return f"{side}: {mark.get(side)!r} is not within the image, a number from 0 to 1 is expected"
    if mark.get("reason") not in rules.reasons:
        return f"reason: {mark.get('reason')!r} is not one of {', '.join(rules.reasons)}"
    rating = mark.get("rating")
    if rating is not None and not rules.marks_rating:
        return "rating: this study asks for none"
    if rating is not None and (type(rating) is not int or not 1 <= rating <= 5):
        return f"rating: {rating!r} is not a whole number from 1 to 5"
    return ""


def _refused(what: str) -> RefusedError:
    return RefusedError("not-marks", what, 422)


def _store(way: Way, marks_id: str) -> None:
    """Send the marks to the database. Raises RefusedError where those of another trial have their id."""
    try:
        way.save()
        db.session.flush()
    except sa.exc.IntegrityError:
        db.session.rollback()
        if db.session.scalar(sa.select(models.Trial.id).filter_by(marks_id=marks_id)) is None:
            raise
        raise RefusedError("id-taken", "id: other marks have this one", 422) from None


def _send_again(trial: Trial, now: datetime) -> None:
    """The mirror keeps the marks with the answer, which is therefore sent once more.

    A later moment than before tells a worker that is just sending the answer that this is not what it has read.
    """
    answers = sa.select(Answer.id).join(TrialCase).where(TrialCase.trial_id == trial.id)
    mine = sa.select(Outgoing).where(Outgoing.answer_id.in_(answers)).order_by(Outgoing.answer_id)
    for waiting in db.session.scalars(mine.with_for_update()):  # no worker notes it as sent meanwhile
        waiting.queued_at = max(now, waiting.queued_at + timedelta(milliseconds=1))
        waiting.sent_at = None
