"""Accept answers: once, completely, and without ever losing one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quiz_app import clock, log, models
from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.errors import RefusedError
from quiz_app.sittings import exposures, marking, rows, steps
from quiz_app.sittings.identity import identity
from quiz_app.sittings.rows import Answer, Trial, Way

LONGEST_MS = 24 * 3600 * 1000
MOST_MS = 2**31 - 1  # the maximum of a column: an answer after 24 days is late, but not lost
# Why a browser could not show an image, and how often this is recorded for a trial: a reload reports it again.
FAILURES = ("not-fetched", "not-decoded")
MOST_FAILURES = 3
# What the viewer reports about its use: types, and bounds for numbers. The first two are columns of the trial.
VIEWER: dict[str, tuple[tuple[type, ...], float, float]] = {
    "zoom_max": ((int, float), 1, 100),
    "windowed": ((bool,), 0, 1),
    "zoom_ms": ((int,), 0, LONGEST_MS),
    "inverted": ((int,), 0, 10_000),
    "lens_ms": ((int,), 0, LONGEST_MS),
    "full_screen": ((bool,), 0, 1),
    "light": ((bool,), 0, 1),  # the reader had chosen the light theme
    # If there are two parts: from painting to the last answer of the first part.
    "first_ms": ((int,), 0, LONGEST_MS),
    # If an image is shown for an exposure: how long it was shown, for how many frames of the screen, the length of a
    # frame, and whether the page was hidden meanwhile.
    "shown_ms": ((int, float), 0, LONGEST_MS),
    "frames": ((int,), 0, 1_000_000),
    "frame_ms": ((int, float), 0, 10_000),
    "cut": ((bool,), 0, 1),
}


def find_trial(way: Way, token: str) -> Trial:
    """The trial of this sitting with this token. Raises RefusedError, also for another reader's trial."""
    if way.due is not None and way.due.token == token:
        return way.due
    trial = rows.trial_called(way.sitting, token)
    if trial is None:
        raise RefusedError("unknown-trial", "This question is not part of your study. Please reload the page.", 404)
    return trial


def note_failure(trial: Trial, reason: Any) -> None:
    """Record that the image of `trial` could not be shown, at most MOST_FAILURES times. The caller commits.

    Raises RefusedError for a `reason` that is not in FAILURES.
    """
    if reason not in FAILURES:
        raise RefusedError("bad-reason", f"reason: expected one of {', '.join(FAILURES)}", 422)
    told = sa.select(sa.func.count()).where(
        models.Event.sitting_id == trial.sitting.id,
        models.Event.kind == "image-failed",
        models.Event.details["trial"].as_string() == trial.token,
    )
    if db.session.scalars(told).one() < MOST_FAILURES:
        log.record("image-failed", sitting=trial.sitting, trial=trial.token, reason=reason)


def take(way: Way, trial: Trial, said: Mapping[str, Any]) -> list[Answer]:
    """Store the reader's answer to `trial`, and move on. The caller locks the reader, commits, then acknowledges.

    Returns the rows of the answer. If the trial already has one, nothing changes: the first answer stands.
    Raises RefusedError for a trial that is not due, a closed study or an invalid answer.
    """
    if trial.answered_at is not None:
        return rows.given(trial)
    sitting, now = way.sitting, clock.now()
    study = sitting.reader.study
    steps.assert_open(sitting)
    if way.due is not trial or way.marking is not None or not (trial.released_at or trial.keyed_at):
        raise RefusedError("not-due", "It is not this question's turn. Please reload the page.")
    answer_id, client_ms, viewer = identity(said), _client_ms(said), _viewer(said)
    places = {shown.place: shown for shown in trial.cases}
    design = DESIGNS[study.design]
    shown_as_such = steps.reference(trial)
    lines = design.check(said, study.rules, [place for place in places if place != shown_as_such])
    if shown_as_such:
        lines.append({"place": shown_as_such})  # an empty row, so that the export includes that it was shown
    exposures.vet(trial, lines, viewer, now)
    way.marking = marking.ask(trial, lines, now)
    trial.answered_at = now
    trial.response_ms = _response_ms(trial, now)
    trial.client_ms = client_ms
    trial.late = (
        (trial.deadline_at is not None and now > trial.deadline_at)
        or _overlong(trial, now, client_ms)
        or design.is_late(study.rules, client_ms, viewer)
    )
    trial.zoom_max, trial.windowed = viewer.get("zoom_max"), viewer.get("windowed")
    trial.viewer = {**(trial.viewer or {}), **viewer} or None
    lines.sort(key=lambda line: (line["place"], line.get("criterion", "")))
    stored = [
        Answer(id=_row_id(answer_id, number), trial_case_id=places[line.pop("place")].id, **line)
        for number, line in enumerate(lines)
    ]
    _store(sitting.reader, answer_id, stored)
    if said.get("pause") is True:
        sitting.paused_at = now
        log.record("paused", sitting=sitting)
    elif trial.is_training and study.rules.practice_feedback:
        sitting.paused_at = now  # no clock runs while the reader looks at the truth
    way.coming.pop(0)
    steps.finish(way, now)
    return stored


def _response_ms(trial: Trial, now: datetime) -> int | None:
    """From onset to answer; unknown without an onset, or if the server's clock was set back in between."""
    if trial.onset_at is None or now < trial.onset_at:
        return None
    return min(clock.milliseconds(trial.onset_at, now), MOST_MS)


def _overlong(trial: Trial, now: datetime, client_ms: int | None) -> bool:
    """Whether the answer was late by the browser's time: only the browser knows the time if the trial was answered
    offline, with a key sent ahead, or if the server's clock was set back."""
    unseen = trial.keyed_at is not None and trial.onset_at is None
    set_back = trial.onset_at is not None and now < trial.onset_at
    limit_s = trial.sitting.reader.study.rules.trial_s
    return (unseen or set_back) and limit_s > 0 and (client_ms or 0) > limit_s * 1000


def _store(reader: rows.Reader, answer_id: str, answers: list[Answer]) -> None:
    """Send the answer to the database. Raises RefusedError if another answer has its id."""
    try:
        rows.store(reader, answers)
    except sa.exc.IntegrityError:
        db.session.rollback()
        if db.session.get(models.Answer, answer_id) is None:
            raise
        raise RefusedError("id-taken", "id: another answer has this one", 422) from None


def _row_id(answer_id: str, number: int) -> str:
    """The id of a row: the first row of an answer has the browser's id; later rows have ids derived from it."""
    return answer_id if number == 0 else str(uuid.uuid5(uuid.UUID(answer_id), str(number)))


def _client_ms(said: Mapping[str, Any]) -> int | None:
    client_ms = said.get("client_ms")
    if client_ms is not None and (type(client_ms) is not int or not 0 <= client_ms <= LONGEST_MS):
        raise RefusedError("bad-time", f"client_ms: expected a whole number from 0 to {LONGEST_MS}", 422)
    return client_ms


def _viewer(said: Mapping[str, Any]) -> dict[str, Any]:
    viewer = said.get("viewer", {})
    if not isinstance(viewer, dict) or not all(_counted(name, value) for name, value in viewer.items()):
        raise RefusedError("bad-viewer", f"viewer: expected an object with {', '.join(VIEWER)}", 422)
    return viewer


def _counted(name: str, value: Any) -> bool:
    kinds, low, high = VIEWER.get(name, ((), 0, 0))
    return type(value) in kinds and low <= value <= high
