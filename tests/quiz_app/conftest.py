"""An application on its own database, with a small pool, and helpers to take a study over HTTP."""

from __future__ import annotations

import re
import shutil
import subprocess
import time as stopwatch
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from quiz_app import clock, create_app
from quiz_app.caching import cache
from quiz_app.database import db, let_go
from quiz_app.models import Pool, Reader, Researcher, Study
from quiz_app.settings import Settings
from quiz_app.study import hints, lifecycle, readers
from quiz_app.study.cases import scored_cases
from tests.conftest import missing
from tests.databases import copied
from tests.server import Server, free_port
from tests.sitters import Sitter


@pytest.fixture
def app(prepared: Settings, tmp_path: Path) -> Iterator[Flask]:
    """The application on a copy of the prepared instance and its database."""
    with copied(prepared, tmp_path / "instance") as settings:
        app = create_app(settings)
        app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
        # A test looks twice within a second, and means it.
        cache.init_app(app, {"CACHE_TYPE": "NullCache", "CACHE_NO_NULL_WARNING": True})
        # The context of the test outlives its requests, and Flask-Login would keep the first one's researcher in it.
        app.teardown_request(lambda _error: g.pop("_login_user", None))
        with app.app_context():
            yield app
            let_go(app)


@dataclass
class Time:
    """The clock in a test: it does not move by itself."""

    moment: Any = field(default_factory=clock.now)

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """A clock that the test moves."""
    time = Time()
    monkeypatch.setattr(clock, "source", lambda: time.moment)
    return time


@pytest.fixture
def make_study(app: Flask) -> Callable[..., Study]:
    """Makes an open study on the pool; settings as keywords."""

    def make(slug: str = "trial-run", *, opened: bool = True, **settings: Any) -> Study:
        pool = db.session.query(Pool).filter_by(slug="noise").one()
        settings = {"groups": [], "ask_years": False, "break_every": 0} | settings
        study = lifecycle.create("A trial run", pool, slug=slug, seed=1, settings=settings)
        if opened:
            lifecycle.open_study(study)
        db.session.commit()
        return study

    return make


@dataclass
class Taker:
    """Takes a study as described in docs/reference/protocol.md, through the test client."""

    client: FlaskClient
    token: str
    lease: str = ""
    step: dict[str, Any] = field(default_factory=dict)

    def url(self, path: str) -> str:
        return f"/r/{self.token}/{path}"

    def enter(self) -> Taker:
        """Through the pages, into the reading room."""
        for path, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
            assert self.client.post(self.url(path), data=form).status_code == 303
        return self.claim()

    def claim(self) -> Taker:
        told = self.post("claim").get_json()
        self.lease, self.step = told["lease"], told["step"]
        return self

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(self.url(path), json={"lease": self.lease} | body)

    @property
    def trial(self) -> dict[str, Any]:
        return self.step["trial"]

    def onset(self) -> Any:
        return self.post(f"trials/{self.trial['trial']}/onset")

    def answer(self, answer: str = "real", certainty: str | None = "full", **more: Any) -> Any:
        """Answer the trial at hand and take up the step that follows."""
        said = {"id": str(uuid.uuid4()), "answer": answer, "certainty": certainty} | more
        response = self.post(f"trials/{self.trial['trial']}/answer", **said)
        if response.status_code == 200:
            self.step = response.get_json()["step"]
        return response

    def mark(self, *marks: dict[str, Any], outcome: str = "", **more: Any) -> Any:
        """End the marking step at hand with these marks, and take up the step that follows."""
        marks = tuple({"place": 1, "x": 0.5, "y": 0.25, "reason": "teeth"} | mark for mark in marks)
        said = {"id": str(uuid.uuid4()), "outcome": outcome or ("marked" if marks else "nothing"), "marks": marks}
        response = self.post(f"trials/{self.trial['trial']}/marks", **(said | more))
        if response.status_code == 200:
            self.step = response.get_json()["step"]
        return response

    def go_on(self) -> None:
        self.step = self.post("continue").get_json()["step"]

    def finish(self) -> None:
        """Every trial that is left, breaks ended at once."""
        while self.step["kind"] != "done":
            if self.step["kind"] == "trial":
                self.onset()
                assert self.answer().status_code == 200
            elif self.step["kind"] == "marks":
                assert self.mark({}).status_code == 200
            else:
                self.go_on()


@pytest.fixture
def take(app: Flask) -> Callable[[str], Taker]:
    """The Taker with this token, at the door."""
    return lambda token: Taker(app.test_client(), token)


@pytest.fixture
def invite(app: Flask) -> Callable[..., Taker]:
    """Invites a reader to a study: a Taker at the door."""

    def invite(study: Study, pseudonym: str = "R1", group: str | None = None) -> Taker:
        _, token = readers.invite(study, pseudonym, group)
        db.session.commit()
        return Taker(app.test_client(), token)

    return invite


