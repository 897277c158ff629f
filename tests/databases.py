"""Where tests find databases: SQLite in a folder, or PostgreSQL where DISCERN_TEST_DATABASE_URL names a server."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa

from quiz_app import create_app
from quiz_app.database import db, let_go
from quiz_app.pools import importing
from quiz_app.settings import Settings
from tests.conftest import missing

SERVER = os.environ.get("DISCERN_TEST_DATABASE_URL")
OWN_SERVER = Path(__file__).resolve().parents[1] / ".ci" / "with-postgres"


@contextmanager
def new_database(server: str | None = SERVER, template: str = "template0") -> Iterator[str]:
    """The address of a new database: a copy of `template` on the PostgreSQL server at the address `server`; empty if
    there is no server, which means SQLite in the instance folder."""
    if not server:
        yield ""
        return
    name = f"discern_test_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server: the one the tests run on, or one for those that need it in any case."""
    if SERVER:
        yield SERVER
        return
    script = [str(OWN_SERVER), "sh", "-c", 'echo "$DISCERN_TEST_DATABASE_URL"; cat']
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield server.stdout.readline().strip() or missing("PostgreSQL")  # it ends when its input does


@pytest.fixture
def empty_postgres(postgres: str) -> Iterator[str]:
    """The address of a PostgreSQL database without tables."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The address of a database without tables, on either."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, pool_folder: Path) -> Iterator[Settings]:
    """The settings of an instance with a migrated database and the imported pool: see `copied`."""
    with new_database() as url:
        settings = Settings.load({}, instance=tmp_path_factory.mktemp("prepared"), database_url=url)
        app = create_app(settings)
        with app.app_context():
            flask_migrate.upgrade()
            importing.import_folder(pool_folder, settings.images, "noise")
            db.session.commit()
            let_go(app)
        yield settings


@contextmanager
def copied(prepared: Settings, instance: Path) -> Iterator[Settings]:
    """The settings of a copy of the prepared instance and its database, in the folder `instance`."""
    shutil.copytree(prepared.instance, instance)
    with new_database(template=sa.make_url(prepared.database_url).database or "") as url:
        yield Settings.load({}, instance=instance, database_url=url)
