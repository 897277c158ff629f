"""Simulated readers take a study over real HTTP, for rehearsals and load tests; see docs/reference/protocol.md.

Their answers come from the design of the study and from `quiz_app.designs.observer`. The truth is never sent over HTTP:
it is looked up in the database by the name of the trial. A rehearsal is allowed to do this, and therefore needs access
to the database of the server.
"""

from __future__ import annotations

import base64
import io
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import sqlalchemy as sa
import waitress.server
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask
from PIL import Image

from quiz_app import clock
from quiz_app.database import db, reading
from quiz_app.designs import DESIGNS, Design
from quiz_app.designs.observer import THRESHOLD_MS, Observer
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Fault, Reader, Sitting, Study, Trial, TrialCase
from quiz_app.study import lifecycle, readers
from quiz_app.tunnel import SKIP_WARNING

PATIENCE_S = 60.0  # how long a request is repeated before the reader gives up


@dataclass
class Outcome:
    """The result of one simulated reader."""

    pseudonym: str
    group: str
    saved: list[dict[str, Any]] = field(default_factory=list)  # every acknowledged answer, as returned by the server
    scored: int = 0
    correct: int = 0
    late: int = 0
    retries: int = 0
    answer_ms: list[float] = field(default_factory=list)  # from sending an answer to its acknowledgement
    seconds: float = 0.0
    noun: str = "cases"  # what is scored
    has_truth: bool = True  # whether `correct` means anything
    waits_until: datetime | None = None  # the end of the washout, if the reader waits for one
    refusal: str = ""  # why the reader could not finish; empty = finished, or waiting for a washout


class StoppedError(Exception):
    """The server refused something, or did not answer for too long."""


