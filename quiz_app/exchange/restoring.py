"""Restore a study from an uploaded archive, in the background: either completely or not at all.

restoring/RESEARCHER/NAME/archive.zip   the upload, until it is restored or refused
restoring/RESEARCHER/NAME/study.json    the restored study
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from datetime import timedelta
from pathlib import Path

from quiz_app import background
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import archive
from quiz_app.models import Researcher
from quiz_app.settings import Settings

UPLOAD, FOUND = "archive.zip", "study.json"
KEPT = timedelta(hours=24)  # how long outcomes, and files left by a killed process, are kept


def home(instance: Path, owner: Researcher) -> Path:
    """The folder for a researcher's uploads; nobody else can see them."""
    return instance / "restoring" / str(owner.id)


def begin(settings: Settings, upload: Path, owner: Researcher) -> str:
    """Take over the archive at `upload` and start restoring its study, which will belong to `owner`.

    Returns the name of the work at once.
    """
    name = secrets.token_hex(8)
    folder = home(settings.instance, owner) / name
    background.claim(folder)
    shutil.move(upload, folder / UPLOAD)
    background.start(
        "quiz_app.exchange.restoring", folder, str(owner.id),
        instance=settings.instance, database_url=settings.database_url,
    )  # fmt: skip
    return name


def restored(folder: Path) -> str:
    """The slug of the study restored by the work in `folder`, which must be done."""
    return json.loads((folder / FOUND).read_text("utf-8"))["study"]


def sweep(instance: Path) -> None:
    """Remove files that are more than a day old."""
    background.sweep(instance.glob("restoring/*/*"), KEPT)


def _work(folder: Path, owner: int) -> None:
    """Restore the study of the upload in `folder`: the work of the process."""
    from quiz_app import create_app

    app = create_app()
    with app.app_context(), background.working(folder, InvalidInputError) as progress:
        researcher = db.session.get_one(Researcher, owner)
        db.session.expunge(researcher)
        db.session.rollback()  # so that nobody's answer waits while the archive is checked
        try:
            study = archive.restore(folder / UPLOAD, app.config["SETTINGS"].images, owner=researcher, progress=progress)
            (folder / FOUND).write_text(json.dumps({"study": study.slug}), "utf-8")
            db.session.commit()
        finally:
            (folder / UPLOAD).unlink(missing_ok=True)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), int(sys.argv[2]))
