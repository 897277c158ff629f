"""Copy the whole database while readers answer: SQLite with its own backup, PostgreSQL with pg_dump."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa

from quiz_app import clock
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError


def copy(file: Path) -> None:
    """Write a snapshot of the database to `file`, which must not exist; the copy is complete or is not made at all.

    SQLite: a database that can replace the original. PostgreSQL: an archive for pg_restore.
    Raises InvalidInputError if the file exists or cannot be written, the copy is not complete, or pg_dump fails.
    """
    if file.exists():
        raise InvalidInputError([f"backup: {file} already exists"])
    part = file.with_name(file.name + ".part")
    try:
        part.touch(mode=0o600)
        (_copy_sqlite if db.engine.dialect.name == "sqlite" else _dump_postgres)(part)
        _sync(part)
        part.replace(file)
    except (OSError, sqlite3.Error) as error:
        raise InvalidInputError([f"backup: {file} cannot be written: {error}"]) from error
    finally:
        with suppress(OSError):
            part.unlink()


def before_migration(instance: Path, found: str) -> Path:
    """Back up the database of version `found` before it is changed, and return the file. Raises like `copy`."""
    suffix = "sqlite" if db.engine.dialect.name == "sqlite" else "dump"
    folder = instance / "backups"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    file = folder / f"{clock.now():%Y%m%dT%H%M%S%fZ}-version-{found}-{os.getpid()}.{suffix}"
    copy(file)
    return file


def kept(instance: Path) -> list[Path]:
    """The backups in the instance folder, oldest first."""
    folder = instance / "backups"
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _copy_sqlite(part: Path) -> None:
    with reading() as session, closing(sqlite3.connect(part)) as target:
        source = session.connection().connection.dbapi_connection
        assert isinstance(source, sqlite3.Connection)
        source.backup(target)
        if (found := target.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            raise InvalidInputError([f"backup: the copy is not intact: {found}"])


def _dump_postgres(part: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise InvalidInputError(
            ["backup: pg_dump is not installed; back up by other means, then record it with --elsewhere"]
        )
    url = db.engine.url
    address = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    secret = {"PGPASSWORD": url.password} if url.password else {}
    command = [program, "--format=custom", f"--file={part}", f"--dbname={address.render_as_string()}"]
    done = subprocess.run(command, env=os.environ | secret, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InvalidInputError([f"backup: pg_dump failed: {done.stderr.strip()[:500]}"])


def _sync(file: Path) -> None:
    """Wait until the copy is on disk: the next step may change the original."""
    with file.open("rb+") as written:
        os.fsync(written.fileno())
