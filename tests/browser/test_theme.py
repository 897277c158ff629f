"""Light or dark by choice: by keyboard, remembered, without a flash; what surrounds an image stays as it was."""

import csv
import io

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

GROUND = "getComputedStyle(document.documentElement).backgroundColor"
DARK, LIGHT = "rgb(11, 13, 16)", "rgb(227, 228, 229)"
# What stands around and over an image: the stage, its mask, a panel on it.
AROUND = """[...document.querySelectorAll('#stage, #stage .panel')].map((part) => {
  const style = getComputedStyle(part);
  return [style.backgroundColor, style.color, getComputedStyle(part, '::before').backgroundColor];
})"""


def sound(page):
    """Axe finds no problems on the page in its current state."""
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_the_theme_is_chosen_by_keyboard_on_the_first_page_and_kept(sit, house):
    invitation = house.invite()
    page = sit(invitation).page
    page.goto(invitation.link)
    assert page.evaluate(GROUND) == DARK
    button = page.get_by_role("button", name="Light theme")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(GROUND) == LIGHT
    sound(page)
    page.reload()
    assert page.evaluate(GROUND) == LIGHT
    page.keyboard.press("t")
    assert page.evaluate(GROUND) == DARK
    page.reload()
    assert page.evaluate(GROUND) == DARK


def test_nothing_of_the_other_theme_is_painted_first(sit, house):
    invitation = house.invite()
    page = sit(invitation).page
    page.goto(invitation.link)
    page.keyboard.press("t")
    # What is painted first comes after the head: the ground as it is when the body begins.
    page.add_init_script(
        "new MutationObserver((_, watch) => { if (!document.body) return; watch.disconnect(); "
        f"window.first = {GROUND}; }}).observe(document, {{ childList: true, subtree: true }})"
    )
    page.reload()
    assert page.evaluate("window.first") == LIGHT


def test_a_t_that_is_typed_changes_nothing(sit, house):
    invitation = house.invite(questions=["Where do you work?"])
    page = sit(invitation).page
    page.goto(invitation.link)
    page.get_by_label("I have read this and agree to take part.").check()
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("Where do you work?").press_sequentially("at home")
    assert page.evaluate(GROUND) == DARK


@pytest.mark.parametrize("width", [1440, 390])
def test_in_the_room_only_what_is_beside_the_image_becomes_light(sit, house, width):
    sitter = sit(house.invite(limit_s=0), viewport={"width": width, "height": 844}).enter()
    page = sitter.page
    dark = page.evaluate(AROUND)
    sitter.begin().see(1)
    shown, address = page.evaluate(AROUND), page.url
    if width == 390:
        page.get_by_role("button", name="Light theme").click()
    else:
        page.keyboard.press("t")
    assert page.evaluate(GROUND) == LIGHT
    assert page.evaluate(AROUND) == shown
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sound(page)
    assert (page.url, page.locator("#room").get_attribute("data-phase")) == (address, "image")
    sitter.press("1").see(2)
    assert page.evaluate(GROUND) == LIGHT
    page.reload()
    sitter.see(2)
    assert page.evaluate(GROUND) == LIGHT
    assert len(dark) == len(shown)


def test_in_which_theme_a_case_was_answered_is_in_the_export(sit, house):
    invitation = house.invite(limit_s=0)
    sitter = sit(invitation).enter()
    sitter.begin().see(1).press("1").see(2)
    sitter.press("t").press("5").see(3)
    assert themes(house, invitation)[:2] == ["0", "1"]


def themes(house, invitation):
    """The column `light` of trials.csv, in the order of the answers."""
    import zipfile

    from quiz_app.database import db, reading
    from quiz_app.exchange import export
    from quiz_app.models import Study

    file = io.BytesIO()
    with house.app.app_context():
        with reading() as session:
            study = session.query(Study).filter_by(slug=invitation.slug).one()
            export.write(session, study, file)
        db.session.remove()
    rows = csv.DictReader(io.StringIO(zipfile.ZipFile(file).read("trials.csv").decode()))
    return [row["light"] for row in rows]