def run(
    app: Flask,
    slug: str,
    count: int,
    *,
    seed: int = 0,
    url: str | None = None,
    success: float | None = None,
    threshold_ms: float = THRESHOLD_MS,
    dprime: float | None = None,
    known: Mapping[str, float] | None = None,
    clear: bool = False,
    skip_washouts: bool = False,
    patience_s: float = PATIENCE_S,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Let `count` new readers take the study through the server at `url`, or through a server started for this.

    success: the probability with which each reader finds the real image of several, or prefers the first of two methods
    by name; None = according to their own ability.
    threshold_ms: the exposure at which they are halfway between guessing and always being right, as a geometric mean.
    dprime: the sensitivity of each reader, 0 = guessing; None = according to their own ability.
    known: mean sensitivity by name of condition or source, for ratings; 1.2 if not given.
    clear: whether they get images in the clear, like a browser without WebCrypto.
    skip_washouts: if all of them must wait for a washout, move the clock to its end; otherwise they stop there. This is
    the clock of this process, so it needs a server started by this function.
    `tell` is called for each reader when it ends. Raises InvalidInputError if the study cannot be taken.
    """
    if skip_washouts and url is not None:
        raise InvalidInputError(["url: the clock of a server that is already running cannot be moved past a washout"])
    with app.app_context():
        invited, groups, design = _invite(slug, count)
    started = serving(app) if url is None else _there(url)
    with started as address, ThreadPoolExecutor(count) as threads, _movable_clock() as move_to:
        takers = [
            _Taker(
                app,
                f"{address}/r/{token}/",
                Outcome(name, group, noun=design.noun, has_truth=design.has_truth),
                Observer.drawn(seed, number, success, threshold_ms, dprime),
                design,
                patience_s,
                clear,
                known or {},
            )
            for (number, name, token), group in zip(invited, itertools.cycle(groups), strict=False)
        ]
        going = takers
        while going:
            for future in as_completed([threads.submit(taker.take) for taker in going]):
                outcome = future.result()
                if outcome.waits_until is None or not skip_washouts:
                    tell(outcome)
            going = [taker for taker in takers if taker.outcome.waits_until] if skip_washouts else []
            if held := [taker.outcome.waits_until for taker in going if taker.outcome.waits_until]:
                move_to(max(held))
    return sorted((taker.outcome for taker in takers), key=lambda outcome: outcome.pseudonym)


@contextmanager
def _movable_clock() -> Iterator[Callable[[datetime], None]]:
    """Yield a function that sets the clock of this process to a moment, from which it continues to run. At the end, the
    clock is restored."""
    usual = clock.source

    def move_to(moment: datetime) -> None:
        ahead = moment - usual()
        clock.source = lambda: usual() + ahead

    try:
        yield move_to
    finally:
        clock.source = usual


def _invite(slug: str, count: int) -> tuple[list[tuple[int, str, str]], tuple[str, ...], Design]:
    """Number, pseudonym and token of `count` new readers, numbered after the existing ones; the study's groups and its
    design."""
    study = lifecycle.find(slug)
    if study.state != "open":
        hint = f"; open it with: flask study open {slug}" if study.state == "draft" else ""
        raise InvalidInputError([f"study: {slug} is {study.state}, but simulated readers need an open study{hint}"])
    taken = set(db.session.scalars(sa.select(Reader.pseudonym).filter_by(study_id=study.id)))
    free = (number for number in itertools.count(1) if _name(number) not in taken)
    numbers = list(itertools.islice(free, count))
    tokens = [readers.invite(study, _name(number), actor="simulation")[1] for number in numbers]
    groups, design = study.rules.groups or ("",), DESIGNS[study.design]
    db.session.commit()
    db.session.remove()
    return [(number, _name(number), token) for number, token in zip(numbers, tokens, strict=True)], groups, design


def _name(number: int) -> str:
    return f"sim-{number:03}"


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """A server of `app` on a free port of this machine, while the context lasts."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # many readers on few threads are intended here
    server = waitress.server.create_server(app, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown()  # first: a task that ends wakes up the server, which must still exist
        pulled = threading.Event()  # the trigger must exist until then: an earlier pull may also run our request
        server.trigger.pull_trigger(lambda: pulled.wait() and server.close())  # in the server's own thread
        pulled.set()
        thread.join()  # it ends with its last connection


@contextmanager
def _there(url: str) -> Iterator[str]:
    """The address of a server that is already running. Raises InvalidInputError if it does not answer."""
    address = url.rstrip("/")
    try:
        httpx.get(f"{address}/healthz", headers=SKIP_WARNING, timeout=10).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InvalidInputError(
            [f"url: {address}/healthz does not answer like a server of this application: {error}"]
        ) from error
    yield address


class _Taker:
    """One reader in one browser."""

    def __init__(
        self,
        app: Flask,
        link: str,
        outcome: Outcome,
        observer: Observer,
        design: Design,
        patience_s: float,
        clear: bool,
        known: Mapping[str, float],
    ) -> None:
        self.known = known
        self.met: dict[str, tuple[str | None, str, int]] = {}  # by trial: condition, source of its first case, period
        self.app, self.link, self.patience_s, self.clear = app, httpx.URL(link), patience_s, clear
        self.outcome, self.observer, self.design = outcome, observer, design
        self.lease = ""
        self.sealed: dict[str, bytes] = {}  # by address: images fetched before their trial is due
        self.truths: dict[str, list[tuple[str, str]]] = {}  # by trial: case and truth of each place
        self.faults: dict[str, list[Fault]] = {}  # by case, if they are known

    def take(self) -> Outcome:
        """Take the study from the link to the last page, or to a washout; if called again, continue from there."""
        self.outcome.waits_until = None
        began = time.perf_counter()
        local = self.link.host == "127.0.0.1"
        with httpx.Client(timeout=30, headers=SKIP_WARNING, follow_redirects=True, trust_env=not local) as self.client:
            try:
                self.faults = self._known_faults()
                while (page := self._walk_in()) == "room":
                    self._read()
                if page == "between":
                    self.outcome.waits_until = self._next_part_opens()
            except StoppedError as stopped:
                self.outcome.refusal = str(stopped)
            finally:
                self.outcome.seconds += time.perf_counter() - began
        return self.outcome

    def _read(self) -> None:
        """Answer every trial of the current sitting."""
        self.truths = self._look_up()
        told = self._post("claim", way="clear" if self.clear else "sealed")
        self.lease, step = told["lease"], told["step"]
        if step["kind"] == "done":
            raise StoppedError("led to the reading room after the last answer")
        while step["kind"] != "done":
            self._fetch([] if self.clear else step["ahead"])
            step = self._go(step)

    def _go(self, step: dict[str, Any]) -> dict[str, Any]:
        """Do what a step requires, and return the next step."""
        if step["kind"] == "trial":
            return self._judge(step["trial"])
        if step["kind"] == "marks":
            trial = step["trial"]["trial"]
            shown = {
                place: (case, self.faults.get(case, ())) for place, (case, _) in enumerate(self.truths[trial], start=1)
            }
            said = {"id": str(uuid.uuid4())} | self.observer.mark(shown, step["marks"])
            return self._post(f"trials/{trial}/marks", **said)["step"]
        return self._post("continue")["step"]

    def _walk_in(self) -> str:
        """Go through the pages, with their forms, to the reading room, the end, or a washout that is not over."""
        forms = {
            "welcome": {"consent": "yes"},
            "about": {"group": self.outcome.group, "years": str(5 + self.observer.number % 20)},
            "between": {},
            "instructions": {"read": "yes"},
        }
        page = self._page(self._send("GET", ""))
        while page in forms:
            page = self._page(self._send("POST", page, data=forms.pop(page)))
        if page not in ("room", "between", "end"):
            raise StoppedError(f"held up at the page {page}")
        return page

    def _page(self, response: httpx.Response) -> str:
        return response.url.path.rsplit("/", 1)[-1]

    def _next_part_opens(self) -> datetime | None:
        with self.app.app_context(), reading() as session:
            return session.query(Reader).filter_by(token_hash=self._token_hash()).one().next_part_opens

    def _token_hash(self) -> str:
        return readers.hashed(self.link.path.strip("/").rsplit("/", 1)[-1])

    def _look_up(self) -> dict[str, list[tuple[str, str]]]:
        query = (
            sa.select(
                Trial.token,
                Case.name,
                getattr(Case, self.design.known_by),
                Sitting.condition,
                Case.source,
                Sitting.period,
            )
            .join(Trial.cases)
            .join(TrialCase.case)
            .join(Trial.sitting)
            .join(Sitting.reader)
            .where(Reader.token_hash == self._token_hash())
            .order_by(TrialCase.place)
        )
        found: dict[str, list[tuple[str, str]]] = {}
        with self.app.app_context(), reading() as session:
            for trial, case, truth, *met in session.execute(query):
                found.setdefault(trial, []).append((case, truth))
                self.met.setdefault(trial, (met[0], met[1], met[2]))
        return found

    def _known_faults(self) -> dict[str, list[Fault]]:
        query = (
            sa.select(Case.name, Fault)
            .join(Fault.case)
            .join(Study, Study.pool_id == Case.pool_id)
            .join(Reader, Reader.study_id == Study.id)
            .where(Reader.token_hash == self._token_hash())
            .order_by(Fault.id)
        )
        found: dict[str, list[Fault]] = {}
        with self.app.app_context(), reading() as session:
            for case, fault in session.execute(query):
                session.expunge(fault)
                found.setdefault(case, []).append(fault)
        return found

    def _judge(self, trial: dict[str, Any]) -> dict[str, Any]:
        """View the images of a trial, answer it, and return the next step."""
        cases = self.truths[trial["trial"]]
        for image in trial["images"]:
            self._look_at(image)
        self._post(f"trials/{trial['trial']}/onset")
        said = {"id": str(uuid.uuid4()), "viewer": {"zoom_max": 1.0, "windowed": False}}
        if exposure_ms := trial.get("exposure_ms"):
            time.sleep(exposure_ms / 1000)  # the server knows when the image was shown
        observer = self.observer.meeting(self.known, *self.met[trial["trial"]])
        said |= self.design.simulate(observer.shown_for(exposure_ms), cases, trial["choices"])
        sent = time.perf_counter()
        told = self._post(f"trials/{trial['trial']}/answer", **said)
        self.outcome.answer_ms.append(1000 * (time.perf_counter() - sent))
        self.outcome.saved.append(told["saved"])
        if not trial["training"]:
            self.outcome.scored += 1
            if self.design.has_truth:
                truths = [truth for _, truth in cases]
                self.outcome.correct += self.design.feedback(told["saved"], truths)["correct"]
            self.outcome.late += told["saved"]["late"]
        return told["step"]

    def _look_at(self, image: dict[str, Any]) -> None:
        if self.clear:
            data = self._send("GET", image["address"]).content
        else:
            self._fetch([image["sealed"]])
            data = AESGCM(base64.b64decode(image["key"])).decrypt(bytes(12), self.sealed.pop(image["sealed"]), None)
        with Image.open(io.BytesIO(data)) as seen:
            if seen.size != (image["width"], image["height"]):
                raise StoppedError(f"an image of {seen.size} instead of {image['width']} x {image['height']}")

    def _fetch(self, addresses: list[str]) -> None:
        for address in addresses:
            if address not in self.sealed:
                self.sealed[address] = self._send("GET", address).content

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return self._send("POST", path, json={"lease": self.lease} | body).json()

    def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        """Send like a browser: again and again while the connection or the server fails.

        Raises StoppedError on a refusal.
        """
        until = time.monotonic() + self.patience_s
        for attempt in itertools.count():
            try:
                response = self.client.request(method, self.link.join(path), **what)
                failure = f"{response.status_code} {response.text[:200]}"
                if response.status_code < 400:
                    return response
                if response.status_code < 500:
                    raise StoppedError(f"{method} {path}: {failure}")
            except httpx.TransportError as error:
                failure = repr(error)
            if time.monotonic() > until:
                raise StoppedError(f"{method} {path}: given up after {self.patience_s:g} s: {failure}")
            self.outcome.retries += 1
            time.sleep(min(2.0, 0.1 * 2**attempt))
        raise AssertionError("unreachable")
