"""Rating: one image, real or synthetic, how certain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quiz_app.errors import RefusedError
from quiz_app.study.settings import StudySettings

LEVELS: dict[tuple[str, str | None], int] = {
    ("real", "full"): 1,
    ("real", "partial"): 2,
    ("unsure", None): 3,
    ("synthetic", "partial"): 4,
    ("synthetic", "full"): 5,
}


def choices(rules: StudySettings) -> list[dict[str, str | None]]:
    """What a reader may say, in the order of the levels."""
    return [
        {"answer": answer, "certainty": certainty} for answer, certainty in LEVELS if answer != "unsure" or rules.unsure
    ]


def check(said: Mapping[str, Any], rules: StudySettings) -> dict[str, Any]:
    """The columns of an answer from what a reader sent: `answer`, `certainty`, `level`. Raises RefusedError."""
    answer, certainty = said.get("answer"), said.get("certainty")
    if {"answer": answer, "certainty": certainty} not in choices(rules):
        raise RefusedError(
            "not-an-answer",
            f"answer {answer!r} with certainty {certainty!r} is not one of the answers of this study",
            status=422,
        )
    return {"answer": answer, "certainty": certainty, "level": LEVELS[answer, certainty]}  # type: ignore[index]
