"""Firestore on this machine, credentials, workers, and ways to look at both sides of the mirror."""

import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from quiz_app import clock, simulation
from quiz_app.database import db, reading
from quiz_app.exchange import mirror
from quiz_app.models import Mirror
from tests.conftest import missing
from tests.server import free_port

ROOT = Path(__file__).resolve().parents[1]


class Emulator:
    """Firestore on this machine; it forgets everything when it ends."""

    def __init__(self, packages):
        self.port, self.packages = free_port(), packages
        self.start()

    def start(self):
        command = ["node", str(ROOT / "tests" / "firestore.js"), str(self.port)]
        environment = os.environ | {"NODE_PATH": self.packages}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """Where the emulator is installed: DISCERN_TEST_FIRESTORE says it, and CI installs it."""
    if folder := os.environ.get("DISCERN_TEST_FIRESTORE"):
        return folder
    if not (os.environ.get("CI") and shutil.which("npm")):
        missing("the Firestore emulator (see .ci/firestore-emulator)")
    command = [str(ROOT / ".ci" / "firestore-emulator"), str(tmp_path_factory.mktemp("emulator"))]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def emulator(monkeypatch, packages):
    """The emulator."""
    emulator = Emulator(packages)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{emulator.port}")
    yield emulator
    emulator.stop()


class Line(socketserver.ThreadingTCPServer):
    """The connection to the emulator: it can be cut, and data can be delayed."""

    daemon_threads = True

    def __init__(self, emulator):
        super().__init__(("127.0.0.1", 0), Carrier)
        self.port, self.target = self.server_address[1], emulator.port
        self.open, self.caught, self.is_cut, self.ends = threading.Event(), threading.Event(), False, set()
        self.open.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hold(self):
        """From here on nothing arrives; `caught` tells when something is on its way."""
        self.caught.clear()
        self.open.clear()

    def cut(self):
        self.is_cut = True
        for end in list(self.ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self.is_cut = False


class Carrier(socketserver.BaseRequestHandler):
    """Carries one connection, both ways."""

    def handle(self):
        if self.server.is_cut:
            return
        with socket.create_connection(("127.0.0.1", self.server.target)) as far:
            self.server.ends |= {self.request, far}
            back = threading.Thread(target=self.carry, args=(far, self.request, lambda: None))
            back.start()
            self.carry(self.request, far, self.wait)
            back.join()
            self.server.ends -= {self.request, far}

    def wait(self):
        if not self.server.open.is_set():
            self.server.caught.set()
            self.server.open.wait()

    @staticmethod
    def carry(source, to, before):
        with suppress(OSError):
            while data := source.recv(65536):
                before()
                to.sendall(data)
        with suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(monkeypatch, emulator):
    """The emulator is reached by this line."""
    with Line(emulator) as line:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{line.port}")
        yield line
        line.open.set()
        line.cut()
        line.shutdown()


def new_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*kinds).decode()


@pytest.fixture(scope="session")
def private_key():
    """A key that no one knows."""
    return new_key()


@pytest.fixture
def credentials(tmp_path, private_key):
    """Makes the credentials of a project: the path of their file."""

    def make(project="demo-study", key=private_key, token_uri="https://oauth2.googleapis.com/token"):
        path = tmp_path / f"{project}.json"
        account = {"type": "service_account", "project_id": project, "private_key": key}
        account |= {"client_email": f"discern@{project}.iam.gserviceaccount.com"}
        path.write_text(json.dumps(account | {"token_uri": token_uri}))
        return str(path)

    return make


@pytest.fixture
def mirrored(app, emulator, credentials):
    """The application with a mirror."""
    settings = replace(app.config["SETTINGS"], firestore_credentials=credentials())
    app.config["SETTINGS"] = settings
    return app


@pytest.fixture
def worker(mirrored):
    """Starts and stops a worker in a thread."""
    running = []

    class Running:
        def start(self):
            self.stopping = threading.Event()
            self.thread = threading.Thread(target=mirror.Worker(mirrored).run, args=[self.stopping])
            self.thread.start()
            running.append(self)
            return self

        def stop(self):
            self.stopping.set()
            self.thread.join()

    yield Running
    for each in running:
        each.stop()


@pytest.fixture
def start(mirrored):
    """Starts processes that send: `start.sender()`, and `start.server(port)` by `run.py`, which answers by then."""
    started, settings = [], mirrored.config["SETTINGS"]
    environment = os.environ | {
        "DISCERN_INSTANCE": str(settings.instance), "DISCERN_DATABASE_URL": settings.database_url,
        "DISCERN_FIRESTORE_CREDENTIALS": settings.firestore_credentials,
    }  # fmt: skip

    class Start:
        def sender(self):
            return self.run("-m", "flask", "--app", "quiz_app", "mirror", "run")

        def server(self, port):
            process = self.run("run.py", "--no-demo", "--port", str(port))
            until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/healthz"))
            return process

        def run(self, *arguments):
            command, quiet = [sys.executable, *arguments], subprocess.DEVNULL
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet))
            return started[-1]

    yield Start()
    for process in started:
        process.kill()
        process.wait()


def answers(address):
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False


def answer_all(app, make_study, count, **settings):
    slug = make_study(**settings).slug
    db.session.remove()
    outcomes = simulation.run(app, slug, count)
    assert [outcome.refusal for outcome in outcomes] == [""] * count
    return [saved["id"] for outcome in outcomes for saved in outcome.saved]


def status():
    with reading() as session:
        return mirror.status(session)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, status()
        time.sleep(0.05)


def outside(app):
    return {document["id"]: document for document in mirror.stored(mirror.connect(app.config["SETTINGS"]))}


def let_the_lease_lapse():
    """As if the worker that sends had been silent for long."""
    db.session.execute(sa.update(Mirror).values(held_until=clock.now() - mirror.HELD))
    db.session.commit()
