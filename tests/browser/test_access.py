"""For everyone: axe finds nothing; touch, small screens, zoom, forced colours, reduced motion, languages."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from quiz_app.database import db
from quiz_app.study import lifecycle, readers

pytestmark = pytest.mark.browser

axe = Axe()


def sound(page):
    """Axe finds no problems on the page in its current state, and nothing extends beyond its side."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = axe.run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_on_any_page_of_a_reader(sit, house, width):
    invitation = house.invite(
        limit_s=5,
        cases=4,
        practice=1,
        break_every=3,
        groups=["a", "b"],
        ask_years=True,
        questions=["Specialty: dentistry | radiology", "Where do you work?"],
        result="at once",
        leaderboard=True,
    )
    sitter = sit(invitation, viewport={"width": width, "height": 844})
    page = sitter.page
    page.goto(invitation.link[:-4] + "/")
    sound(page)
    page.goto(invitation.link)
    sound(page)
    page.get_by_label("I have read this and agree to take part.").check()
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("button", name="Continue").click()  # with every fault
    expect(page.get_by_text("Please choose one.")).to_have_count(2)
    sound(page)
    page.get_by_label("a", exact=True).check()
    page.get_by_label("radiology", exact=True).check()
    page.get_by_label("Years of experience").fill("3")
    page.get_by_label("Where do you work?").fill("at home")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("connection (")).to_be_visible()
    sound(page)
    page.get_by_role("link", name="Leave the study").click()
    expect(page.get_by_role("link", name="Stay")).to_be_visible()
    sound(page)
    page.get_by_role("link", name="Stay").click()
    page.get_by_role("button", name="Start").click()
    sitter.phase("image")
    page.keyboard.press("w")
    sound(page)
    page.wait_for_timeout(160)
    sitter.press("1").phase("feedback")
    sound(page)
    page.wait_for_timeout(160)
    sitter.press("Enter").phase("begin")
    sound(page)
    sitter.begin().see(1).phase("late")
    sound(page)
    page.keyboard.press("p")
    sitter.press("1").phase("pause")
    sound(page)
    page.wait_for_timeout(160)
    page.keyboard.press("Enter")
    for position in (2, 3):
        sitter.see(position).press("5")
    sitter.phase("break")
    sound(page)
    page.wait_for_timeout(160)
    page.keyboard.press("Enter")
    other = page.context.new_page()
    sitter.see(4)
    other.goto(invitation.link)
    sitter.phase("elsewhere")
    sound(page)
    other.close()
    page.wait_for_timeout(160)
    page.keyboard.press("Enter")
    page.wait_for_selector("#room[data-phase=image], #room[data-phase=late]")
    page.wait_for_timeout(160)
    sitter.press("5").ended()
    expect(page.get_by_role("heading", name="Your result")).to_be_visible()
    sound(page)


@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_by_the_open_link_in_a_closed_study_and_after_leaving(sit, house, width):
    invitation = house.invite(cases=2)
    sitter = sit(invitation, viewport={"width": width, "height": 844})
    page = sitter.page
    with house.app.app_context():
        study = lifecycle.find(invitation.slug)
        path = f"/join/{readers.offer_open_link(study, '1')}/"
        db.session.commit()
        page.goto(house.server.url + path)
        sound(page)
        page.get_by_role("button", name="Take part").click()
        expect(page.get_by_role("heading", name="Consent")).to_be_visible()
        page.goto(house.server.url + path)
        expect(page.get_by_text("already has all the readers it needs")).to_be_visible()
        sound(page)
        sitter.enter().phase("begin")
        lifecycle.close(study)
        db.session.commit()
        db.session.remove()
    page.wait_for_timeout(160)
    sitter.press("Enter").phase("refused")
    expect(page.get_by_text("This study is closed. It no longer takes answers.")).to_be_visible()
    sound(page)
    page.goto(invitation.link + "leave")
    page.get_by_label("Delete all my answers").check()
    page.get_by_role("button", name="Leave for good").click()
    expect(page.get_by_role("heading", name="You have left the study")).to_be_visible()
    sound(page)


