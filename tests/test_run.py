"""`python run.py`: real processes, from the first start to every reason not to."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.server import free_port

ROOT = Path(__file__).resolve().parents[1]


def command(instance, port, *more):
    return [sys.executable, str(ROOT / "run.py"), "--instance", str(instance), "--port", str(port), *more]


@contextmanager
def running(tmp_path, *more):
    """A separate server; returns its address and its output, once it answers."""
    port = free_port()
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    printed = tmp_path / "printed"
    with printed.open("w") as out:
        server = subprocess.Popen(
            command(tmp_path / "instance", port, *more), cwd=tmp_path, stdout=out, stderr=out, env=environment
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert server.poll() is None, printed.read_text()
            try:
                httpx.get(f"{address}/healthz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield address, printed
    finally:
        server.terminate()
        server.wait(20)


def refused(tmp_path, port=None):
    done = subprocess.run(
        command(tmp_path / "instance", port or free_port(), "--no-demo"), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_first_start_serves_from_any_folder_and_shows_the_password_once(tmp_path, workers):
    with running(tmp_path, "--no-demo", "--workers", workers) as (address, printed):
        health = httpx.get(f"{address}/healthz").json()
        assert (health["status"], health["database"]) == ("ok", "ok")
        assert re.search(r"log in as admin, password \S{12,}", printed.read_text())
        assert httpx.get(f"{address}/r/nothing/").status_code == 404
    with running(tmp_path, "--no-demo", "--workers", workers) as (_, printed):
        assert "password" not in printed.read_text()


def test_whoever_stops_the_first_start_before_the_password_was_shown_is_shown_it_at_the_next(tmp_path):
    first = subprocess.Popen(
        command(tmp_path / "instance", free_port()), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # which a shell's background jobs ignore
    )  # fmt: skip
    assert "Drawing" in first.stdout.readline()  # of the demonstration, which takes a while
    first.send_signal(signal.SIGINT)
    assert "password" not in first.communicate(timeout=60)[0]
    with running(tmp_path, "--no-demo") as (_, printed):
        told = printed.read_text()
    assert re.search(r"log in as admin, password \S{12,}", told)
    assert "discern researcher password admin" in told


def test_requests_that_wait_for_a_thread_fill_no_log(tmp_path):
    with running(tmp_path, "--no-demo") as (address, printed), ExitStack() as open_:
        host, port = address.removeprefix("http://").split(":")
        people = [open_.enter_context(socket.create_connection((host, port))) for _ in range(50)]
        for person in people:  # all at once, and eight are served at a time
            person.sendall(b"GET /researcher/login HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert all(person.recv(15) == b"HTTP/1.1 200 OK" for person in people)
    assert "queue" not in printed.read_text()


def test_a_port_in_use_is_said(tmp_path):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} on 127.0.0.1 cannot be used" in refused(tmp_path, port)


def test_an_instance_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "instance").touch()
    assert "cannot be written" in refused(tmp_path)


def test_a_database_of_another_version_is_said_and_left_alone(tmp_path):
    with running(tmp_path, "--no-demo"):
        pass
    with closing(sqlite3.connect(tmp_path / "instance" / "discern.sqlite")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0000'")
    assert "has version 0000; this Discern needs" in refused(tmp_path)


def test_a_file_that_is_no_database_is_said(tmp_path):
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "discern.sqlite").write_bytes(b"not a database at all, and longer than a page header" * 9)
    assert "The database cannot be opened" in refused(tmp_path)
