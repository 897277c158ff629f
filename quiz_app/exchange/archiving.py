"""Create the archive of a study for download, in the background; it is kept on the server for a day.

    archive/KEY/archive.zip   with the reports of the study, so that both are removed when answers are deleted

KEY identifies the state of the study: any new log entry, answer or report gives the archive a different key.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app import background
from quiz_app.database import reading
from quiz_app.exchange import archive
from quiz_app.models import Event, Reader, Sitting, Study, Trial
from quiz_app.settings import Settings
from quiz_app.study import reports

NAME, HOME = "archive.zip", "archive"
KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Made:
    """The state of an archive: its key, its progress, and the size of its file in bytes, 0 until it is complete."""

    key: str
    work: background.Work
    size: int = 0


def key(session: Session, instance: Path, study: Study) -> str:
    """The name of the archive of the current study. Downloads do not change it."""
    noted = sa.select(sa.func.count()).where(Event.study_id == study.id, Event.kind != "handed-over")
    moments = (Trial.released_at, Trial.onset_at, Trial.answered_at, Trial.marked_at)
    query = sa.select(*map(sa.func.count, moments)).select_from(Trial).join(Sitting).join(Reader)
    trials = session.execute(query.where(Reader.study_id == study.id)).one()
    report = "-r" if reports.archive(session, instance, study) else ""
    return f"e{session.scalar(noted)}-t{'-'.join(map(str, trials))}{report}"


def home(instance: Path, study: Study) -> Path:
    """The folder for the archives of a study."""
    return reports.home(instance, study) / HOME


def kept(instance: Path, study: Study) -> list[Made]:
    """The archives of the study that exist or are in progress, latest first."""
    found = []
    for folder in home(instance, study).glob("e*"):
        work = background.find(folder)
        if work is not None and re.fullmatch(r"e\d+-t\d+-\d+-\d+-\d+(-r)?", folder.name):
            file = folder / NAME
            found.append(Made(folder.name, work, file.stat().st_size if work.state == "done" else 0))
    return sorted(found, key=lambda made: str(made.work.at), reverse=True)


def make(settings: Settings, study: Study, name: str) -> None:
    """Start creating the archive with this name, unless it exists or is in progress; an earlier one is removed.

    Returns at once.
    """
    folder = home(settings.instance, study) / name
    for other in kept(settings.instance, study):
        if other.key != name and other.work.state != "making":
            shutil.rmtree(home(settings.instance, study) / other.key, ignore_errors=True)
    if background.claim(folder):
        background.start(
            "quiz_app.exchange.archiving", folder, study.slug,
            instance=settings.instance, database_url=settings.database_url,
        )  # fmt: skip


def sweep(instance: Path) -> None:
    """Remove the archives of all studies that are more than a day old."""
    background.sweep(instance.glob(f"reports/*/{HOME}/e*"), KEPT)


def _work(folder: Path, slug: str) -> None:
    """Write the archive of study `slug` into `folder`: the work of the process."""
    from quiz_app import create_app

    app = create_app()
    settings = app.config["SETTINGS"]
    part = folder / f"{NAME}.part"
    with app.app_context(), reading() as session, background.working(folder) as progress:
        study = session.scalars(sa.select(Study).filter_by(slug=slug)).one()
        try:
            with part.open("wb") as file:
                report = reports.archive(session, settings.instance, study)
                archive.write(session, study, settings.images, file, report, progress)
            part.replace(folder / NAME)
        finally:
            part.unlink(missing_ok=True)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), sys.argv[2])
