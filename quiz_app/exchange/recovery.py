"""Answers from outside: compared with the database, restored into an empty one, or imported.

A restored or imported study is closed and has no images: it is for exports and reports, which only need the answers.
"""

from __future__ import annotations

import csv
import re
import secrets
import tempfile
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from analysis.responses import ResponsesError, load_panodiff
from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.designs.rating import LEVELS
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import mirror
from quiz_app.exchange.responses_csv import DICTIONARY
from quiz_app.models import Answer, Case, Mark, Pool, Reader, Removal, Sitting, Study, Trial, TrialCase
from quiz_app.pools.importing import free_slug, slugified
from quiz_app.study import readers
from quiz_app.study.settings import StudySettings

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """The ids of answers that are only in the database; only in the mirror, because they wait for removal or for
    another reason; in both but different; and the number that agree."""

    unsent: list[str]
    unremoved: list[str]
    unknown: list[str]
    different: list[str]
    same: int


def compare(session: Session, outside: Iterable[Row]) -> Comparison:
    """Compare the mirror with the database, by the number of answers and the checksum of each."""
    here = {row["id"]: mirror.digest(row) for row in mirror.documents(session)}
    there = {row["id"]: mirror.digest(row) for row in outside}
    both, only_there = here.keys() & there.keys(), there.keys() - here.keys()
    unremoved = only_there & set(session.scalars(sa.select(Removal.answer_id)))
    different = sorted(name for name in both if here[name] != there[name])
    return Comparison(
        sorted(here.keys() - there.keys()), sorted(unremoved), sorted(only_there - unremoved), different,
        len(both) - len(different),
    )  # fmt: skip


def restore(rows: Iterable[Row]) -> list[Study]:
    """Rebuild studies from the mirror's answers, in a database without studies. The caller commits.

    Raises InvalidInputError, with nothing kept, if the database has studies, an answer has an unknown format, or the
    result does not reproduce every answer exactly.
    """
    rows = list(rows)
    if db.session.scalar(sa.select(sa.func.count()).select_from(Study)):
        raise InvalidInputError(["database: already has studies; restore into an empty instance"])
    if not rows:
        raise InvalidInputError(["mirror: has no answers"])
    if strange := {row.get("format") for row in rows} - {*mirror.FORMATS}:
        known = ", ".join(map(str, mirror.FORMATS))
        raise InvalidInputError([f"mirror: answers of format {sorted(map(str, strange))}; this version knows {known}"])
    studies = _rebuild(rows)
    db.session.flush()
    found = compare(db.session(), rows)
    if found.unsent or found.unknown or found.different:
        raise InvalidInputError(
            [f"mirror: {len(rows)} answers received, but only {found.same} can be reproduced exactly; nothing was kept"]
        )
    return studies


def import_submissions(slug: str, submissions: Iterable[Row], labels: Path) -> Study:
    """A closed study from the answers of the original quiz: documents or rows with `user_name`, `file` and
    `realFakeValueSlider`, and its table of truths. Readers become P01, P02, ...; of the name that they typed, only the
    letters of a code such as EC1 are kept, as their group.

    The caller commits. Raises InvalidInputError with every problem, each with its row.
    """
    if slug != slugified(slug) or db.session.scalar(sa.select(Study).filter_by(slug=slug)):
        raise InvalidInputError([f"slug: {slug!r} is in use or not valid; use lower-case letters, digits and dashes"])
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "submissions.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["User Name", "File", "RealFakeValueSlider"])
            names = ("user_name", "file", "realFakeValueSlider")
            writer.writerows([row.get(name, "") for name in names] for row in submissions)
        try:
            loaded = load_panodiff(table, labels).table
        except ResponsesError as bad:
            raise InvalidInputError(bad.faults) from bad
    said = {level: pair for pair, level in LEVELS.items()}
    pseudonyms = {name: f"P{number:02}" for number, name in enumerate(loaded["reader"].unique(), start=1)}
    rows, seen = [], dict.fromkeys(pseudonyms, 0)
    for row in loaded.to_dict("records"):
        if not row["level"] >= 1:  # NaN: not answered
            continue
        name = row["reader"]
        seen[name] += 1
        answer, certainty = said[int(row["level"])]
        rows.append(
            dict.fromkeys(DICTIONARY)
            | {"case": row["case"], "truth": "synthetic" if row["truth"] else "real"}
            | {"reader_group": row["reader_group"] if re.fullmatch(r"[A-Za-z]{1,4}\d+", name) else None}
            | {"id": str(uuid.uuid4()), "study": slug, "design": "rating", "reader": pseudonyms[name], "sitting": 1}
            | {"trial": secrets.token_urlsafe(16), "position": seen[name], "block": 1, "study_version": 1}
            | {"source": "", "answer": answer, "certainty": certainty, "level": int(row["level"])}
        )
    (study,) = _rebuild(rows)
    return study


