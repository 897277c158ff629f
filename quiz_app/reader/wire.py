"""What is sent to a reader's browser: before the end, nothing here may reveal the truth of a case."""

from __future__ import annotations

import base64
from typing import Any

from flask import current_app, url_for

from quiz_app import clock, storage
from quiz_app.database import db
from quiz_app.designs import DESIGNS
from quiz_app.models import MARKS_DUE
from quiz_app.pools import images
from quiz_app.sittings import marking, rows, steps
from quiz_app.sittings.rows import Answer, Trial
from quiz_app.sittings.steps import Step


def step(step: Step) -> dict[str, Any]:
    """The step that is due. A trial includes everything needed to show and answer it."""
    told: dict[str, Any] = {"kind": step.kind, "answered": step.answered, "total": step.total}
    if step.kind == "break":
        told["advised_s"] = step.advised_s
    if step.trial is not None and step.kind == "marks":
        told |= _marks(step.trial)
    elif step.trial is not None:
        # When the time is up, the image is gone for good, unless the study keeps it; an answer is still expected.
        told["trial"] = _trial(step.trial, steps.visible(step.trial, clock.now()))
        told["keyed"] = [_trial(trial, True) for trial in step.keyed]
    base = url_for("reader.start")
    told["ahead"] = [f"{base}sealed/{shown.token}" for trial in step.ahead for shown in trial.cases]
    return told


def _marks(trial: Trial) -> dict[str, Any]:
    """The images that may be marked, and what is asked about them."""
    rules, places = trial.sitting.reader.study.rules, marking.places(trial)
    asked = {"most": rules.marks_most, "reasons": rules.reasons, "rating": rules.marks_rating}
    return {
        "trial": _trial(trial, True),
        "marks": asked | {"places": places, "optional": rules.marks == "optional"},
    }


def _trial(trial: Trial, seen: bool) -> dict[str, Any]:
    study = trial.sitting.reader.study
    rules = study.rules
    limit_ms = round(rules.trial_s * 1000) or None
    shown = trial.cases if seen else []
    design = DESIGNS[study.design]
    return (
        design.exposure(rules, (trial.viewer or {}).get("asked_ms"))
        | _hints(trial)
        | {
            "trial": trial.token,
            "training": trial.is_training,
            "position": trial.position,
            "interval_ms": rules.interval_ms,
            "limit_ms": limit_ms,
            "at_timeout": rules.at_timeout,
            "remaining_ms": steps.remaining_ms(trial) if trial.released_at else limit_ms,
            "choices": design.choices(rules),
            "places": len(trial.cases),
            "reference": steps.reference(trial),
            "images": [_image(case.token, case.place, *_size(study)) for case in shown],
        }
    )


def _hints(trial: Trial) -> dict[str, Any]:
    """The hints stored with the images of a trial, if they are shown, exactly as in the file."""
    if not trial.sitting.reader.study.rules.hints:
        return {}
    told = [case for case in trial.cases if case.hint is not None]
    return {"hints": [{"place": case.place, "hint": case.hint, "text": case.hint_text or ""} for case in told]}


def _size(study: rows.Study) -> tuple[int, int]:
    """Width and height of the images as sent."""
    return images.reduced_size(study.width, study.height, study.rules.largest_side)


def _image(token: str, place: int, width: int, height: int) -> dict[str, Any]:
    key, base = images.seal_key(current_app.config["SECRET_KEY"], token), url_for("reader.start")
    return {
        "place": place,
        "width": width,
        "height": height,
        "address": f"{base}images/{token}",
        "sealed": f"{base}sealed/{token}",
        "key": base64.b64encode(key).decode(),
    }


def blinded(stored: str, largest_side: int = 0) -> bytes:
    """The image of a case, in a read-only request, reduced if `largest_side` is given.

    Raises InvalidInputError if the store does not return it.
    """
    db.session.rollback()  # a slow bucket must not delay anybody's answer
    return images.reduced(storage.read(current_app.config["SETTINGS"].images, stored), largest_side)


def saved(trial: Trial, answers: list[Answer]) -> dict[str, Any]:
    """The answer as stored."""
    told = DESIGNS[trial.sitting.reader.study.design].told(answers)
    return {"id": answers[0].id, "trial": trial.token, **told, "response_ms": trial.response_ms, "late": trial.late}


def feedback(trial: Trial, answers: list[Answer]) -> dict[str, Any] | None:
    """The truth of a practice trial, after its answer and its marks, if the study gives it."""
    study = trial.sitting.reader.study
    if trial.marks_outcome == MARKS_DUE:
        return None
    if not (trial.is_training and study.rules.practice_feedback):
        return None
    design = DESIGNS[study.design]
    rows.add_cases([trial])
    return design.feedback(design.told(answers), [shown.case.truth for shown in trial.cases if shown.case])
