"""E-mails from the desk in a browser: preview, confirmation with their number, sent once, and the outcome of each."""

from dataclasses import replace

import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import expect

from quiz_app import create_app
from quiz_app.database import let_go
from tests.browser.conftest import House
from tests.browser.test_desk import assert_accessible, first_password, log_in
from tests.databases import copied
from tests.quiz_app.study.test_mailing import SENDER, Inbox
from tests.server import Server, free_port

pytestmark = pytest.mark.browser


@pytest.fixture
def mail():
    """A mail server that takes every letter but one: its inbox, and the port."""
    inbox, port = Inbox(), free_port()
    inbox.says = {"gone@example.org": ["550 unknown"]}
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield inbox, port
    controller.stop()


@pytest.fixture
def mailing_house(prepared, tmp_path, mail):
    """A server whose settings name that mail server."""
    with copied(prepared, tmp_path / "instance") as settings:
        told = {"smtp_host": "127.0.0.1", "smtp_port": mail[1], "smtp_tls": "none", "smtp_from": SENDER}
        told["smtp_per_minute"] = 600
        app = create_app(replace(settings, **told))
        environment = {f"DISCERN_{name.upper()}": str(value) for name, value in told.items()}
        where = {"DISCERN_INSTANCE": str(settings.instance), "DISCERN_DATABASE_URL": settings.database_url}
        server = Server(where | environment)
        yield House(app, server)
        server.kill()
        with app.app_context():
            let_go(app)


@pytest.mark.parametrize("width", [1440, 390])
def test_invitations_are_sent_from_the_desk(mailing_house, mail, new_context, width):
    inbox, _ = mail
    slug = mailing_house.invite().slug
    page = new_context(viewport={"width": width, "height": 844}).new_page()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    log_in(page, mailing_house.server.url, first_password(mailing_house.app))
    page.goto(f"{mailing_house.server.url}/researcher/studies/{slug}/readers")
    page.get_by_label("Pseudonyms").fill("A1,,one@example.org\nA2,,gone@example.org\nA3")
    page.get_by_role("button", name="Create links").click()
    expect(page.get_by_text("1 reader has no address and gets none.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Send 2 invitations").dblclick()
    expect(page.get_by_text("The mail server accepted 1 of 2 letters.")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("row", name="A2")).to_contain_text("550 unknown")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert asked[0] == "Send 2 invitations by e-mail now? This cannot be undone."
    page.reload()
    assert [to for to, _ in inbox.taken] == [["one@example.org"]]
