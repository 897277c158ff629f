"""Reports of a study, created in the background and stored.

The folder of a report is named after the version of the study's settings and the number of answered trials, so that the
same answers are not analysed twice, and earlier reports are kept.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app import background, storage
from quiz_app.database import reading
from quiz_app.errors import InvalidInputError
from quiz_app.models import Event, Reader, Sitting, Study, Trial
from quiz_app.settings import Settings

if TYPE_CHECKING:
    from analysis.responses import Responses

# Events that change a report even if the number of answers is the same.
CHANGES = ("reader-corrected", "reader-reset", "reader-deleted", "deleted-at-wish", "study-reopened")


@dataclass(frozen=True)
class Report:
    """The state of a report, with its files by name."""

    key: str
    work: background.Work
    files: list[str]

    @property
    def version(self) -> int:
        """The version of the study's settings."""
        return int(self.key.split("-")[0][1:])

    @property
    def answers(self) -> int:
        """The number of answered trials, including practice and repeats."""
        return int(self.key.split("-")[1])


def key(session: Session, study: Study) -> str:
    """The name of the report on the current study: its settings, answers, marks and changes that add no answers."""
    # The numbers of trials in the views `responses` and `marks`, without reading every answer and mark.
    counted = sa.func.count()
    query = (
        sa.select(
            counted.filter(Trial.answered_at.isnot(None)),
            counted.filter(Trial.marks_outcome.in_(("marked", "nothing", "skipped"))),
        )
        .select_from(Trial)
        .join(Sitting)
        .join(Reader)
        .where(Reader.study_id == study.id, sa.not_(Reader.is_preview))
    )
    count, marks = session.execute(query).one()
    changed = sa.select(sa.func.count()).where(Event.study_id == study.id, Event.kind.in_(CHANGES))
    times = session.scalar(changed)
    return f"v{study.version}-{count}" + (f"-m{marks}" if marks else "") + (f"-c{times}" if times else "")


def home(instance: Path, study: Study) -> Path:
    """The folder for the reports of a study, named after its number, as a slug can be reused after a deletion."""
    return instance / "reports" / f"{study.id}-{study.slug}"


def find(folder: Path) -> Report | None:
    """The report in this folder, if there is one."""
    work = background.find(folder)
    if work is None:
        return None
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != background.STATUS]
    return Report(folder.name, work, sorted(path.relative_to(folder).as_posix() for path in files))


def kept(instance: Path, study: Study) -> list[Report]:
    """Every report of the study, latest first."""
    folders = [
        path for path in home(instance, study).glob("v*-*") if re.fullmatch(r"v\d+-\d+(-m\d+)?(-c\d+)?", path.name)
    ]
    found = [report for report in map(find, folders) if report]
    return sorted(found, key=lambda report: (report.version, report.answers, len(report.key), report.key), reverse=True)


def archive(session: Session, instance: Path, study: Study) -> Path | None:
    """The archive of the report on the current study; None if no such report has been made."""
    report = find(home(instance, study) / key(session, study))
    if report is None or report.work.state != "done" or "archive.zip" not in report.files:
        return None
    return home(instance, study) / report.key / "archive.zip"


def forget(instance: Path, study: Study) -> int:
    """Delete the stored reports, because answers in them are deleted; names can be reused. Returns how many.

    Archives waiting to be downloaded are in the same folder and are deleted too. Work in progress on either fails.
    """
    folder = home(instance, study)
    there = len(list(folder.glob("v*")))
    gone = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):  # so that nothing more can be written into it
        folder = folder.rename(gone)
    shutil.rmtree(folder, ignore_errors=True)
    return there


def make(settings: Settings, study: Study, name: str) -> None:
    """Start creating the report with this name, unless it exists or is in progress. Returns at once."""
    folder = home(settings.instance, study) / name
    if background.claim(folder):
        background.start(
            "quiz_app.study.reports", folder, study.slug,
            instance=settings.instance, database_url=settings.database_url,
        )  # fmt: skip


def compare(settings: Settings, study: Study, other: Study, answers: int | None = None) -> dict[str, Any]:
    """`study` now minus `other`, or minus itself after `answers` trials if that is given: see `analysis.compare`.

    Answers are only ever added, so the first `answers` trials are those that existed then. Raises InvalidInputError if
    there are no answers yet.
    """
    from analysis.compare import compare
    from analysis.responses import ResponsesError

    now = then = load(settings, study.slug)
    if answers is None:
        then = load(settings, other.slug)
    else:
        order = now.table.sort_values("answered_at", kind="stable")
        first = order["trial"].drop_duplicates().head(answers)
        then = replace(now, table=order[order["trial"].isin(first)])
    try:
        return compare(now, then, same_cases=study.pool_id == other.pool_id)
    except ResponsesError as bad:
        raise InvalidInputError(bad.faults) from bad


def load(settings: Settings, slug: str) -> Responses:
    """The answers of a study. Raises InvalidInputError without the database's address, which no page should show."""
    from analysis.responses import ResponsesError
    from analysis.responses.database import load_database

    where = sa.make_url(settings.database_url).render_as_string(hide_password=True)
    try:
        return load_database(settings.database_url, slug)
    except ResponsesError as bad:
        raise InvalidInputError([fault.removeprefix(f"{where}: ") for fault in bad.faults]) from bad


def _work(folder: Path, slug: str) -> None:
    """Create the report of study `slug` in `folder`: the work of the process."""
    from analysis.designs.common import Settings as Measuring
    from analysis.report import write
    from analysis.report.plates import Pictures
    from analysis.responses import ResponsesError
    from quiz_app import create_app

    app = create_app()
    settings = app.config["SETTINGS"]
    with (
        app.app_context(),
        reading() as session,
        background.working(folder, ResponsesError, InvalidInputError) as progress,
    ):
        pool = session.scalars(sa.select(Study).filter_by(slug=slug)).one().pool
        responses = load(settings, slug)
        with storage.on_disk(settings.images, [case.stored for case in pool.cases]) as images:
            files = {case.name: images / case.stored for case in pool.cases}
            pictures = Pictures(files, phantom=bool(pool.manifest.get("phantom")))
            write(responses, folder, Measuring(), progress, workers=1, pictures=pictures)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), sys.argv[2])
