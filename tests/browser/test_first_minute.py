"""The first minute in the room: a tour before any clock, every key on "?", no translation, a screen that stays on."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import Sitter

pytestmark = pytest.mark.browser


@pytest.fixture
def newcomer(new_context, house):
    """A reader who has never been in a room."""

    def make(**settings):
        return Sitter(new_context(toured=False).new_page(), house.invite(**settings)).enter()

    return make


def released(house):
    """How many trials were sent to anybody's browser."""
    from quiz_app.database import db
    from quiz_app.models import Trial

    with house.app.app_context():
        count = db.session.query(Trial).filter(Trial.released_at.isnot(None)).count()
        db.session.remove()
    return count


def test_the_tour_comes_once_and_before_any_clock(newcomer, house):
    before = released(house)
    sitter = newcomer(practice=0, limit_s=10)
    page = sitter.phase("tour").page
    for words, part in (("appears here", "#stage"), ("these buttons", "#answers"), ("shows the time left", ".bar")):
        expect(page.locator("[data-panel=tour]")).to_contain_text(words)
        assert page.evaluate("part => document.querySelector(part).classList.contains('shown')", part)
        assert not Axe().run(page).response["violations"]
        page.wait_for_timeout(200)
        assert released(house) == before
        sitter.press("Enter")
    sitter.begin().see(1)
    page.reload()
    sitter.see(1)  # without another tour
    assert not page.locator(".shown").count()


@pytest.mark.parametrize("way", ["key", "button"])
def test_the_tour_can_be_skipped(newcomer, way):
    sitter = newcomer(practice=0)
    page = sitter.phase("tour").page
    if way == "key":
        sitter.press("Escape")
    else:
        page.get_by_role("button", name="Skip").click()
    sitter.begin().see(1).press("1").see(2)


def test_a_question_mark_lists_the_keys_and_none_of_them_answers_meanwhile(sitter):
    sitter = sitter(practice=0).enter().begin().see(1)
    page = sitter.page
    sitter.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys).to_be_visible()
    told = dict(zip(keys.locator("dt").all_inner_texts(), keys.locator("dd").all_inner_texts(), strict=True))
    assert told.keys() >= {"Enter", "1", "2", "3", "4", "5", "P", "I"}
    assert told["P"] == "Pause after this answer"
    assert told["1"] == "Real, fully certain"
    assert told["3"] == "Unsure"
    assert not Axe().run(page).response["violations"]
    for key in ("1", "p", "i"):
        sitter.press(key)
    page.wait_for_timeout(300)
    expect(page.locator("#place")).to_have_text(f"1 of {sitter.invitation.total}")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")
    sitter.press("?")
    expect(keys).to_be_hidden()
    sitter.press("1").see(2)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(keys).to_be_visible()
    keys.get_by_role("button", name="Close").click()
    sitter.press("1").see(3)


def test_the_room_is_not_translated_and_keeps_the_screen_on(new_context, house):
    page = new_context().new_page()
    page.add_init_script("""
        window.held = 0;
        const request = async (kind) => kind === "screen" && window.held++;
        Object.defineProperty(navigator, "wakeLock", { value: { request } });
    """)
    Sitter(page, house.invite(practice=0)).enter().phase("begin")
    expect(page.locator("html")).to_have_attribute("translate", "no")
    assert page.evaluate("window.held") == 1
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.evaluate("window.held") == 2
