"""Leave a study before its end, and keep or delete one's answers."""

from __future__ import annotations

from pathlib import Path

from quiz_app import clock, log
from quiz_app.models import Reader
from quiz_app.study import reports


def withdraw(reader: Reader, instance: Path, *, delete: bool) -> None:
    """Let the reader leave the study; they cannot continue.

    `delete`: also delete their answers and personal details, and the stored reports, which contain their figures.
    """
    if reader.withdrawn_at is None:
        reader.withdrawn_at = clock.now()
        log.record("withdrew", study=reader.study, actor=reader.pseudonym)
    if delete and (reader.sittings or reader.profile or reader.years is not None or reader.external_id):
        log.record("deleted-at-wish", study=reader.study, actor=reader.pseudonym, answers=answered(reader))
        reports.forget(instance, reader.study)
        reader.sittings.clear()
        reader.profile, reader.years, reader.email, reader.external_id = {}, None, None, None


def answered(reader: Reader) -> int:
    """The number of the reader's answers that are stored."""
    return sum(trial.answered_at is not None for sitting in reader.sittings for trial in sitting.trials)
