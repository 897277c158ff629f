"""Where a reader should be now, and the release of the trial that is due.

A trial's image is *released* when the reader is first told how to get it. From then on the clock cannot be put
off: it starts when the browser reports the image painted (onset), but at the latest one interval and a grace
after the release. A reader whose line died before anything could be painted is released once more, on record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.errors import RefusedError
from quiz_app.models import Sitting, Trial
from quiz_app.sittings import exposures
from quiz_app.study.settings import StudySettings

MOST_RELEASES = 2
AWAY_S = 300


@dataclass(frozen=True)
class Step:
    """What comes next: `kind` is begin, trial, break, pause or done. `answered` and `total` count scored trials.

    `ahead` are trials whose sealed images may travel, `keyed` those among them that may be opened before their turn.
    """

    kind: str
    answered: int
    total: int
    trial: Trial | None = None
    advised_s: int = 0
    ahead: list[Trial] = field(default_factory=list)
    keyed: list[Trial] = field(default_factory=list)


def lock(sitting_id: int) -> Sitting:
    """The sitting, held against every other request that would change it until the transaction ends."""
    return db.session.scalars(
        sa.select(Sitting).filter_by(id=sitting_id).with_for_update().execution_options(populate_existing=True)
    ).one()


def next_step(sitting: Sitting) -> Step:
    """The step that is due for a sitting held by `lock`; releases its trial. Raises RefusedError in a closed study."""
    rules = sitting.reader.study.rules
    coming = waiting(sitting, 1 + reach(rules))
    if coming:
        assert_open(sitting)
    answered, total = progress(sitting)
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


def greet(sitting: Sitting) -> None:
    """Who comes back after long is met at a pause, not by an image; but a clock that ran out while away, ran out."""
    trial = due(sitting)
    if trial is None or trial.released_at is None or trial.onset_at is not None:
        return
    if clock.now() > trial.released_at + timedelta(seconds=AWAY_S) and trial.releases < MOST_RELEASES:
        sitting.paused_at = sitting.paused_at or clock.now()


def go_on(sitting: Sitting) -> None:
    """The reader ends a break or a pause."""
    answered, _ = progress(sitting)
    log.record("went-on", sitting=sitting, answered=answered)
    sitting.paused_at = None
    if not waiting(sitting, 1)[0].is_training:
        sitting.rested_after = answered


def progress(sitting: Sitting) -> tuple[int, int]:
    """Scored trials answered, and scored trials in all."""
    row = db.session.execute(
        sa.select(sa.func.count(Trial.answered_at), sa.func.count()).where(
            Trial.sitting_id == sitting.id, Trial.is_training.is_(False)
        )
    ).one()
    return row[0], row[1]


def due(sitting: Sitting) -> Trial | None:
    """The first trial without an answer, practice first."""
    return next(iter(waiting(sitting, 1)), None)


def visible(trial: Trial, now: datetime) -> bool:
    """Whether the image of a due trial may be sent in the clear: released, and its time not up, where it goes then."""
    if DESIGNS[trial.sitting.reader.study.design].brief and trial.onset_at is not None:
        return False  # shown once, however often the page is loaded
    if trial.released_at is None or trial.deadline_at is None:
        return trial.released_at is not None
    return now <= trial.deadline_at or trial.sitting.reader.study.rules.at_timeout == "keep"


def stamp_onset(trial: Trial) -> None:
    """The browser says the image is painted. A second report, or a late one, changes nothing in its favour."""
    if trial.onset_at is not None or trial.released_at is None:
        return
    rules = trial.sitting.reader.study.rules
    trial.onset_at = min(clock.now(), trial.released_at + _slack(rules))
    if trial.deadline_at is not None:
        trial.deadline_at = min(trial.deadline_at, trial.onset_at + timedelta(seconds=rules.limit_s))


def remaining_ms(trial: Trial) -> int | None:
    """What is left of the time of a released trial; None = no limit."""
    if trial.deadline_at is None:
        return None
    left = clock.milliseconds(clock.now(), trial.deadline_at)
    if trial.onset_at is None:
        left = min(left, round(trial.sitting.reader.study.rules.limit_s * 1000))
    return max(0, left)


def _release(trial: Trial, rules: StudySettings, now: datetime) -> None:
    if trial.onset_at is not None:
        return
    if trial.released_at is not None:
        if now <= trial.released_at + _slack(rules) or trial.releases >= MOST_RELEASES:
            return
        log.record("released-again", sitting=trial.sitting, trial=trial.token)
    trial.released_at = now
    trial.releases += 1
    trial.deadline_at = now + _slack(rules) + timedelta(seconds=rules.limit_s) if rules.limit_s else None


def _slack(rules: StudySettings) -> timedelta:
    return timedelta(milliseconds=rules.interval_ms + rules.grace_ms)


def waiting(sitting: Sitting, count: int) -> list[Trial]:
    """The next `count` trials without an answer, practice first."""
    return list(
        db.session.scalars(
            sa.select(Trial)
            .where(Trial.sitting_id == sitting.id, Trial.answered_at.is_(None))
            .order_by(Trial.is_training.desc(), Trial.position)
            .limit(count)
        )
    )


def _advised(rules: StudySettings, answered: int, total: int) -> int:
    first_past_half = total <= 2 * answered < total + 2 * rules.break_every
    return rules.long_break_s if first_past_half else rules.break_s
