"""The JSON of the reading room; docs/reference/protocol.md tells it in full.

Every writing call locks the sitting first, so that requests of one reader come one after the other, and
acknowledges only after the commit.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import current_app, g, request
from flask.typing import ResponseReturnValue

from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.errors import RefusedError
from quiz_app.models import Sitting, Trial, TrialCase
from quiz_app.pools import images
from quiz_app.reader import blueprint, wire
from quiz_app.sittings import answering, steps


def _body() -> dict[str, Any]:
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # brackets in brackets
        body = None
    if not isinstance(body, dict):
        raise RefusedError("not-json", "A JSON object is expected.", 400)
    return body


def _sitting() -> Sitting:
    """The sitting of this reader, locked."""
    _assert_stays()
    if g.reader.sitting is None or g.reader.sitting.instructed_at is None:
        raise RefusedError("not-begun", "Please open your link and begin there.")
    return steps.lock(g.reader.sitting.id)


def _assert_stays() -> None:
    if g.reader.withdrawn_at is not None:
        raise RefusedError("withdrawn", "You have left this study.", 410)


def _leased(sitting: Sitting, body: dict[str, Any]) -> Sitting:
    if not sitting.lease or body.get("lease") != sitting.lease:
        raise RefusedError("elsewhere", "This study goes on in another window or on another device.")
    return sitting


def _step(sitting: Sitting) -> dict[str, Any]:
    return wire.step(steps.next_step(sitting))


@blueprint.post("/claim")
def claim() -> ResponseReturnValue:
    """This page takes over: the newest one acts, older ones are told."""
    way = _body().get("way")
    if way not in (None, "sealed", "clear"):
        raise RefusedError("bad-way", "way: sealed or clear is expected", 422)
    sitting = _sitting()
    sitting.lease = secrets.token_urlsafe(16)
    sitting.device = {**sitting.device, "way": way}
    log.record("claimed", sitting=sitting, way=way)
    steps.greet(sitting)
    answer = {"lease": sitting.lease, "step": _step(sitting)}
    db.session.commit()
    return answer


@blueprint.post("/next")
def next_() -> ResponseReturnValue:
    """Where the reader should be now."""
    answer = {"step": _step(_leased(_sitting(), _body()))}
    db.session.commit()
    return answer


@blueprint.post("/continue")
def continue_() -> ResponseReturnValue:
    """End a break or a pause."""
    sitting = _leased(_sitting(), _body())
    if steps.next_step(sitting).kind not in ("begin", "break", "pause"):
        raise RefusedError("no-break", "There is no break to end.")
    steps.go_on(sitting)
    answer = {"step": _step(sitting)}
    db.session.commit()
    return answer


@blueprint.post("/trials/<trial_token>/onset")
def onset(trial_token: str) -> ResponseReturnValue:
    """The image of the due trial has been painted."""
    sitting = _leased(_sitting(), _body())
    steps.assert_open(sitting)
    trial = answering.find_trial(sitting, trial_token)
    if steps.due(sitting) is not trial:
        raise RefusedError("not-due", "This question is not due.")
    steps.stamp_onset(trial)
    answer = {"remaining_ms": steps.remaining_ms(trial)}
    db.session.commit()
    return answer


@blueprint.post("/trials/<trial_token>/failed")
def failed(trial_token: str) -> ResponseReturnValue:
    """The image could not be fetched or decoded; the page goes on trying. It is put on record, and nothing else."""
    body = _body()
    sitting = _leased(_sitting(), body)
    answering.note_failure(answering.find_trial(sitting, trial_token), body.get("reason"))
    db.session.commit()
    return {}


@blueprint.post("/trials/<trial_token>/answer")
def answer(trial_token: str) -> ResponseReturnValue:
    """Keep an answer, and say what comes next. One that is there already is told again, with 200."""
    body = _body()
    sitting = _sitting()
    trial = answering.find_trial(sitting, trial_token)
    repeated = trial.answered_at is not None
    if not repeated:
        answering.take(_leased(sitting, body), trial, body)
    told = {"saved": wire.saved(trial), "repeated": repeated, "feedback": wire.feedback(trial)}
    # A page that has been taken over may still bring its answer, but learns nothing of what comes next.
    goes_on = body.get("lease") == sitting.lease and sitting.reader.study_state == "open"
    told["step"] = _step(sitting) if goes_on else None
    db.session.commit()
    return told


def _image(token: str) -> tuple[TrialCase, Trial | None]:
    """The case at this address, and the trial due in its sitting."""
    found = db.session.query(TrialCase).join(Trial).join(Sitting).filter(
        TrialCase.token == token, Sitting.reader_id == g.reader.id
    ).one_or_none()  # fmt: skip
    if found is None:
        raise RefusedError("unknown-image", "There is no such image.", 404)
    _assert_stays()
    steps.assert_open(found.trial.sitting)
    return found, steps.due(found.trial.sitting)


@blueprint.get("/images/<image_token>")
def image(image_token: str) -> ResponseReturnValue:
    """The image of the due trial, in the clear, while its time lasts."""
    shown, due = _image(image_token)
    if shown.trial is not due or not steps.visible(due, clock.now()):
        raise RefusedError("not-visible", "This image cannot be seen now.", 410)
    return current_app.response_class(wire.blinded(shown), mimetype="image/png")


@blueprint.get("/sealed/<image_token>")
def sealed(image_token: str) -> ResponseReturnValue:
    """The image of the due trial or of one soon after it, sealed. Its key comes when it is due."""
    shown, due = _image(image_token)
    waiting = steps.waiting(shown.trial.sitting, 1 + steps.reach(g.study.rules)) if due else []
    if shown.trial not in waiting:
        raise RefusedError("not-visible", "This image cannot be had now.", 410)
    key = images.seal_key(current_app.config["SECRET_KEY"], shown.token)
    return current_app.response_class(images.sealed(wire.blinded(shown), key), mimetype="application/octet-stream")
