"""Delete one reader's data on request: everything the reader gave is deleted, and a certificate lists it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from quiz_app import backups, clock, log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Answer, Event, Outgoing, Reader, Sitting, Trial, TrialCase
from quiz_app.study import reports


def delete_reader(reader: Reader, reason: str, instance: Path, *, actor: str = "") -> str:
    """Delete a reader with every sitting and answer; returns the certificate as text. The caller commits.

    The lines of the log are kept without the person: they now name `deleted-N`. Stored reports of the study contain the
    reader's figures and are deleted too. Raises InvalidInputError without a reason.
    """
    if not reason.strip():
        raise InvalidInputError(["reason: please give one; it is recorded in the log"])
    db.session.refresh(reader, with_for_update=True)  # an answer on its way is stored first, and counted
    study, pseudonym, alias = reader.study, reader.pseudonym, f"deleted-{reader.id}"
    sittings = len(reader.sittings)
    query = sa.select(sa.func.count(Trial.id.distinct())).select_from(Answer).join(TrialCase).join(Trial).join(Sitting)
    query = query.where(Sitting.reader_id == reader.id)
    answers = db.session.scalar(query) or 0
    copies = db.session.scalar(query.join(Outgoing).with_only_columns(sa.func.count(Outgoing.id))) or 0
    there = [f"Copies in Firestore: {copies} are queued for removal; `mirror status` counts what is left."]
    for event in db.session.scalars(sa.select(Event).filter_by(study_id=study.id)):
        if event.actor == pseudonym:
            event.actor = alias
        if event.details.get("reader") == pseudonym:
            told = {"reason": event.details["reason"].replace(pseudonym, alias)} if "reason" in event.details else {}
            event.details = event.details | {"reader": alias} | told
    study.readers.remove(reader)
    db.session.flush()
    kept = reports.forget(instance, study)
    said = reason.strip().replace(pseudonym, alias)[:500]
    log.record(
        "reader-deleted", study=study, actor=actor, reader=alias, sittings=sittings, answers=answers, reason=said
    )
    return "\n".join(
        [
            "CERTIFICATE OF DELETION",
            "",
            f"Study:     {study.title} ({study.slug})",
            f"Reader:    {pseudonym}",
            f"Deleted:   {clock.now():%Y-%m-%d %H:%M:%S} UTC, by {actor}",
            f"Reason:    {reason.strip()}",
            "",
            f"Removed from the database: the reader's record, {sittings} sitting(s) and {answers} answer(s).",
            f"Removed from the disk: {kept} stored report(s) of the study, which contained the reader's figures.",
            f"The log of the study keeps its entries; they name '{alias}' and no person.",
            *(there if copies else []),
            "Not deleted: exports and backups made earlier. Whoever has them must delete the reader there too;",
            f"they name the reader '{pseudonym}' of study '{study.slug}'.",
            *(f"  still there: {file}" for file in backups.kept(instance)),
            "",
        ]
    )
