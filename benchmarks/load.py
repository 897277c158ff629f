"""Many readers at once, compared with a bare Flask application: `python benchmarks/load.py [--readers 20]`.

Both are tested in one run, each with its own server process, with closed-loop readers who do not pause. An answer costs
the bare application a form (one durable insert, a redirect) and the next page; it costs ours the onset and the answer,
and with `--images` also the sealed image, for which the bare one sends a file of the same size. `--database` puts ours
on another database, `--workers` uses several processes. The output is answers per second, their ratio, how long an
answer waits for its acknowledgement, and the server's processor time for it, which is the best measure on a busy
machine. If readers, servers and database share few cores, `--share 30` limits each process of ours to 30 % of one core
(with version 1 of Linux control groups, as root), so the effect of two workers can be seen.

    python benchmarks/load.py --arrive 200 --within 10    readers who open one open link, until their first case
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import TYPE_CHECKING

import numpy as np
import psutil

if TYPE_CHECKING:
    from flask import Flask

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.server import free_port  # noqa: E402

SECONDS_A_CASE = 6  # time a person takes
PAGE = """<!doctype html><title>Case {case}</title><h1>Real or synthetic?</h1><img src="/image">
<form method="post"><button name="answer" value="real">Real</button>
<button name="answer" value="synthetic">Synthetic</button></form>"""


def bare(folder: str, image_bytes: int) -> Flask:
    """The application that a user would write: one table, one form, post-redirect-get."""
    from flask import Flask, redirect, request, send_file
    from sqlalchemy import Column, DateTime, Integer, String, create_engine, event, func
    from sqlalchemy.orm import Session, declarative_base

    engine = create_engine(f"sqlite:///{folder}/bare.db", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def durable(connection, _record):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    base = declarative_base()

    class Answer(base):
        __tablename__ = "answer"
        id = Column(Integer, primary_key=True)
        reader, case, answer = Column(String(20)), Column(Integer), Column(String(20))
        at = Column(DateTime, server_default=func.now())

    base.metadata.create_all(engine)
    image = Path(folder, "image.png")
    image.write_bytes(os.urandom(image_bytes))
    app = Flask(__name__)

    @app.get("/image")
    def picture():
        return send_file(image)

    @app.route("/<reader>/<int:case>", methods=["GET", "POST"])
    def page(reader: str, case: int):
        if request.method == "GET":
            return PAGE.format(case=case)
        with Session(engine) as session:
            session.add(Answer(reader=reader, case=case, answer=request.form["answer"]))
            session.commit()
        return redirect(f"/{reader}/{case + 1}")

    return app


@contextmanager
def serving(command: list[str], port: int, environment: dict[str, str]) -> Iterator[Popen]:
    """A server process that answers at `port` and ends with the context."""
    process = Popen(command, env=os.environ | environment, stdout=DEVNULL, stderr=DEVNULL, cwd=ROOT)
    try:
        for _ in range(600):
            try:
                Line(port).ask("GET", "/healthz")
                break
            except OSError:
                assert process.poll() is None, "the server ended at once"
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait()


class Line:
    """One persistent connection in a minimal client."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> http.client.HTTPResponse:
        headers = {"Content-Type": kind} if kind else {}
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):  # closed: idle for too long
            self.connection.close()
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
        response.body = response.read()
        return response

    def form(self, path: str, **fields: str) -> str:
        """Send a form; returns the address to which it redirects."""
        response = self.ask("POST", path, urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded")
        assert response.status in (302, 303), (path, response.status, response.body[:300])
        return response.headers["Location"]

    def post(self, path: str, **body: object) -> dict:
        response = self.ask("POST", path, json.dumps(body).encode(), "application/json")
        assert response.status == 200, (path, response.status, response.body[:300])
        return json.loads(response.body)

    def get(self, path: str) -> bytes:
        response = self.ask("GET", path)
        assert response.status == 200, (path, response.status, response.body[:300])
        return response.body


class BareReader:
    """A reader of the bare application."""

    def __init__(self, port: int, number: int, cases: int, images: bool) -> None:
        self.line, self.number, self.cases, self.images = Line(port), number, cases, images
        self.answers: list[tuple[float, float]] = []  # when each was sent, and acknowledged

    def come_in(self) -> None:
        self.line.get(f"/reader-{self.number}/1")

    def read(self) -> None:
        where = f"/reader-{self.number}/1"
        for _ in range(self.cases):
            if self.images:
                self.line.get("/image")
            began = time.perf_counter()
            where = self.line.form(where, answer="real")
            self.answers.append((began, time.perf_counter()))
            self.line.get(where)


class OurReader:
    """A reader of Discern, from the personal link to the last answer."""

    def __init__(self, port: int, token: str, images: bool) -> None:
        self.line, self.base, self.images = Line(port), f"/r/{token}/", images
        self.answers: list[tuple[float, float]] = []  # when each was sent, and acknowledged

    def come_in(self) -> None:
        self.line.get(self.line.form(f"{self.base}welcome", consent="yes"))
        self.line.get(self.line.form(f"{self.base}about", group="experienced", years="5"))
        self.line.get(self.line.form(f"{self.base}instructions", read="yes"))
        told = self.line.post(f"{self.base}claim")
        self.lease, self.step = told["lease"], told["step"]

    def read(self) -> None:
        while self.step["kind"] != "done":
            if self.step["kind"] != "trial":
                self.step = self.line.post(f"{self.base}continue", lease=self.lease)["step"]
                continue
            trial = f"{self.base}trials/{self.step['trial']['trial']}"
            if self.images:
                self.line.get(self.step["trial"]["images"][0]["sealed"])
            self.line.post(f"{trial}/onset", lease=self.lease)
            said = {"id": str(uuid.uuid4()), "answer": "real", "certainty": "full", "client_ms": 900}
            began = time.perf_counter()
            self.step = self.line.post(f"{trial}/answer", lease=self.lease, **said)["step"]
            self.answers.append((began, time.perf_counter()))


@contextmanager
def held(server: Popen, workers: int, percent: int) -> Iterator[None]:
    """Limit each process of a server to this share of a processor; 0 = no limit."""
    there = psutil.Process(server.pid)
    while workers > 1 and len(there.children()) < workers:
        time.sleep(0.1)
    groups = {}
    for process in (there.children() if workers > 1 else [there]) if percent else []:
        groups[process.pid] = group = Path("/sys/fs/cgroup/cpu", f"discern-{process.pid}")
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text("10000")
        (group / "cpu.cfs_quota_us").write_text(f"{100 * percent}")
        (group / "cgroup.procs").write_text(f"{process.pid}")
    try:
        yield
    finally:
        for pid, group in groups.items():
            (group.parent / "cgroup.procs").write_text(f"{pid}")
            group.rmdir()


def rate(name: str, readers: list, server: Popen) -> tuple[float, float]:
    """Answers per second while all `readers` answer, and the server's processor time per answer in ms."""
    together(lambda reader: reader.come_in(), readers)
    before, began = processor_s(server), time.perf_counter()
    together(lambda reader: reader.read(), readers)
    spent_ms = 1000 * (processor_s(server) - before)
    sent, acknowledged = np.concatenate([reader.answers for reader in readers]).T
    until = min(reader.answers[-1][1] for reader in readers)  # after this, fewer of them send requests
    per_s = np.sum(acknowledged <= until) / (until - began)
    median, worst = 1000 * np.percentile(acknowledged - sent, [50, 99])
    print(
        f"{name:28} {len(readers):3} readers: {per_s:6.1f} answers/s; "
        f"acknowledged in {median:.0f} ms (median), {worst:.0f} (99 %); "
        f"{spent_ms / len(sent):.2f} ms of the server's processors",
        flush=True,
    )
    return per_s, spent_ms / len(sent)


def processor_s(server: Popen) -> float:
    """The processor time of a server and its workers, in seconds."""
    there = psutil.Process(server.pid)
    return sum(sum(each.cpu_times()[:2]) for each in [there, *there.children(recursive=True)])


def together(work: Callable, readers: list) -> float:
    """Let all readers do `work` at once; returns the seconds until the last one has finished."""
    failed: list[BaseException] = []

    def one(reader) -> None:
        try:
            work(reader)
        except BaseException as error:  # any error must end the run
            failed.append(error)

    threads = [threading.Thread(target=one, args=(reader,)) for reader in readers]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return time.perf_counter() - began


def arrive(port: int, link: str, count: int, within_s: float) -> None:
    """`count` people open one open link within `within_s` seconds, and continue to their first case without a pause."""
    rng = np.random.Generator(np.random.PCG64(1))
    starts = np.sort(rng.uniform(0, within_s, count))
    took: list[float] = []
    first: list[float] = []
    began = time.perf_counter()

    def come(start: float) -> None:
        time.sleep(max(0.0, began + start - time.perf_counter()))
        clicked = time.perf_counter()
        line = Line(port)
        line.get(link)
        first.append(time.perf_counter() - clicked)
        reader = OurReader(port, "", False)
        reader.base = re.search(r"/r/[^/]+/", line.form(link)).group()
        reader.come_in()
        reader.step = reader.line.post(f"{reader.base}continue", lease=reader.lease)["step"]
        assert reader.step["kind"] == "trial"
        took.append(time.perf_counter() - clicked)

    together(come, list(starts))
    median, worst = np.percentile(took, [50, 95])
    page = np.percentile(first, 95)
    print(f"{count} readers within {within_s:g} s: first page {page:.1f} s (95 %); first case {median:.1f} s (median), "
          f"{worst:.1f} s (95 %)")  # fmt: skip


def prepared(folder: Path, database: str | None, cases: int, each: list[int], by_link: bool) -> tuple[list, str, int]:
    """An instance in `folder`, a study for each number of readers: their tokens; an open link; bytes of an image."""
    import flask_migrate

    from generation import phantom
    from quiz_app import create_app
    from quiz_app.database import db
    from quiz_app.pools import importing
    from quiz_app.settings import Settings
    from quiz_app.study import lifecycle, readers

    phantom.make_pool(folder / "pool", cases // 2, cases // 2, 0, 1)
    app = create_app(Settings.load({}, instance=folder / "instance", database_url=database))
    with app.app_context():
        flask_migrate.upgrade()
        pool = importing.import_folder(folder / "pool", app.config["SETTINGS"].images)
        rules = {"practice": 0, "break_every": 0}
        tokens = []
        for count in each:
            study = lifecycle.create(f"{count} readers", pool, settings=rules)
            lifecycle.open_study(study)
            tokens.append([readers.invite(study, f"reader-{number}")[1] for number in range(count)])
        address = ""
        if by_link:
            address = f"/join/{readers.offer_open_link(study, '999')}/"
        db.session.commit()
        return tokens, address, pool.served_bytes


def main() -> None:
    """Measure the bare application, then ours, then print the ratio."""
    if sys.argv[1:2] == ["bare"]:
        import waitress

        app = bare(sys.argv[3], int(sys.argv[4]))
        waitress.serve(app, host="127.0.0.1", port=int(sys.argv[2]), threads=8, connection_limit=1000)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, nargs="+", default=[20])
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--database", help="SQLAlchemy address of an empty database (default: SQLite)")
    parser.add_argument("--workers", type=int, default=1, help="processes of our server")
    parser.add_argument("--share", type=int, default=0, help="maximum percentage of a processor for each of them")
    parser.add_argument("--images", action="store_true", help="fetch the image of every case, too")
    parser.add_argument("--arrive", type=int, default=0, help="number of readers who open one open link")
    parser.add_argument("--within", type=float, default=10, help="seconds within which they do")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokens, link, size = prepared(folder, given.database, given.cases, given.readers, bool(given.arrive))
        environment = {"DISCERN_INSTANCE": str(folder / "instance")}
        environment |= {"DISCERN_DATABASE_URL": given.database} if given.database else {}
        port = free_port()
        command = [sys.executable, "run.py", "--port", str(port), "--no-demo", "--workers", str(given.workers)]
        if given.arrive:
            with serving(command, port, environment):
                arrive(port, link, given.arrive, given.within)
            return
        with (
            serving([sys.executable, __file__, "bare", str(other := free_port()), name, str(size)], other, {}) as plain,
            serving(command, port, environment) as discern,
            held(discern, given.workers, given.share),
        ):
            for count, keys in zip(given.readers, tokens, strict=True):
                people = [BareReader(other, number, given.cases, given.images) for number in range(count)]
                theirs, spent = rate("bare Flask application", people, plain)
                ours, we_spent = rate("Discern", [OurReader(port, token, given.images) for token in keys], discern)
                print(f"{count} readers: {ours / theirs:.2f} times the bare application's answers, each at "
                      f"{we_spent / spent:.2f} times its processor time")  # fmt: skip
                print(f"at {SECONDS_A_CASE} s per case, one server can handle about {ours * SECONDS_A_CASE:.0f} people")


if __name__ == "__main__":
    main()
