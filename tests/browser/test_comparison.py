"""Comparisons in the reading room: by keyboard, mouse and touch, on a large screen and on a phone."""

import itertools

import pytest
from playwright.sync_api import expect

from quiz_app.database import db
from quiz_app.models import Pool
from quiz_app.study import readers
from tests.browser.conftest import Invitation, Sitter
from tests.browser.test_access import sound
from tests.quiz_app import comparisons

pytestmark = pytest.mark.browser
LARGE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
NUMBERS = itertools.count(1)
FORM = [
    "clearer: better/same/worse: Which is clearer?",
    "nodule: yes/no: The nodule is easy to see",
    "sharp: scale 5: How sharp is it?",
    "report: choice: From which would you report?",
]


@pytest.fixture
def invite(house, tmp_path, new_context):
    """A reader at the door of a study of two comparisons, with a browser of this kind."""

    def make(settings=None, reference=False, **how):
        slug = f"comparisons-{next(NUMBERS)}"
        usual = {"interval_ms": 100, "criteria": FORM} | (settings or {})
        with house.app.app_context():
            given = comparisons.entries(2, practice=1, reference=reference)
            comparisons.imported(house.app, tmp_path, given, slug)
            study = comparisons.opened(db.session.query(Pool).filter_by(slug=slug).one(), slug, **usual)
            _, token = readers.invite(study, "R1")
            db.session.commit()
            db.session.remove()
        invitation = Invitation(house, slug, f"{house.server.url}/r/{token}/", 2)
        return Sitter(new_context(**how).new_page(), invitation)

    return make


def said(invitation, position=1):
    """The value by criterion and place of a scored trial."""
    rows = [row for row in invitation.rows() if row["is_training"] == "0" and row["position"] == str(position)]
    rows = [row for row in rows if row["criterion"]]
    return {(row["criterion"], int(row["place"])): row["value"] for row in rows}


def press(sitter, *keys):
    for key in keys:
        sitter.page.wait_for_timeout(170)
        sitter.page.keyboard.press(key)


WANTED = dict(
    zip(
        itertools.product(("clearer", "nodule", "sharp", "report"), (1, 2)),
        ("worse", "better", "yes", "no", "5", "3", "not chosen", "chosen"),
        strict=True,
    )
)


def test_a_study_of_comparisons_by_keyboard_with_practice_a_step_back_and_a_reload(invite):
    sitter = invite({"practice": 1}, viewport=LARGE)
    page, question = sitter.page, sitter.page.locator("#question")
    sitter.enter().phase("image")
    expect(question).to_have_text("Which is clearer?")
    press(sitter, "2", "1", "1", "1", "1", "1")
    sitter.begin()
    sitter.see(1)
    press(sitter, "3", "2", "Backspace")
    expect(question).to_have_text("Radiograph 1: The nodule is easy to see")
    press(sitter, "1", "2")
    page.reload()  # nothing of a trial counts before its last answer
    sitter.see(1)
    press(sitter, "3", "1", "2", "5", "3", "2")
    sitter.see(2)
    press(sitter, "2", "2", "2", "1", "1", "1")
    sitter.ended()
    assert said(sitter.invitation) == WANTED


@pytest.mark.parametrize("touch", [False, True])
def test_a_study_of_comparisons_by_clicks_or_taps_beside_a_reference(invite, touch, tmp_path):
    sitter = invite(reference=True, viewport=PHONE if touch else LARGE, has_touch=touch)
    page = sitter.page
    sitter.enter().begin()
    sitter.see(1)
    expect(page.get_by_text("Reference", exact=True).locator("visible=true")).to_have_count(1)
    sound(page)
    page.screenshot(path=tmp_path / "room.png")

    def give(*names):
        for name in names:
            page.wait_for_timeout(600)
            button = page.locator("#answers").get_by_role("button", name=name, exact=True)
            button.tap() if touch else button.click()

    give("Worse", "Better", "Yes", "No", "5", "3", "2")
    sitter.see(2)
    give("The same", "The same", "Yes", "Yes", "1", "1", "1")
    sitter.ended()
    assert said(sitter.invitation) == WANTED


def test_one_at_a_time_the_reader_switches_with_zoom_kept_and_in_a_series_sees_all_before_the_questions(invite):
    sitter = invite({"display": "series"}, viewport=LARGE)
    page = sitter.page
    sitter.enter().begin()
    sitter.see(1)
    cells = page.locator(".cell:visible")
    expect(cells).to_have_count(1)
    expect(page.locator("#question")).to_have_text("Look at each radiograph; the questions follow.")
    press(sitter, "+")
    first = page.locator(".cell:visible canvas").evaluate("canvas => canvas.style.transform")
    press(sitter, "x")
    expect(page.locator(".cell").nth(1)).to_be_visible()
    expect(cells).to_have_count(1)
    assert page.locator(".cell:visible canvas").evaluate("canvas => canvas.style.transform") == first != ""
    expect(page.locator("#question")).to_have_text("Which is clearer?")
    page.get_by_role("button", name="Next radiograph").click()
    expect(page.locator(".cell").nth(0)).to_be_visible()
    press(sitter, "3", "1", "2", "5", "3", "2")
    sitter.see(2)
    assert said(sitter.invitation) == WANTED


def test_switched_in_one_place_by_key_or_touch_with_zoom_kept_and_the_image_asked_about_in_front(invite, tmp_path):
    for touch in (False, True):
        how = {"viewport": PHONE, "has_touch": True} if touch else {"viewport": LARGE}
        sitter = invite({"display": "flicker"}, reference=True, **how)
        page, cells = sitter.page, sitter.page.locator(".cell")
        sitter.enter().begin()
        sitter.see(1)
        expect(page.locator(".cell:visible")).to_have_count(1)
        expect(cells.nth(0)).to_be_visible()
        # The questions are there at once: nobody is made to look at each.
        expect(page.locator("#question")).to_have_text("Radiograph 1: Which is clearer?")
        box = cells.nth(0).bounding_box()
        press(sitter, "+")
        zoomed = page.locator(".cell:visible canvas").evaluate("canvas => canvas.style.transform")
        switch = page.get_by_role("button", name="Next radiograph")
        for shown in (1, 2, 0, 1, 2):
            page.wait_for_timeout(500)
            if touch:
                switch.tap()
            else:
                page.keyboard.press("x")
            expect(page.locator(".cell:visible")).to_have_count(1)
            expect(cells.nth(shown)).to_be_visible()
            assert cells.nth(shown).bounding_box() == box  # in one place
            assert page.locator(".cell:visible canvas").evaluate("canvas => canvas.style.transform") == zoomed != ""
            expect(page.get_by_text("Reference", exact=True).locator("visible=true")).to_have_count(int(shown == 2))
        sound(page)
        page.screenshot(path=tmp_path / f"flicker-{touch}.png")
        press(sitter, "3")
        expect(page.locator("#question")).to_have_text("Radiograph 2: Which is clearer?")
        expect(cells.nth(1)).to_be_visible()  # the one that is asked about
        press(sitter, "1", "1", "2", "5", "3", "2")
        sitter.see(2)
        assert said(sitter.invitation) == WANTED
