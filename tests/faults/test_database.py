"""The database is full, read-only, held by somebody else, restarted; or other parts around the server go."""

import os
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import flask_migrate
import httpx
import pytest
import sqlalchemy as sa

from quiz_app import create_app, simulation
from quiz_app.database import db, let_go
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import readers
from tests.conftest import missing
from tests.databases import new_database
from tests.faults.cluster import cluster
from tests.server import Server
from tests.sitters import assert_whole, counted, said, wait_until

HELD_S = float(os.environ.get("DISCERN_FAULTS_HELD_S", "3"))  # the long run: 35, longer than the server waits


@contextmanager
def readers_at(app, make_study, server, count=4, **settings):
    """Readers who answer while something happens, which must not begin before they are halfway through."""
    slug = make_study(practice=3, **settings).slug
    db.session.remove()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(simulation.run, app, slug, count, url=server.url, patience_s=120)
        wait_until(lambda: counted() > count or running.done())
        yield
        outcomes = running.result()
    assert_whole(app, outcomes, answers_each=15)


def test_while_the_disk_is_full_nothing_is_acknowledged_and_then_all_go_on(app, make_study, launch):
    if db.engine.dialect.name != "sqlite":
        pytest.skip("the disk that fills up is another server's")
    server = launch(Server)
    with readers_at(app, make_study, server):
        _, unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        before = counted()
        time.sleep(1)
        assert counted() - before <= 1  # one was on its way
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


def open_link(server, study):
    """Where anybody may register."""
    token = readers.offer_open_link(study, "9")
    db.session.commit()
    return f"{server.url}/join/{token}/"


class Unprivileged(Server):
    """A server to which the permissions of files apply even when root runs it."""

    def command(self):
        program = shutil.which("setpriv") or missing("setpriv")
        return [program, "--bounding-set=-dac_override,-dac_read_search", *super().command()]


def test_with_a_read_only_file_nothing_is_acknowledged_and_then_it_goes_on(app, make_study, launch, sit):
    if db.engine.dialect.name != "sqlite":
        pytest.skip("of SQLite")
    server, study = launch(Unprivileged), make_study()
    sitter, first = sit(server, study), said()
    join = open_link(server, study)
    files = list(app.config["SETTINGS"].instance.glob("discern.sqlite*"))
    server.kill()
    for path in files:
        path.chmod(0o444)
    server.start()
    refused = sitter.answer(first)
    assert (refused.status_code, refused.json()["error"]) == (503, "not-stored")
    assert httpx.post(join).status_code == 503
    assert counted() == 0
    for path in files:
        path.chmod(0o644)
    assert sitter.answer(first).json()["repeated"] is False  # the same server, which is not started again
    assert counted() == 1
    assert httpx.post(join).status_code == 303


def test_with_a_read_only_database_nothing_is_acknowledged_and_then_it_goes_on(app, make_study, launch, sit):
    if db.engine.dialect.name != "postgresql":
        pytest.skip("of PostgreSQL")
    server, study = launch(Server), make_study()
    sitter, first = sit(server, study), said()
    join = open_link(server, study)
    name = db.engine.url.database
    with outside(app) as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        dismiss(connection)
        refused = sitter.answer(first)
        assert (refused.status_code, refused.json()["error"]) == (503, "not-stored")
        assert httpx.post(join).status_code == 503
        connection.exec_driver_sql("SET transaction_read_only = off")
        connection.exec_driver_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        dismiss(connection)
    assert sitter.answer(first).json()["repeated"] is False
    assert counted() == 1
    assert httpx.post(join).status_code == 303


@contextmanager
def outside(app):
    """A connection of somebody else's, without a transaction."""
    engine = sa.create_engine(app.config["SETTINGS"].database_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


def dismiss(connection):
    """End every other connection to the database."""
    connection.exec_driver_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()"
    )


HOLDING = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def test_while_another_process_holds_the_database_answers_wait(app, make_study, launch):
    server = launch(Server)
    with readers_at(app, make_study, server, count=3):  # one thread is left for the health
        if db.engine.dialect.name == "sqlite":
            command = [sys.executable, "-c", HOLDING, db.engine.url.database, str(HELD_S)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
                assert holder.stdout.readline() == "held\n"
                before = counted()
                assert httpx.get(f"{server.url}/healthz").status_code == 200
                time.sleep(0.5)
                assert counted() == before
        else:
            engine = sa.create_engine(app.config["SETTINGS"].database_url, poolclass=sa.NullPool)
            with engine.begin() as holder:
                holder.exec_driver_sql("LOCK TABLE answer IN EXCLUSIVE MODE")
                before = counted()
                time.sleep(HELD_S)
                assert counted() == before


@pytest.fixture(scope="module")
def own_cluster():
    with cluster() as made:
        yield made


@pytest.fixture
def on_cluster(own_cluster, pool_folder, tmp_path):
    """The application on a separate PostgreSQL server."""
    with new_database(own_cluster.url) as url:
        app = create_app(Settings.load({}, instance=tmp_path / "instance", database_url=url))
        with app.app_context():
            flask_migrate.upgrade()
            importing.import_folder(pool_folder, app.config["SETTINGS"].images, "noise")
            db.session.commit()
            yield app
            let_go(app)


class TestPostgreSQL:
    """On a server that is stopped and started."""

    @pytest.fixture
    def app(self, on_cluster):
        return on_cluster

    def test_postgresql_restarted_in_mid_study_loses_nothing(self, app, own_cluster, make_study, launch):
        server = launch()
        with readers_at(app, make_study, server):
            for mode in ("fast", "immediate"):
                own_cluster.stop(mode)
                assert httpx.get(f"{server.url}/healthz", timeout=30).status_code == 503
                own_cluster.start()
        assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_redis_gone_in_mid_study_is_not_noticed_by_readers(app, make_study, launch, redis):
    url, process = redis
    server = launch(redis_url=url)
    with readers_at(app, make_study, server):
        process.kill()
        process.wait()
        assert httpx.get(f"{server.url}/researcher/login", timeout=30).status_code == 200