def test_a_whole_study_at_390_px_by_touch(sit, house):
    invitation = house.invite(practice=1, break_every=6, break_s=1)
    sitter = sit(invitation, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = sitter.page
    page.goto(invitation.link)
    page.get_by_label("I have read this and agree to take part.").tap()
    page.get_by_role("button", name="Begin").tap()
    page.get_by_role("button", name="Start with practice").tap()

    def tap(name):
        page.wait_for_timeout(200)
        page.get_by_role("button", name=name).tap()

    sitter.phase("image")
    tap("Unsure")
    sitter.phase("feedback")
    tap("Continue")
    sitter.phase("begin")
    tap("Begin")
    for position in range(1, 13):
        sitter.see(position)
        tap("Synthetic partially certain" if position % 2 else "Real fully certain")
        if position == 6:
            sitter.phase("break")
            tap("Continue")
    sitter.ended()
    assert [row["level"] for row in invitation.scored()] == ["4", "1"] * 6


SIZES = [(360, 640), (640, 360), (768, 1024), (720, 450), (1440, 900), (3840, 2160)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_image_and_answers_are_on_the_screen_with_targets_of_44_px(sitter, width, height):
    sitter = sitter(limit_s=60)
    page = sitter.page
    page.set_viewport_size({"width": width, "height": height})
    sitter.enter().begin().see(1)
    boxes = page.locator("#room button:visible").evaluate_all("all => all.map(one => one.getBoundingClientRect())")
    assert len(boxes) == (15 if width > 640 else 14)  # a phone has no keys to list
    for box in boxes:
        assert box["width"] >= 44
        assert box["height"] >= 44
        assert box["left"] >= 0
        assert box["right"] <= width
        assert box["bottom"] <= height
    stage = page.locator("#stage").bounding_box()
    assert stage["height"] >= 0.3 * height
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_forced_colours_and_reduced_motion_leave_everything_to_be_seen(sit, house):
    sitter = sit(house.invite(limit_s=60), forced_colors="active", reduced_motion="reduce").enter().begin().see(1)
    page = sitter.page
    for name in ("Real fully certain", "Unsure", "Invert", "Pause after this answer"):
        button = page.get_by_role("button", name=name)
        expect(button).to_be_visible()
        assert button.evaluate("one => getComputedStyle(one).borderTopStyle") == "solid"
    page.wait_for_timeout(300)
    width = page.locator("#left").evaluate("bar => new DOMMatrix(getComputedStyle(bar).transform).a")
    assert width * 60 == pytest.approx(round(width * 60), abs=1e-3)  # it moves by whole seconds


def test_what_happens_is_said_to_those_who_listen(sitter):
    sitter = sitter(limit_s=1).enter().begin().see(1)
    said = sitter.page.locator("#said")
    expect(said).to_have_text("1 of 12")
    expect(said).to_have_text("Time is up. Please answer now.")
    assert said.get_attribute("role") == "status"
    expect(sitter.page.get_by_role("button", name="Real fully certain")).to_have_attribute("aria-keyshortcuts", "1")


@pytest.mark.parametrize(("locale", "begin", "real"), [("da-DK", "Begynd", "Ægte"), ("de-CH", "Beginnen", "Echt")])
def test_the_browser_chooses_the_language(sit, house, locale, begin, real):
    texts = {"welcome": "Hello.\n[da]\nHej.\n[de]\nGrüezi."}
    phone = {"width": 390, "height": 844}
    sitter = sit(house.invite(practice=0, limit_s=60, **texts), locale=locale, viewport=phone)
    page = sitter.page
    page.goto(sitter.invitation.link)
    expect(page.get_by_text({"da-DK": "Hej.", "de-CH": "Grüezi."}[locale])).to_be_visible()
    assert page.locator("html").get_attribute("lang") == locale[:2]
    page.locator("input[name=consent]").check()
    page.get_by_role("button", name=begin).click()
    page.locator("main button.primary").click()
    sitter.phase("begin").page.wait_for_timeout(160)
    page.keyboard.press("Enter")
    sitter.phase("image")
    expect(page.locator("#answers").get_by_text(real).first).to_be_visible()
    page.wait_for_timeout(300)  # an earlier press does not count
    page.keyboard.press("1")
    expect(page.locator("#place")).to_contain_text(re.compile("^2 "))
    boxes = [page.locator(part).bounding_box() for part in ("#kept:not(:empty)", "#theme")]
    assert len({round(box["y"] + box["height"] / 2) for box in boxes}) == 1  # a row of the bar has room for all


@pytest.mark.parametrize("locale", ["en-GB", "da-DK", "de-DE"])
def test_what_is_told_on_a_phone_does_not_move_the_image(sit, house, locale):
    phone = {"width": 390, "height": 844}
    sitter = sit(house.invite(practice=0, limit_s=1, at_timeout="keep"), locale=locale, viewport=phone)
    page = sitter.page
    page.goto(sitter.invitation.link)
    page.locator("input[name=consent]").check()
    page.locator("main button.primary").click()
    page.locator("main button.primary").click()
    sitter.phase("begin").page.wait_for_timeout(160)
    page.keyboard.press("Enter")
    sitter.phase("image")
    before = page.locator("#stage").bounding_box()
    expect(page.locator("#kept[data-state=late]")).to_be_visible()
    assert page.locator("#stage").bounding_box() == before
    page.context.set_offline(True)
    page.keyboard.press("1")
    expect(page.locator("#kept[data-state=waiting]")).to_be_visible()
    assert page.locator("#stage").bounding_box() == before
    page.context.set_offline(False)


def test_without_scripts_the_room_says_so_and_nothing_else(new_context, house):
    page = new_context(java_script_enabled=False).new_page()
    page.goto(house.invite(practice=0).link)
    page.locator("input[name=consent]").check()
    for _ in range(2):
        page.locator("main button.primary").click()
    expect(page.locator("noscript p")).to_be_in_viewport(ratio=1)
    expect(page.locator("noscript p")).to_contain_text("This page needs JavaScript.")
    assert page.locator(".panel:visible, button:visible").count() == 0
