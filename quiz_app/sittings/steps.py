"""Where a reader should be now, and the release of the trial that is due.

A trial's image is *released* when the reader is first told how to get it. From then on the clock cannot be put
off: it starts when the browser reports the image painted (onset), but at the latest one interval and a grace
after the release. A reader whose line died before anything could be painted is released once more, on record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.errors import RefusedError
from quiz_app.models import MARKS_DUE, Reader, Sitting, Trial, TrialCase
from quiz_app.sittings import exposures
from quiz_app.study.settings import StudySettings

MOST_RELEASES = 2
AWAY_S = 300


@dataclass(frozen=True)
class Step:
    """What comes next: `kind` is begin, trial, marks, break, pause or done. `answered` and `total` count scored trials.

    `ahead` are trials whose sealed images may travel, `keyed` those among them that may be opened before their turn.
    """

    kind: str
    answered: int
    total: int
    trial: Trial | None = None
    advised_s: int = 0
    ahead: list[Trial] = field(default_factory=list)
    keyed: list[Trial] = field(default_factory=list)


@dataclass
class Way:
    """A reader's latest sitting and where in it the reader is.

    `coming` are the next trials without an answer, practice first: the due one, those whose sealed images may travel,
    and one more, so that they are still there when the due one has been answered. `total` counts the scored trials.
    `marking` is the answered trial of which marks are asked for now; until they have come nothing else is due.
    """

    sitting: Sitting
    coming: list[Trial]
    total: int
    marking: Trial | None = None

    @property
    def due(self) -> Trial | None:
        """The first trial without an answer."""
        return self.coming[0] if self.coming else None

    @property
    def answered(self) -> int:
        """How many scored trials have their answer: they are answered in their order."""
        if self.due is None:
            return self.total
        return 0 if self.due.is_training else self.due.position - 1


def _looking(to_do: sa.ColumnElement[bool]) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """What `look` asks, made once: trials with something `to_do`, with their places and sitting; how many scored trials
    there are."""
    latest = sa.select(Sitting.id).where(Sitting.reader_id == sa.bindparam("reader"))
    mine = Trial.sitting_id == latest.order_by(Sitting.number.desc()).limit(1).scalar_subquery()
    total = sa.select(sa.func.max(Trial.position)).where(mine, Trial.is_training.is_(False))
    trials = (
        sa.select(Trial, total.scalar_subquery())
        .where(mine, to_do)
        .order_by(Trial.is_training.desc(), Trial.position)
        .limit(sa.bindparam("most"))
        .options(joinedload(Trial.sitting, innerjoin=True), joinedload(Trial.cases))
        .execution_options(populate_existing=True)
    )
    return trials, total


_UNANSWERED = Trial.answered_at.is_(None)
_TRIALS, _TOTAL = _looking(_UNANSWERED)
_MARKED, _ = _looking(sa.or_(_UNANSWERED, Trial.marks_outcome == MARKS_DUE))
_CASES = joinedload(Trial.cases).joinedload(TrialCase.case, innerjoin=True)
# By whether marks may be due, and whether the cases are asked for, too.
_QUERIES = {
    (False, False): _TRIALS,
    (False, True): _TRIALS.options(_CASES),
    (True, False): _MARKED,
    (True, True): _MARKED.options(_CASES),
}


def look(reader: Reader, *, cases: bool = False) -> Way | None:
    """Where the reader is, by one statement as long as there is something to answer; None = no sitting has begun.

    What changes it holds the reader (`readers.by_token`), so that requests of one reader come one after the other.
    `cases`: whoever asks needs the cases too, as a design with a reference does.
    """
    rules = reader.study.rules
    query = _QUERIES[rules.marks != "off", cases or DESIGNS[reader.study.design].has_reference]
    most = 2 + reach(rules)
    if rows := db.session.execute(query, {"reader": reader.id, "most": most}).unique().all():
        trials = [trial for trial, _ in rows]
        marking = trials.pop(0) if trials[0].answered_at is not None else None
        return Way(rows[0][0].sitting, trials, rows[0][1] or 0, marking)
    if reader.sitting is None:
        return None
    return Way(reader.sitting, [], db.session.scalar(_TOTAL, {"reader": reader.id}) or 0)


def next_step(way: Way) -> Step:
    """The step that is due; releases its trial. Raises RefusedError in a closed study."""
    sitting, answered, total = way.sitting, way.answered, way.total
    rules = sitting.reader.study.rules
    coming = way.coming[: 1 + reach(rules)]
    if coming or way.marking is not None:
        assert_open(sitting)
    if way.marking is not None:
        return Step("marks", answered, total, trial=way.marking, ahead=coming[:-1] or coming)
    if not coming:
        return Step("done", answered, total)
    if not coming[0].is_training and sitting.rested_after < answered:
        if answered == 0:
            return Step("begin", answered, total, ahead=coming[:-1])
        if rules.break_every and answered % rules.break_every == 0:
            return Step("break", answered, total, advised_s=_advised(rules, answered, total), ahead=coming[:-1])
    if sitting.paused_at is not None:
        return Step("pause", answered, total, ahead=coming[:-1])
    _release(coming[0], rules, clock.now())
    exposures.ask(coming[0])
    keyed = _hand_keys(coming, rules, answered)
    return Step("trial", answered, total, trial=coming[0], ahead=coming[1:], keyed=keyed)


def finish(way: Way, now: datetime) -> None:
    """The sitting ends when nothing is left to answer or to mark."""
    if way.due is None and way.marking is None:
        way.sitting.finished_at = now
        log.record("sitting-finished", sitting=way.sitting)


def assert_open(sitting: Sitting) -> None:
    """Raises RefusedError for a sitting of a closed study: neither answers nor images pass."""
    if sitting.reader.study_state != "open":
        raise RefusedError("study-closed", "This study is closed; no more answers are taken.")


def reach(rules: StudySettings) -> int:
    """How many trials ahead of the due one sealed images may travel."""
    return max(1, rules.keys_ahead)


def _hand_keys(coming: list[Trial], rules: StudySettings, answered: int) -> list[Trial]:
    """The scored trials after `coming[0]` whose keys go out now, up to the next break; it is recorded with them."""
    if not rules.keys_ahead or coming[0].is_training:
        return []
    until_break = rules.break_every - answered % rules.break_every if rules.break_every else len(coming)
    keyed = coming[1:until_break]
    for trial in keyed:
        trial.keyed_at = trial.keyed_at or clock.now()
    return keyed


def greet(way: Way) -> None:
    """Who comes back after long is met at a pause, not by an image; but a clock that ran out while away, ran out."""
    trial = way.due
    if trial is None or way.marking is not None or trial.released_at is None or trial.onset_at is not None:
        return
    if clock.now() > trial.released_at + timedelta(seconds=AWAY_S) and trial.releases < MOST_RELEASES:
        way.sitting.paused_at = way.sitting.paused_at or clock.now()


def go_on(way: Way) -> None:
    """The reader ends a break or a pause."""
    log.record("went-on", sitting=way.sitting, answered=way.answered)
    way.sitting.paused_at = None
    if not way.coming[0].is_training:
        way.sitting.rested_after = way.answered


def reference(trial: Trial) -> int | None:
    """The place of the case that is shown as what it is, in designs that have one."""
    design = DESIGNS[trial.sitting.reader.study.design]
    return design.reference([shown.case for shown in trial.cases]) if design.has_reference else None


def visible(trial: Trial, now: datetime) -> bool:
    """Whether the image of a due trial may be sent in the clear: released, and its time not up, where it goes then.

    While marks are asked for it may be seen: the answer is given.
    """
    study = trial.sitting.reader.study
    if trial.marks_outcome == MARKS_DUE:
        return True
    if trial.released_at is None:
        return False
    if DESIGNS[study.design].brief:  # shown once, however often the page is loaded, and whatever it reports
        return trial.onset_at is None and now <= trial.released_at + _slack(study.rules)
    return trial.deadline_at is None or now <= trial.deadline_at or study.rules.at_timeout == "keep"


def stamp_onset(trial: Trial) -> None:
    """The browser says the image is painted. A second report, or a late one, changes nothing in its favour."""
    if trial.onset_at is not None or trial.released_at is None:
        return
    rules = trial.sitting.reader.study.rules
    trial.onset_at = min(clock.now(), trial.released_at + _slack(rules))
    if trial.deadline_at is not None:
        trial.deadline_at = min(trial.deadline_at, trial.onset_at + timedelta(seconds=rules.trial_s))


def remaining_ms(trial: Trial) -> int | None:
    """What is left of the time of a released trial; None = no limit."""
    if trial.deadline_at is None:
        return None
    left = clock.milliseconds(clock.now(), trial.deadline_at)
    limit_ms = round(trial.sitting.reader.study.rules.trial_s * 1000)
    return max(0, min(left, limit_ms))  # never more, also when the clock was set back


def _release(trial: Trial, rules: StudySettings, now: datetime) -> None:
    if trial.onset_at is not None:
        return
    if trial.released_at is not None:
        if now <= trial.released_at + _slack(rules) or trial.releases >= MOST_RELEASES:
            return
        log.record("released-again", sitting=trial.sitting, trial=trial.token)
    trial.released_at = now
    trial.releases += 1
    trial.deadline_at = now + _slack(rules) + timedelta(seconds=rules.trial_s) if rules.trial_s else None


def _slack(rules: StudySettings) -> timedelta:
    return timedelta(milliseconds=rules.interval_ms + rules.grace_ms)


def _advised(rules: StudySettings, answered: int, total: int) -> int:
    first_past_half = total <= 2 * answered < total + 2 * rules.break_every
    return rules.long_break_s if first_past_half else rules.break_s
