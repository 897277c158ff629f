"""Requested and measured exposures, in designs that limit them.

Both are stored in `viewer` of the trial: `asked_ms` when it is released, the browser's measurements with the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quiz_app import clock, log, models
from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.designs.exposure import Past
from quiz_app.sittings.rows import Sitting, Trial

# The clocks of browser and server run at slightly different speeds, and a frame is rounded.
SLACK_MS = 100.0


def ask(trial: Trial) -> None:
    """Set how long the image of a due trial is shown; it depends on earlier answers and does not change afterwards."""
    sitting = trial.sitting
    study = sitting.reader.study
    design = DESIGNS[study.design]
    if not design.brief or "asked_ms" in (trial.viewer or {}):
        return
    asked = design.next_ms(study.rules, past(sitting), trial.block, sitting.seed, trial.position)
    trial.viewer = {**(trial.viewer or {}), "asked_ms": asked}


def past(sitting: Sitting) -> list[Past]:
    """The answered scored trials of a sitting, in order."""
    query = (
        sa.select(models.Trial.block, models.Trial.viewer, models.Answer.answer, models.Answer.value, models.Case.truth)
        .join(models.TrialCase, models.TrialCase.trial_id == models.Trial.id)
        .join(models.Case)
        .join(models.Answer)
        .where(models.Trial.sitting_id == sitting.id, models.Trial.is_training.is_(False))
        .order_by(models.Trial.position)
    )
    return [
        Past(
            track,
            viewer["asked_ms"],
            float(shown) if shown else None,
            right=answer == truth,
            cut=bool(viewer.get("cut")),
        )
        for track, viewer, answer, shown, truth in db.session.execute(query)
    ]


def vet(trial: Trial, rows: list[dict[str, Any]], viewer: Mapping[str, Any], now: datetime) -> None:
    """Record an exposure that was cut short, and discard an impossible one.

    An exposure is impossible if it is longer than the time since the release, or lasted for no frame of the screen.
    """
    if not DESIGNS[trial.sitting.reader.study.design].brief:
        return
    shown_ms, since = viewer.get("shown_ms"), trial.released_at or trial.keyed_at
    if shown_ms and (
        since is None
        or shown_ms > clock.milliseconds(since, now) + SLACK_MS
        or (viewer.get("frames") == 0 and not viewer.get("cut"))
    ):
        log.record("exposure-impossible", sitting=trial.sitting, trial=trial.token)
        for row in rows:
            row["value"] = None
    elif viewer.get("cut"):
        log.record("exposure-cut", sitting=trial.sitting, trial=trial.token)
