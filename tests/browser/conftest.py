"""A reader's browser (Chromium) against a real server with its own database."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from quiz_app import create_app
from quiz_app.database import db, let_go, reading
from quiz_app.exchange import responses_csv
from quiz_app.models import Event, Pool, Reader
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, readers
from tests.conftest import missing
from tests.databases import copied
from tests.server import Server

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
SWITCHES += ["--disable-background-networking", "--disable-component-update"]
SWITCHES += ["--host-resolver-rules=MAP plain.test 127.0.0.1"]  # http there is no secure context, as on a LAN
# What a reader's browser keeps because the server has not acknowledged it.
KEPT = "Object.entries(localStorage).filter(([name]) => name.startsWith('discern /'))"
OWN = {"127.0.0.1", "localhost", "plain.test"}  # where the servers of these tests are


@dataclass
class House:
    """A server in a separate process, and access to its database from here."""

    app: Flask
    server: Server
    studies: int = 0

    def invite(self, **settings: Any) -> Invitation:
        """A new open study with one reader. Short and without questions, unless `settings` say otherwise."""
        self.studies += 1
        total = settings.setdefault("cases", 12)
        slug = f"study-{self.studies}"
        defaults = {
            "groups": [],
            "ask_years": False,
            "break_every": 0,
            "practice": 0,
            "limit_s": 20,
            "interval_ms": 100,
        }
        with self.app.app_context():
            pool = db.session.query(Pool).filter_by(slug="noise").one()
            study = lifecycle.create(f"Study {self.studies}", pool, slug=slug, seed=1, settings=defaults | settings)
            lifecycle.open_study(study)
            _, token = readers.invite(study, "R1")
            db.session.commit()
            db.session.remove()
        return Invitation(self, slug, f"{self.server.url}/r/{token}/", total)


@dataclass
class Invitation:
    """A reader's link, and what the database contains about the study."""

    house: House
    slug: str
    link: str
    total: int

    def rows(self) -> list[dict[str, str]]:
        """The exported answers."""
        with self.house.app.app_context(), reading() as session:
            return list(csv.DictReader(io.StringIO("".join(responses_csv.lines(session, self.slug)))))

    def scored(self) -> list[dict[str, str]]:
        """The scored answers; there must be exactly one a trial."""
        rows = [row for row in self.rows() if row["is_training"] == "0"]
        assert [row["position"] for row in rows] == [str(position) for position in range(1, self.total + 1)]
        return rows

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The details of the events of this kind."""
        with self.house.app.app_context(), reading() as session:
            found = session.query(Event).filter_by(kind=kind).order_by(Event.id)
            reader = session.query(Reader).filter(Reader.study.has(slug=self.slug)).one()
            return [event.details for event in found if event.study_id == reader.study_id]


@contextmanager
def housed(prepared: Settings, instance: Path) -> Iterator[House]:
    """A server on a copy of the prepared instance."""
    with copied(prepared, instance) as settings:
        app = create_app(settings)
        server = Server({"DISCERN_INSTANCE": str(instance), "DISCERN_DATABASE_URL": settings.database_url})
        yield House(app, server)
        server.kill()
        with app.app_context():
            let_go(app)


@pytest.fixture(scope="session")
def house(prepared: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One server for all tests; each test invites readers to its own study."""
    with housed(prepared, tmp_path_factory.mktemp("house") / "instance") as house:
        yield house


@pytest.fixture
def own_house(prepared: Settings, tmp_path: Path) -> Iterator[House]:
    """A server that the test may kill."""
    with housed(prepared, tmp_path / "instance") as house:
        yield house


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Creates a browser with its own storage; fails the test if a page has an error or contacts a third party."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def watch(request: Request) -> None:
        asked = urlsplit(request.url)
        if asked.scheme not in ("data", "blob") and asked.hostname not in OWN:
            errors.append(f"a request to a third party: {request.url}")

    def make(*, toured: bool = True, **how: Any) -> BrowserContext:
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | how))
        context.set_default_timeout(10_000)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        context.on("request", watch)
        contexts.append(context)
        if toured:
            context.add_init_script(
                "try { localStorage.setItem('discern-tour', 'seen') } catch {}"
            )  # none on data: pages
        return context

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(new_context: Callable[..., BrowserContext]) -> Page:
    """A page in its own browser."""
    return new_context().new_page()


@dataclass
class Sitter:
    """Someone at the reading room's page, who sees and presses what a person sees and presses."""

    page: Page
    invitation: Invitation

    def enter(self) -> Sitter:
        """Into the reading room; the pages before it have tests of their own."""
        for path, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
            assert httpx.post(self.invitation.link + path, data=form).status_code == 303
        self.page.goto(self.invitation.link)
        return self

    def begin(self) -> Sitter:
        """Past the page between practice and the first scored trial."""
        self.phase("begin").page.wait_for_timeout(160)
        self.page.keyboard.press("Enter")
        return self

    def phase(self, phase: str, timeout: float = 10_000) -> Sitter:
        """Wait until the room is in this phase."""
        expect(self.page.locator("#room")).to_have_attribute("data-phase", phase, timeout=timeout)
        return self

    def see(self, position: int) -> Sitter:
        """Wait until the image of this scored trial is on the screen, and may be answered."""
        place = f"{position} of {self.invitation.total}"
        expect(self.page.locator("#place")).to_have_text(place, timeout=20_000)  # a line may have to come back first
        self.phase("image")
        self.page.wait_for_timeout(160)
        return self

    def press(self, key: str) -> Sitter:
        """Press and release a key."""
        self.page.keyboard.press(key)
        return self

    def finish(self, start: int = 1, key: str = "1") -> Sitter:
        """Answer every trial that is left by this key, up to the last page."""
        for position in range(start, self.invitation.total + 1):
            self.see(position).press(key)
        return self.ended()

    def ended(self) -> Sitter:
        """On the last page."""
        expect(self.page.get_by_role("heading", name="Thank you")).to_be_visible()
        return self


@pytest.fixture
def sit(new_context: Callable[..., BrowserContext]) -> Callable[..., Sitter]:
    """Puts a reader with a browser of their own before an invitation."""

    def make(invitation: Invitation, **how: Any) -> Sitter:
        return Sitter(new_context(**how).new_page(), invitation)

    return make


@pytest.fixture
def sitter(page: Page, house: House) -> Callable[..., Sitter]:
    """A reader at the door of a new study with these settings."""

    def make(**settings: Any) -> Sitter:
        return Sitter(page, house.invite(**settings))

    return make
