"""Move everything from one database to another: completely, verified, and without losing answers on the way.

The source is locked against writers while it is copied, and the target is filled in one transaction. That is committed
only if every table has the same number of rows and the same checksum on both sides. Then the source is sealed: a server
still running on it cannot acknowledge an answer that the new database does not have.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import flask_migrate
import sqlalchemy as sa
from flask import Flask

from quiz_app import create_app
from quiz_app.database import Base, db
from quiz_app.errors import InvalidInputError

CHUNK = 500


def move(app: Flask, url: str) -> dict[str, tuple[int, str]]:
    """Copy every row of the SQLite database of `app` to the empty PostgreSQL database at `url`, and seal the source.

    Returns the number of rows and their SHA-256 by table. Raises InvalidInputError if the target cannot be used or does
    not contain what was copied; then the target is unchanged except for its tables, and the source is not sealed.
    """
    with app.app_context():
        if db.engine.dialect.name != "sqlite":
            raise InvalidInputError([f"database: {db.engine.url.render_as_string()} is not an SQLite database"])
    target = _target(app, url)
    with (
        app.app_context(),
        db.engine.connect() as source,
        source.begin(),
    ):  # SQLite: from here on, this is the only writer
        with target.app_context():
            try:
                _assert_same_version(source)
                told = _copy(source)
            finally:
                db.engine.dispose()
        _seal(source)
    return told


def _target(app: Flask, url: str) -> Flask:
    try:
        if sa.make_url(url).get_backend_name() != "postgresql":
            raise InvalidInputError(
                [f"--to: {url} is not of the form postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"]
            )
        target = create_app(replace(app.config["SETTINGS"], database_url=url))
        with target.app_context(), db.engine.connect():
            return target
    except (sa.exc.ArgumentError, sa.exc.OperationalError, ImportError) as error:
        raise InvalidInputError([f"--to: {url} cannot be opened: {str(error).splitlines()[0]}"]) from error


def _assert_same_version(source: sa.Connection) -> None:
    """Create the tables in the target; report a source whose version differs from this program's."""
    flask_migrate.upgrade()
    version = sa.text("SELECT version_num FROM alembic_version")
    with db.engine.connect() as connection:
        wanted, found = connection.scalar(version), source.scalar(version)
    if found != wanted:
        raise InvalidInputError([f"database: has version {found}, but {wanted} is needed; run: discern db upgrade"])


def _copy(source: sa.Connection) -> dict[str, tuple[int, str]]:
    told = {}
    with db.engine.begin() as target:
        tables = Base.metadata.sorted_tables
        if full := [table.name for table in tables if target.scalar(sa.select(sa.func.count()).select_from(table))]:
            raise InvalidInputError([f"--to: {name} already has rows; expected an empty database" for name in full])
        for table in tables:
            for rows in source.execute(sa.select(table)).mappings().partitions(CHUNK):
                target.execute(table.insert(), [dict(row) for row in rows])
            if (column := table.autoincrement_column) is not None:
                _set_sequence(target, table, column)
        for table in tables:
            told[table.name] = checksum(source, table)
            if (arrived := checksum(target, table)) != told[table.name]:
                raise InvalidInputError(
                    [f"{table.name}: {told[table.name]} were sent, {arrived} arrived; nothing was kept"]
                )
    return told


def _set_sequence(target: sa.Connection, table: sa.Table, column: sa.Column[int]) -> None:
    """Make the next row get the number after the last one copied."""
    last = target.scalar(sa.select(sa.func.max(column)))
    sequence = sa.func.pg_get_serial_sequence(f'"{table.name}"', column.name)
    target.execute(sa.select(sa.func.setval(sequence, last or 1, last is not None)))


def checksum(connection: sa.Connection, table: sa.Table) -> tuple[int, str]:
    """Number of rows and their SHA-256, in order of their keys; the same on every kind of database."""
    # Text is ordered by its bytes, because databases differ in how they sort text.
    rows = [json.dumps(list(row), default=str, sort_keys=True) for row in connection.execute(sa.select(table))]
    return len(rows), hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


def _seal(source: sa.Connection) -> None:
    """Make the source refuse every new row and every change."""
    for table in Base.metadata.sorted_tables:
        for what in ("INSERT", "UPDATE", "DELETE"):
            source.exec_driver_sql(
                f'CREATE TRIGGER "moved_{what.lower()}_{table.name}" BEFORE {what} ON "{table.name}" '
                "BEGIN SELECT RAISE(ABORT, 'this database has been moved'); END"
            )
