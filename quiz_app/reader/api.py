"""The JSON interface of the reading room, described in docs/reference/protocol.md.

Every call that writes locks the reader, so that requests of one reader are handled one at a time, and acknowledges only
after the commit.
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from flask import current_app, g, request
from flask.typing import ResponseReturnValue

from quiz_app import clock, log, models
from quiz_app.database import db
from quiz_app.errors import RefusedError
from quiz_app.pools import images
from quiz_app.reader import blueprint, wire
from quiz_app.sittings import answering, marking, rows, steps
from quiz_app.sittings.rows import Shown, Way


def _body() -> dict[str, Any]:
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # deeply nested brackets
        body = None
    if not isinstance(body, dict):
        raise RefusedError("not-json", "A JSON object is expected.", 400)
    return body


def _way(most: int | None = None) -> Way:
    """Where this reader is, with the next `most` trials."""
    _assert_stays()
    way = steps.look(g.reader, most)
    if way is None or way.sitting.instructed_at is None:
        raise RefusedError("not-begun", "Please open your link and begin there.")
    return way


def _assert_stays() -> None:
    if g.reader.withdrawn_at is not None:
        raise RefusedError("withdrawn", "You have left this study.", 410)


def _leased(way: Way, body: dict[str, Any]) -> Way:
    if not way.sitting.lease or body.get("lease") != way.sitting.lease:
        raise RefusedError("elsewhere", "The study is open in another window or on another device.")
    return way


def _keep(way: Way) -> None:
    """Commit; everything is on disk when this returns."""
    way.save()
    db.session.commit()


def _step(way: Way) -> dict[str, Any]:
    return wire.step(steps.next_step(way))


def _acknowledged(way: Way, body: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """What was stored, and what comes next; called once it is safely stored."""
    # A page that has been taken over may still send its answer, but is not told what comes next.
    goes_on = body.get("lease") == way.sitting.lease and g.reader.study_state == "open"
    told["step"] = _step(way) if goes_on else None
    _keep(way)
    return told


@blueprint.post("/claim")
def claim() -> ResponseReturnValue:
    """This page takes over: only the newest page can act, and older ones are told."""
    images_come = _body().get("way")
    if images_come not in (None, "sealed", "clear"):
        raise RefusedError("bad-way", "way: sealed or clear is expected", 422)
    way = _way()
    sitting = way.sitting
    sitting.lease = secrets.token_urlsafe(16)
    kept = db.session.get_one(models.Sitting, sitting.id)
    kept.device = {**kept.device, "way": images_come}
    log.record("claimed", sitting=sitting, way=images_come)
    steps.greet(way)
    answer = {"lease": sitting.lease, "step": _step(way)}
    _keep(way)
    return answer


@blueprint.post("/next")
def next_() -> ResponseReturnValue:
    """Where the reader should be now."""
    way = _leased(_way(), _body())
    answer = {"step": _step(way)}
    _keep(way)
    return answer


@blueprint.post("/continue")
def continue_() -> ResponseReturnValue:
    """End a break or a pause. If there is none, an earlier request has ended it: repeat what comes next."""
    way = _leased(_way(), _body())
    if steps.next_step(way).kind in ("begin", "break", "pause"):
        steps.go_on(way)
    answer = {"step": _step(way)}
    _keep(way)
    return answer


@blueprint.post("/trials/<trial_token>/onset")
def onset(trial_token: str) -> ResponseReturnValue:
    """The image of the due trial has been painted."""
    way = _leased(_way(most=1), _body())
    steps.assert_open(way.sitting)
    trial = answering.find_trial(way, trial_token)
    if way.due is not trial:
        raise RefusedError("not-due", "It is not this question's turn. Please reload the page.")
    steps.stamp_onset(trial)
    answer = {"remaining_ms": steps.remaining_ms(trial)}
    _keep(way)
    return answer


@blueprint.post("/trials/<trial_token>/failed")
def failed(trial_token: str) -> ResponseReturnValue:
    """Record that the image could not be fetched or decoded, and nothing else; the page keeps trying."""
    body = _body()
    way = _leased(_way(), body)
    answering.note_failure(answering.find_trial(way, trial_token), body.get("reason"))
    db.session.commit()
    return {}


@blueprint.post("/trials/<trial_token>/answer")
def answer(trial_token: str) -> ResponseReturnValue:
    """Store an answer, and say what comes next. A repeated answer is acknowledged again, with 200."""
    body = _body()
    way = _way()
    trial = answering.find_trial(way, trial_token)
    repeated = trial.answered_at is not None
    given = rows.given(trial) if repeated else answering.take(_leased(way, body), trial, body)
    told = {"saved": wire.saved(trial, given), "repeated": repeated, "feedback": wire.feedback(trial, given)}
    return _acknowledged(way, body, told)


@blueprint.post("/trials/<trial_token>/marks")
def marks(trial_token: str) -> ResponseReturnValue:
    """Store the marks of an answered trial, and say what comes next. Repeated marks are acknowledged again."""
    body = _body()
    way = _way()
    trial = marking.find_trial(way, trial_token)
    repeated = trial is not way.marking
    if not repeated:
        marking.take(_leased(way, body), trial, body)
    given = rows.given(trial) if trial.is_training else []
    told = {"saved": marking.told(trial), "repeated": repeated, "feedback": wire.feedback(trial, given)}
    return _acknowledged(way, body, told)


def _image(token: str) -> tuple[Shown | None, Way]:
    """The case at this address, if it is one of the next ones, and where its reader is."""
    way = steps.look(g.reader)
    coming = way.coming[: 1 + steps.reach(g.study.rules)] if way else []
    if way and way.marking is not None:
        coming = [way.marking, *coming]
    found = next((shown for trial in coming for shown in trial.cases if shown.token == token), None)
    if way is None or (found is None and not _known(token)):
        raise RefusedError("unknown-image", "This image does not exist.", 404)
    _assert_stays()
    steps.assert_open(way.sitting)
    return found, way


def _known(token: str) -> bool:
    """Whether this is the address of an image of this reader."""
    query = sa.select(models.TrialCase.id).join(models.Trial).join(models.Sitting)
    mine = query.where(models.TrialCase.token == token, models.Sitting.reader_id == g.reader.id)
    return db.session.scalar(mine) is not None


@blueprint.get("/images/<image_token>")
def image(image_token: str) -> ResponseReturnValue:
    """The image of the due trial, in the clear, until its time is up."""
    shown, way = _image(image_token)
    due = way.marking or way.due
    if shown is None or due is None or shown not in due.cases or not steps.visible(due, clock.now()):
        raise RefusedError("not-visible", "This image can no longer be shown. Please reload the page.", 410)
    return current_app.response_class(_bytes(shown), mimetype="image/png")


@blueprint.get("/sealed/<image_token>")
def sealed(image_token: str) -> ResponseReturnValue:
    """The sealed image of the due trial or of one of the next trials. Its key is sent when it is due."""
    shown, _ = _image(image_token)
    if shown is None:
        raise RefusedError("not-visible", "This image is not available at the moment. Please reload the page.", 410)
    key = images.seal_key(current_app.config["SECRET_KEY"], shown.token)
    return current_app.response_class(images.sealed(_bytes(shown), key), mimetype="application/octet-stream")


def _bytes(shown: Shown) -> bytes:
    """The image in a place, as this reader is to see it now."""
    return wire.blinded(rows.stored(g.reader, shown), g.reader.study.rules.largest_side)
