"""Where a reader should be now, and the release of the trial that is due.

A trial's image is *released* when the reader is first told how to get it. From then on, the clock cannot be delayed: it
starts when the browser reports that the image is painted (onset), but at the latest one interval and grace after the
release. If the connection failed before anything could be painted, the image is released once more, and this is
recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from quiz_app import clock, log
from quiz_app.designs import DESIGNS
from quiz_app.errors import RefusedError
from quiz_app.models import MARKS_DUE
from quiz_app.sittings import exposures, rows
from quiz_app.sittings.rows import Reader, Sitting, Trial, Way
from quiz_app.study.settings import StudySettings

MOST_RELEASES = 2
AWAY_S = 300


@dataclass(frozen=True)
class Step:
    """What comes next: `kind` is begin, trial, marks, break, pause or done. `answered` and `total` count scored trials.

    `ahead` are trials whose sealed images may be sent, `keyed` those among them that may be opened before their turn.
    """

    kind: str
    answered: int
    total: int
    trial: Trial | None = None
    advised_s: int = 0
    ahead: list[Trial] = field(default_factory=list)
    keyed: list[Trial] = field(default_factory=list)


def look(reader: Reader, most: int | None = None) -> Way | None:
    """Where the reader is; None = no sitting has begun. `most`: the number of next trials to include, if not all whose
    images are sent ahead are needed.

    Callers that change it lock the reader (`rows.by_token`), so that requests of one reader are handled one at a time.
    """
    rules = reader.study.rules
    way = rows.look(reader, most or 2 + reach(rules), marks=rules.marks != "off")  # no condition changes these
    if way is not None and DESIGNS[reader.study.design].has_reference:
        rows.add_cases(way.at_hand)
    return way


def next_step(way: Way) -> Step:
    """The step that is due; its trial is released. Raises RefusedError in a closed study."""
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
    """End the sitting if nothing is left to answer or to mark."""
    if way.due is None and way.marking is None:
        way.sitting.finished_at = now
        parts = way.sitting.reader.study.rules.periods
        told: dict[str, Any] = {"part": way.sitting.period, "parts": parts} if parts > 1 else {}
        log.record("sitting-finished", sitting=way.sitting, **told)


def assert_open(sitting: Sitting) -> None:
    """Raise RefusedError for a sitting of a closed study: it accepts no answers and sends no images."""
    if sitting.reader.study_state != "open":
        raise RefusedError("study-closed", "This study is closed. It no longer takes answers.")


def reach(rules: StudySettings) -> int:
    """How many trials ahead of the due one sealed images may be sent."""
    return max(1, rules.keys_ahead)


def _hand_keys(coming: list[Trial], rules: StudySettings, answered: int) -> list[Trial]:
    """The scored trials after `coming[0]` whose keys are sent now, up to the next break; this is recorded with them.

    Empty if the study asks for marks: they follow a stored answer, and nothing may be answered before them.
    """
    if not rules.keys_ahead or coming[0].is_training or rules.marks != "off":
        return []
    until_break = rules.break_every - answered % rules.break_every if rules.break_every else len(coming)
    keyed = coming[1:until_break]
    for trial in keyed:
        trial.keyed_at = trial.keyed_at or clock.now()
    return keyed


def greet(way: Way) -> None:
    """Show a pause, not an image, to a reader who returns after a long absence; but time that ran out stays lost."""
    trial = way.due
    if trial is None or way.marking is not None or trial.released_at is None or trial.onset_at is not None:
        return
    if clock.now() > trial.released_at + timedelta(seconds=AWAY_S) and trial.releases < MOST_RELEASES:
        way.sitting.paused_at = way.sitting.paused_at or clock.now()


def go_on(way: Way) -> None:
    """End a break or a pause."""
    log.record("went-on", sitting=way.sitting, answered=way.answered)
    way.sitting.paused_at = None
    if not way.coming[0].is_training:
        way.sitting.rested_after = way.answered


def reference(trial: Trial) -> int | None:
    """The place of the case labelled as the reference, in designs that have one."""
    design = DESIGNS[trial.sitting.reader.study.design]
    return design.reference([shown.case for shown in trial.cases if shown.case]) if design.has_reference else None


def visible(trial: Trial, now: datetime) -> bool:
    """Whether the image of a due trial may be sent in the clear: it is released, and its time is not up (if it
    disappears then).

    While marks are due, it may be seen, because the answer has been given.
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
    """Record that the browser has painted the image. A second or late report gains nothing."""
    if trial.onset_at is not None or trial.released_at is None:
        return
    rules = trial.sitting.reader.study.rules
    trial.onset_at = min(clock.now(), trial.released_at + _slack(rules))
    if trial.deadline_at is not None:
        trial.deadline_at = min(trial.deadline_at, trial.onset_at + timedelta(seconds=rules.trial_s))


def remaining_ms(trial: Trial) -> int | None:
    """The time left for a released trial, in ms; None = no limit."""
    if trial.deadline_at is None:
        return None
    left = clock.milliseconds(clock.now(), trial.deadline_at)
    limit_ms = round(trial.sitting.reader.study.rules.trial_s * 1000)
    return max(0, min(left, limit_ms))  # never more than the limit, even if the clock was set back


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
