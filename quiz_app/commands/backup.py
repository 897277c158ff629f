"""discern backup: copy the database while the server runs, and record it."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from quiz_app import backups, log
from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import db
from quiz_app.errors import InvalidInputError


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--elsewhere", is_flag=True, help="Copy nothing; only record that a backup was made by other means.")
@as_json
@with_appcontext
@plainly
def backup(file: Path | None, elsewhere: bool, as_json: bool) -> None:
    """Back up the database to FILE, even while the server runs.

    An SQLite backup is a database file; a PostgreSQL backup is made by pg_dump, for pg_restore.
    """
    if elsewhere == (file is not None):
        raise InvalidInputError(["backup: give either FILE or --elsewhere"])
    if file is not None:
        backups.copy(file)
    log.record("backed-up", actor="command line", file=str(file or "elsewhere"))
    db.session.commit()
    size = file.stat().st_size if file else None
    tell(f"{file}: {size} bytes" if file else "backup recorded", {"file": file, "bytes": size}, as_json)
