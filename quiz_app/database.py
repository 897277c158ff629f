"""The engine, its pragmas, and the two ways to the database: `db.session` to write, `reading()` to read.

SQLite: one connection per process, and every transaction of `db.session` is BEGIN IMMEDIATE. A transaction that
begins deferred and writes later is refused as "locked" if another one has written in the meantime, whatever the
timeout (https://www.sqlite.org/lang_transaction.html, section 2.2); a transaction that begins as a writer waits.
Read-only work (exports, reports, the monitor, and requests that call `only_look`) has its own connections, which WAL
lets run at the same time as the writer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask, current_app, has_request_context, request
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import QueuePool

from quiz_app.paths import beside

BUSY_SECONDS = 30
PATIENCE_MS = 2000  # how long a deletion waits for reading transactions
THREADS = 8  # per server process, each with a connection
_ONLY_LOOKS, _LIGHT = "discern.only_looks", "discern.light"  # in the environment of a request
_READ_ONLY, _WAITS = "discern.read_only", "discern.waits"  # properties of a connection


class Base(DeclarativeBase):
    """Name all constraints, so that migrations can change them on every database."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Instant(sa.types.TypeDecorator[datetime]):
    """A time in UTC, stored as `2026-11-20T09:41:58.123Z`: the same text on every database, and it sorts as text."""

    impl = sa.String(24)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class RequestSession(FlaskSession):
    """In a read-only request, the session of the request uses the same engine as `reading`."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        if _said(_ONLY_LOOKS):
            return current_app.extensions["discern.looking"]
        return super().get_bind(*args, **kwargs)


def only_look(*, really: bool = True) -> None:
    """Declare, at the beginning of a request or after a rollback, whether it only reads."""
    request.environ[_ONLY_LOOKS] = really


def commit_lightly() -> None:
    """Declare, at the beginning of a request, that its commit need not wait for the disk.

    It survives a killed server, and no later commit is kept without it; it can be lost only if the machine or
    PostgreSQL itself stops at that moment.
    """
    request.environ[_LIGHT] = True


def _said(what: str) -> bool:
    return has_request_context() and bool(request.environ.get(what))


db = SQLAlchemy(model_class=Base, session_options={"class_": RequestSession})
migrate = Migrate(directory=str(beside("migrations")))


def init_app(app: Flask, url: str) -> None:
    """Bind the application to the database at `url` (in SQLAlchemy's format)."""
    sqlite = make_url(url).get_backend_name() == "sqlite"
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _sqlite_options(1) if sqlite else _POSTGRES_OPTIONS
    db.init_app(app)
    migrate.init_app(app, db, render_as_batch=sqlite)
    with app.app_context():
        looking = sa.create_engine(url, **(_sqlite_options(THREADS) if sqlite else _POSTGRES_OPTIONS))
        if sqlite:
            # SQLAlchemy's own does nothing. A listener to "begin" would go the long way of any statement.
            db.engine.dialect.do_begin = _begin_sqlite  # type: ignore[method-assign]
            looking.dialect.do_begin = _begin_sqlite_to_look  # type: ignore[method-assign]
            sa.event.listen(db.engine, "connect", _prepare_sqlite)
            sa.event.listen(db.engine, "handle_error", _note_read_only)
            sa.event.listen(db.engine, "checkout", partial(_open_anew, looking))
            sa.event.listen(looking, "connect", _prepare_sqlite_to_look)
        else:
            sa.event.listen(db.engine, "begin", _begin_postgres)
            looking = looking.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        app.extensions["discern.looking"] = looking


# hide_parameters: errors must not write personal data into a log.
_POSTGRES_OPTIONS = {"pool_pre_ping": True, "pool_size": THREADS, "hide_parameters": True}


def _sqlite_options(connections: int) -> dict[str, Any]:
    # isolation_level None: the driver does not begin transactions itself; the "begin" event does.
    return {
        "hide_parameters": True,
        "poolclass": QueuePool,
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": BUSY_SECONDS,
        "connect_args": {"isolation_level": None, "check_same_thread": False, "timeout": BUSY_SECONDS},
    }


def _begin_sqlite(dbapi_connection: Any) -> None:
    waits = "NORMAL" if _said(_LIGHT) else "FULL"
    if dbapi_connection.info.get(_WAITS) != waits:
        dbapi_connection.execute(f"PRAGMA synchronous={waits}")
        dbapi_connection.info[_WAITS] = waits
    dbapi_connection.execute("BEGIN IMMEDIATE")


def _begin_sqlite_to_look(dbapi_connection: Any) -> None:
    dbapi_connection.execute("BEGIN")


def _begin_postgres(connection: sa.Connection) -> None:
    if _said(_LIGHT):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def _note_read_only(context: sa.engine.ExceptionContext) -> None:
    if "readonly database" in str(context.original_exception) and context.connection is not None:
        context.connection.info[_READ_ONLY] = True


def _open_anew(looking: sa.Engine, _connection: Any, record: Any, _proxy: Any) -> None:
    """Close all connections: if SQLite could not open a file for writing, it stays read-only for every connection of
    the process. The next request then checks again."""
    if record.info.get(_READ_ONLY):
        looking.dispose()
        raise sa.exc.DisconnectionError


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # secure_delete: data deleted at a reader's request are overwritten, not only unlinked.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_sqlite_to_look(connection: Any, record: Any) -> None:
    _prepare_sqlite(connection, record)
    connection.execute("PRAGMA query_only=ON")  # as on PostgreSQL, so that writing by mistake fails on both


def fault(error: sa.exc.SQLAlchemyError) -> str:
    """The first line of the database's error message: in PostgreSQL, further lines quote the row."""
    return str(getattr(error, "orig", error)).partition("\n")[0]


def commit_deletion() -> None:
    """Commit, and leave no deleted data in SQLite's files: `secure_delete` overwrites them in the database, and the
    journal, which still contains the old pages, is emptied.

    If another transaction still reads an older state, the journal is emptied when that transaction has ended.
    """
    db.session.commit()
    if db.engine.dialect.name != "sqlite":
        return
    with closing(db.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()
        cursor.execute(f"PRAGMA busy_timeout={1000 * BUSY_SECONDS}")


def let_go(app: Flask) -> None:
    """Close every connection of `app`, in its context."""
    db.session.remove()
    db.engine.dispose()
    app.extensions["discern.looking"].dispose()


@contextmanager
def reading() -> Iterator[Session]:
    """A read-only session on a snapshot of the database; it blocks nobody."""
    with Session(current_app.extensions["discern.looking"]) as session:
        yield session


def versions() -> tuple[str | None, str]:
    """The version of the database (None if it has none) and the version that this Discern needs."""
    with reading() as session:
        found = MigrationContext.configure(session.connection()).get_current_revision()
    wanted = ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()
    return found, wanted or ""


def another_version(found: str | None, wanted: str) -> str:
    """The message for a database of a different version."""
    if found is None:
        return "The database does not have Discern's tables yet. Create them with: discern db upgrade"
    return f"The database has version {found}; this Discern needs {wanted}. Back it up, then run:\n  discern db upgrade"
