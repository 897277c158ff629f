"""discern backup: a copy of the database while the server runs, on record."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import click
from flask.cli import with_appcontext

from quiz_app import log
from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--elsewhere", is_flag=True, help="Copy nothing; put on record that a backup was made by other means.")
@as_json
@with_appcontext
@plainly
def backup(file: Path | None, elsewhere: bool, as_json: bool) -> None:
    """Copy an SQLite database to FILE while the server runs. For PostgreSQL use pg_dump, then --elsewhere."""
    if elsewhere == (file is not None):
        raise InvalidInputError(["backup: give either FILE or --elsewhere"])
    if file is not None:
        _copy(file)
    log.record("backed-up", actor="command line", file=str(file or "elsewhere"))
    db.session.commit()
    size = file.stat().st_size if file else None
    tell(f"{file}: {size} bytes" if file else "on record", {"file": file, "bytes": size}, as_json)


def _copy(file: Path) -> None:
    if file.exists():
        raise InvalidInputError([f"backup: {file} is there already"])
    part = file.with_name(file.name + ".part")
    with reading() as session:
        connection = session.connection().connection.dbapi_connection
        if not isinstance(connection, sqlite3.Connection):
            raise InvalidInputError(["backup: this is no SQLite database; use pg_dump, then --elsewhere"])
        with closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
    part.replace(file)
