"""discern mirror: run, status, verify, restore, import."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import another_version, db, reading, versions
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import mirror

group = AppGroup("mirror", help="Keep a copy of every answer in Firestore.")


def mirrored(command: Callable[..., Any]) -> Callable[..., Any]:
    """Report a problem with the mirror in one sentence, and exit with 1."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except mirror.MirrorError as error:
            raise click.ClickException(str(error)) from error

    return plainly(wrapped)


def current(command: Callable[..., Any]) -> Callable[..., Any]:
    """Require the database version that this Discern needs: another version cannot be compared or filled."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        found, wanted = versions()
        if found != wanted:
            raise InvalidInputError([another_version(found, wanted)])
        return command(*args, **kwargs)

    return wrapped


def _settings() -> Any:
    return current_app.config["SETTINGS"]


@group.command()
@mirrored
def run() -> None:
    """Send answers as they come in, until stopped. `discern run` does this itself; run it beside any other server."""
    mirror.certificate(_settings())
    mirror.Worker(current_app._get_current_object()).run()  # type: ignore[attr-defined]


@group.command()
@as_json
@mirrored
def status(as_json: bool) -> None:
    """Show how many answers are waiting to be sent, since when, and the last error."""
    with reading() as session:
        states = {"project": mirror.project_of(_settings())} | mirror.status(session)
    tell("\n".join(f"{name}\t{value}" for name, value in states.items()), states, as_json)


@group.command()
@mirrored
@current
def verify() -> None:
    """Compare the mirror with the database, by the number of answers and the checksum of each."""
    from quiz_app.exchange import recovery as archive

    with reading() as session:
        mirror.assert_same_project(session, _settings())
    outside = list(mirror.stored(mirror.connect(_settings())))
    with reading() as session:
        found = archive.compare(session, outside)
    click.echo(f"{found.same} answer rows are the same on both sides")
    faults = [
        f"{len(ids)} {what}: {', '.join(ids[:3])}{' ...' if len(ids) > 3 else ''}"
        for ids, what in (
            (found.unsent, "are not in the mirror"),
            (found.unremoved, "are deleted here but not yet removed from the mirror"),
            (found.unknown, "are only in the mirror"),
            (found.different, "differ"),
        )
        if ids
    ]
    if faults:
        raise InvalidInputError(faults)


@group.command()
@mirrored
@current
def restore() -> None:
    """Rebuild the answers from the mirror in an empty database, as closed studies without images."""
    from quiz_app.exchange import recovery as archive

    studies = archive.restore(mirror.stored(mirror.connect(_settings())))
    db.session.commit()
    for study in studies:
        click.echo(f"{study.slug}: restored")


@group.command("import")
@click.option("--study", "slug", required=True, help="Slug of the new, closed study.")
@click.option(
    "--labels", type=click.Path(path_type=Path), required=True, help="CSV file with the columns Filename and Label."
)
@click.option("--submissions", type=click.Path(path_type=Path), help="CSV export; if not given, read from Firestore.")
@mirrored
@current
def import_(slug: str, labels: Path, submissions: Path | None) -> None:
    """Import the answers of the original PanoDiff quiz from its Firestore collection `submissions` or its CSV export.

    Readers become P01, P02, ...; their names are not kept.
    """
    from quiz_app.exchange import recovery as archive

    rows = list(_submissions(submissions) if submissions else mirror.stored(mirror.connect(_settings()), "submissions"))
    study = archive.import_submissions(slug, rows, labels)
    readers = len(study.readers)
    db.session.commit()
    click.echo(f"{slug}: {readers} readers, {len(rows)} answers")


def _submissions(path: Path) -> list[dict[str, str]]:
    columns = {"User Name": "user_name", "File": "file", "RealFakeValueSlider": "realFakeValueSlider"}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if missing := [name for name in columns if name not in (table.fieldnames or [])]:
                raise InvalidInputError([f"{path}: has no column {name!r}" for name in missing])
            return [{columns[name]: row[name] for name in columns} for row in table]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError([f"{path}: cannot be read: {error}"]) from error