@pytest.fixture
def reader_called(app: Flask) -> Callable[[str], Reader]:
    """Finds a reader as the database has it now."""

    def find(pseudonym: str) -> Reader:
        db.session.expire_all()
        return db.session.query(Reader).filter_by(pseudonym=pseudonym).one()

    return find


# The cheapest hash that the check accepts: a strong one takes a tenth of a second, and nobody attacks a test.
CHEAP = "pbkdf2:sha256:1"
PASSWORD = "correct horse battery"


@pytest.fixture
def log_in(app: Flask) -> Callable[..., FlaskClient]:
    """Adds a researcher with PASSWORD and returns a client that is logged in; `client.researcher` is the researcher."""

    def enter(name: str = "ada", **more: Any) -> FlaskClient:
        researcher = Researcher(
            name=name, password_hash=generate_password_hash(PASSWORD, CHEAP), created_at=clock.now(), **more
        )
        db.session.add(researcher)
        db.session.commit()
        client = app.test_client()
        response = client.post("/researcher/login", data={"name": name, "password": PASSWORD})
        assert response.status_code == 303
        client.researcher = researcher
        return client

    return enter


@pytest.fixture
def owner(log_in: Callable[..., FlaskClient]) -> FlaskClient:
    """A researcher who is logged in."""
    return log_in()


@pytest.fixture
def conditioned(make_study: Callable[..., Study]) -> Callable[..., Study]:
    """Makes an open study with two conditions, one of them with hints; as `make_study`."""

    def make(slug: str = "trial-run", **settings: Any) -> Study:
        lines = ["alone: limit_s = 5.0", "aided: hints = true, limit_s = 0.0, largest_side = 32"]
        study = make_study(slug, opened=False, **{"conditions": lines, "practice": 0} | settings)
        told = "".join(f"{case.name},0.{number:02d},look\n" for number, case in enumerate(scored_cases(study)))
        hints.bring(study, f"case,hint,text\n{told}")
        lifecycle.open_study(study)
        db.session.commit()
        return study

    return make


@pytest.fixture
def owned(owner: FlaskClient, make_study: Callable[..., Study]) -> Callable[..., Study]:
    """Makes a study that belongs to `owner`; as `make_study`, but called `mine`."""

    def make(slug: str = "mine", **more: Any) -> Study:
        study = make_study(slug, **more)
        study.owner_id = owner.researcher.id
        db.session.commit()
        return study

    return make


def ended(client: FlaskClient, address: str) -> dict[str, Any]:
    """What a page that waits for work at `address` is told in the end."""
    while (told := client.get(f"{address}.json").get_json())["state"] == "making":
        stopwatch.sleep(0.05)
    return told


def downloaded_archive(client: FlaskClient, slug: str) -> bytes:
    """The archive of a study, made and downloaded at the desk."""
    page = f"/researcher/studies/{slug}/archive"
    assert client.post(page).status_code == 303
    address = re.search(f'data-watch="({page}/[^"]*).json"', client.get(page).text)
    if address is not None:
        assert ended(client, address[1])["state"] == "done"
    [file] = re.findall(f'href="({page}/[^"]*.zip)"', client.get(page).text)
    with client.get(file) as response:
        return response.data


@pytest.fixture
def redis(tmp_path):
    """A separate Redis: its address, and the process."""
    port = free_port()
    program = shutil.which("redis-server") or missing("redis-server")
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "Ready to accept connections" in line:
            break
    yield f"redis://127.0.0.1:{port}", process
    process.kill()
    process.communicate()


@pytest.fixture
def s3(monkeypatch):
    """A local S3 server with the bucket `radiographs`; returns a file system for it."""
    try:
        import s3fs
        from moto.server import ThreadedMotoServer
    except ImportError:
        missing("moto and s3fs")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem(use_listings_cache=False)
    system.mkdir("radiographs")
    yield system
    system.rm("radiographs", recursive=True)  # moto keeps it for the next server otherwise
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def sit() -> Iterator[Callable[..., Sitter]]:
    """Puts a reader into the reading room of a server."""
    sitters: list[Sitter] = []
    yield lambda server, study: sitters.append(Sitter(server, study)) or sitters[-1]
    for sitter in sitters:
        sitter.client.close()


@pytest.fixture
def serve(app: Flask) -> Iterator[Callable[..., Server]]:
    """Starts servers on the database and instance of `app`; more settings as keywords."""
    started: list[Server] = []
    settings = app.config["SETTINGS"]
    environment = {"DISCERN_INSTANCE": str(settings.instance), "DISCERN_DATABASE_URL": settings.database_url}

    def serve(**more: str) -> Server:
        started.append(Server(environment | {f"DISCERN_{name.upper()}": value for name, value in more.items()}))
        return started[-1]

    yield serve
    for server in started:
        server.kill()