def _rebuild(rows: list[Row]) -> list[Study]:
    made = []
    for slug in dict.fromkeys(row["study"] for row in rows):
        answers = [row for row in rows if row["study"] == slug]
        study = _study(slug, answers)
        db.session.add(study)
        db.session.flush()
        log.record("study-restored", study=study, answers=len({row["trial"] for row in answers}))
        made.append(study)
    return made


def _study(slug: str, rows: list[Row]) -> Study:
    now = clock.now()
    pool = Pool(
        slug=free_slug(f"{slug}-restored", Pool), name=slug, width=0, height=0, manifest={}, sha256="", served_bytes=0,
        created_at=now,
    )  # fmt: skip
    study = Study(
        slug=slug, title=slug, design=rows[0]["design"], state="closed", version=max(r["study_version"] for r in rows),
        seed=0, settings=StudySettings().as_dict(), pool=pool, created_at=now, closed_at=now,
    )  # fmt: skip
    cases = _each(rows, "case", lambda row: _case(pool, row))
    people = _each(rows, "reader", lambda row: _reader(study, row))
    sittings: dict[tuple[str, int], Sitting] = {}
    trials: dict[str, Trial] = {}
    for row in rows:
        reader, number = people[row["reader"]], row["sitting"]
        if (row["reader"], number) not in sittings:
            met = {name: row[name] for name in ("period", "condition", "sequence") if name in row}
            sittings[row["reader"], number] = Sitting(reader=reader, number=number, seed=0, created_at=now, **met)
        if row["trial"] not in trials:
            trials[row["trial"]] = _trial(sittings[row["reader"], number], row)
        _answer(trials[row["trial"]], cases[row["case"]], row)
    return study


def _each(rows: list[Row], column: str, make: Callable[[Row], Any]) -> dict[str, Any]:
    first = {row[column]: row for row in reversed(rows)}
    return {name: make(first[name]) for name in sorted(first)}


def _case(pool: Pool, row: Row) -> Case:
    return Case(
        pool=pool, name=row["case"], file="", truth=row["truth"], source=row["source"] or "", sha256="", width=0,
        height=0, group="practice" if row["is_training"] else "", stored=secrets.token_hex(16),
    )  # fmt: skip


def _reader(study: Study, row: Row) -> Reader:
    nobody_knows = readers.hashed(secrets.token_urlsafe(24))
    return Reader(
        study=study, pseudonym=row["reader"], group=row["reader_group"] or None, profile={}, token_hash=nobody_knows,
        created_at=study.created_at,
    )  # fmt: skip


def _trial(sitting: Sitting, row: Row) -> Trial:
    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(row[name]) if row.get(name) else None

    def flag(name: str) -> bool | None:
        return None if row[name] is None else bool(row[name])

    plain = ("position", "block", "study_version", "response_ms", "client_ms", "zoom_max")
    return Trial(
        sitting=sitting, token=row["trial"], is_training=bool(row["is_training"]), is_repeat=bool(row["is_repeat"]),
        onset_at=moment("onset_at"), answered_at=moment("answered_at"), late=flag("late"), windowed=flag("windowed"),
        marks_id=row.get("marks_id"), marks_outcome=row.get("marks_outcome"), marked_at=moment("marked_at"),
        **{name: row[name] for name in plain},
    )  # fmt: skip


def _answer(trial: Trial, case: Case, row: Row) -> None:
    shown = next((shown for shown in trial.cases if shown.case is case), None)
    if shown is None:
        place = row["place"] or len(trial.cases) + 1
        token = secrets.token_urlsafe(16)
        shown = TrialCase(trial=trial, case=case, place=place, token=token, hint=row.get("hint"))
        for mark in row.get("marks", []):  # every answer about the image includes them
            told = {name: mark[name] for name in ("x", "y", "reason", "rating")}
            shown.marks.append(Mark(number=mark["mark"], **told))
    said = {name: row[name] for name in ("answer", "certainty", "level", "realism", "value")}
    chosen = None if row["chosen"] is None else bool(row["chosen"])
    shown.answers.append(Answer(id=row["id"], criterion=row["criterion"] or "", chosen=chosen, **said))
