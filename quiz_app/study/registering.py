"""The registration of a study: accepted before its first answer, stored with it, and shown in its report."""

from __future__ import annotations

from typing import Any

from quiz_app import log
from quiz_app.errors import InvalidInputError
from quiz_app.models import Study
from quiz_app.study import lifecycle


def register(study: Study, text: str, *, actor: str = "") -> dict[str, Any]:
    """Store the registration in `text` (registration.json) with the study; it replaces an earlier one.

    Raises InvalidInputError if it was edited, is for a different pool or design, or the study already has answers.
    """
    from analysis import registration
    from analysis.responses import ResponsesError

    lifecycle.assert_may_change(study)
    try:
        given = registration.loads(text, "file")
        pool = {"name": study.pool.name, "sha256": study.pool.sha256}
        registration.assert_same(given, study.design, pool)
    except ResponsesError as bad:
        raise InvalidInputError(bad.faults) from bad
    earlier = (study.registration or {}).get("sha256")
    study.registration = given
    at = given["registration"]["made"]["at"]
    log.record("study-registered", study=study, actor=actor, made=at, sha256=given["sha256"], instead_of=earlier)
    return given
