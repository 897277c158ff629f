"""Quartets in the reading room: by keyboard, mouse and touch, on a large screen and on a phone."""

import itertools
import math

import pytest
from playwright.sync_api import expect

from quiz_app.database import db, reading
from quiz_app.models import Pool, Sitting
from quiz_app.study import readers
from tests.browser.conftest import Invitation, Sitter
from tests.browser.test_access import sound
from tests.quiz_app import quartets

pytestmark = pytest.mark.browser
LARGE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def pool(house, tmp_path_factory):
    """Four quartets and one for practice: the pool's short name."""
    with house.app.app_context():
        given = quartets.entries(4, practice=1)
        return quartets.imported(house.app, tmp_path_factory.mktemp("pools"), given, "in-fours").slug


@pytest.fixture
def invite(house, pool, new_context):
    """A reader at the door of a study of quartets, with a browser of this kind."""

    def make(settings=None, **how):
        slug = f"quartets-{next(NUMBERS)}"
        usual = {"interval_ms": 100, "result": "at once"}
        with house.app.app_context():
            found = db.session.query(Pool).filter_by(slug=pool).one()
            study = quartets.opened(found, slug, **usual | (settings or {}))
            _, token = readers.invite(study, "R1")
            db.session.commit()
            db.session.remove()
        invitation = Invitation(house, slug, f"{house.server.url}/r/{token}/", 4)
        return Sitter(new_context(**how).new_page(), invitation)

    return make


def said(invitation):
    """The chosen place and the realism by place, of each scored trial in its order."""
    trials = {}
    for row in invitation.rows():
        if row["is_training"] == "0":
            trials.setdefault(int(row["position"]), []).append(row)
    return [
        (next(int(row["place"]) for row in rows if row["chosen"] == "1"), [int(row["realism"]) for row in rows])
        for _, rows in sorted(trials.items())
    ]


def press(sitter, *keys):
    for key in keys:
        sitter.page.wait_for_timeout(170)
        sitter.page.keyboard.press(key)


def test_a_study_of_quartets_by_keyboard_with_a_step_back_and_a_reload(invite):
    sitter = invite({"practice": 1}, viewport=LARGE)
    page, question = sitter.page, sitter.page.locator("#question")
    sitter.enter().phase("image")
    expect(question).to_have_text("Which radiograph is the real one?")
    expect(question).to_be_visible()
    press(sitter, "1", "4", "3", "2", "1")
    sitter.phase("feedback")
    expect(page.get_by_text("The real one is number")).to_be_visible()
    assert page.locator(".cell[data-real]").count() == 1
    press(sitter, "Enter")
    sitter.begin()
    sitter.see(1)
    press(sitter, "2", "1", "1", "Backspace")
    expect(question).to_have_text("How realistic is radiograph 2?")
    press(sitter, "3", "2", "4")
    sitter.see(2)
    press(sitter, "7", "x")  # neither an image nor an answer
    expect(question).to_have_text("Which radiograph is the real one?")
    press(sitter, "3", "1")
    page.reload()  # nothing of a quartet counts before its last answer
    sitter.see(2)
    press(sitter, "4", "1", "2", "3", "4")
    for position in (3, 4):
        sitter.see(position)
        press(sitter, "1", "1", "1", "1", "1")
    sitter.ended()
    assert said(sitter.invitation) == [(2, [1, 3, 2, 4]), (4, [1, 2, 3, 4]), *[(1, [1, 1, 1, 1])] * 2]
    with sitter.invitation.house.app.app_context(), reading() as session:
        trials = session.query(Sitting).order_by(Sitting.id.desc()).first().trials
        taken = [(trial.viewer["first_ms"], trial.client_ms) for trial in trials]
    assert len(taken) == 5
    # Four answers on realism follow the choice, 170 ms and more from one to the next.
    assert all(150 <= first <= whole - 4 * 150 for first, whole in taken), taken
    expect(page.get_by_text("By guessing alone you would find about 1 of them.")).to_be_visible()


@pytest.mark.parametrize("touch", [False, True])
def test_a_study_of_quartets_by_clicks_or_taps_on_the_images_and_the_words(invite, touch):
    sitter = invite({"first": "realism"}, viewport=PHONE if touch else LARGE, has_touch=touch)
    page = sitter.page
    sitter.enter().phase("begin")
    page.wait_for_timeout(170)

    def click(where):
        page.wait_for_timeout(600)
        where.tap() if touch else where.click()

    click(page.get_by_role("button", name="Begin"))
    for position in range(1, 5):
        sitter.see(position)
        boxes = [cell.bounding_box() for cell in page.locator(".cell:visible").all()]
        assert len(boxes) == 4
        assert all(box["width"] >= 150 and box["height"] >= 75 for box in boxes)
        for word in ("Unrealistic", "Fully realistic", "Rather realistic", "Rather unrealistic"):
            click(page.get_by_role("button", name=word, exact=True))
        if position % 2:
            click(page.get_by_role("button", name=f"Radiograph {position} is the real one"))
        else:
            click(page.locator(f"#answers [data-place='{position}']"))
    sitter.ended()
    assert said(sitter.invitation) == [(position, [1, 4, 3, 2]) for position in range(1, 5)]


def test_zoom_and_window_go_for_all_images_and_any_one_is_enlarged(invite):
    sitter = invite(viewport=LARGE)
    page = sitter.enter().begin().see(1).page
    before = page.locator(".cell:visible").first.bounding_box()
    press(sitter, "+", "i")
    looks = page.eval_on_selector_all(
        ".cell:not([hidden]) canvas", "all => all.map(c => c.style.transform + c.style.filter)"
    )
    assert len(set(looks)) == 1
    assert "scale(1.25)" in looks[0]
    assert "#window" in looks[0]
    page.get_by_role("button", name="Enlarge radiograph 3").click()
    (cell,) = page.locator(".cell:visible").all()
    assert cell.bounding_box()["width"] > 1.5 * before["width"]
    page.keyboard.press("Escape")
    assert page.locator(".cell:visible").count() == 4
    press(sitter, "3", "1", "2", "3", "4")
    sitter.see(2)
    (row, *_) = sitter.invitation.rows()
    assert math.isclose(float(row["zoom_max"]), 1.25)


def test_when_the_time_is_up_the_images_go_and_the_questions_stay(invite):
    sitter = invite({"limit_s": 1}, viewport=LARGE)
    page = sitter.enter().begin().page
    sitter.phase("late")
    assert page.locator(".cell:visible").count() == 0
    page.reload()
    sitter.phase("late")
    press(sitter, "4", "1", "2", "3", "4")
    sitter.see(2)
    rows = sitter.invitation.rows()
    assert {row["late"] for row in rows} == {"1"}
    assert said(sitter.invitation) == [(4, [1, 2, 3, 4])]


def test_all_images_of_the_next_quartet_are_here_before_the_last_answer(invite):
    sitter = invite(viewport=LARGE)
    asked = []
    sitter.page.on("request", lambda request: asked.append(request.url))
    sitter.enter().begin().see(1)
    sitter.page.wait_for_timeout(500)
    before = [url for url in asked if "/sealed/" in url or "/images/" in url]
    assert len(before) == len(set(before)) == 8
    assert not any("/images/" in url for url in before)
    press(sitter, "4", "1", "2", "3", "4")
    sitter.see(2)
    sitter.page.wait_for_timeout(500)
    after = [url for url in asked if "/sealed/" in url or "/images/" in url]
    assert len(after) == len(set(after)) == 12


@pytest.mark.parametrize("viewport", [LARGE, PHONE])
def test_axe_finds_nothing_in_a_study_of_quartets(invite, viewport):
    sitter = invite({"practice": 1, "cases": 2}, viewport=viewport)
    page, sitter.invitation.total = sitter.page, 2
    page.goto(sitter.invitation.link)
    page.get_by_label("I have read this and agree to take part.").check()
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("connection (")).to_be_visible()
    sound(page)
    page.get_by_role("button", name="Start").click()
    sitter.phase("image")
    sound(page)
    press(sitter, "1")
    sound(page)
    press(sitter, "1", "1", "1", "1")
    sitter.phase("feedback")
    sound(page)
    press(sitter, "Enter")
    sitter.begin()
    for position in (1, 2):
        sitter.see(position)
        press(sitter, "1", "1", "1", "1", "1")
    sitter.ended()
    sound(page)


def test_each_part_has_a_clock_of_its_own_and_the_first_is_not_asked_again(invite):
    sitter = invite({"limit_s": 3, "second_s": 30, "cases": 2, "break_every": 0}, viewport=LARGE)
    page = sitter.page
    sitter.enter().begin().phase("image")
    seconds, back, said_late = page.locator("#seconds"), page.locator("[data-back]"), page.locator("#kept")
    press(sitter, "1")
    expect(seconds).to_have_text("30")
    expect(back).to_be_hidden()
    press(sitter, "2", "Backspace", "3", "3", "2", "1")
    sitter.phase("image")
    expect(said_late).to_have_text("The time for this part is up. Please answer now.")
    assert page.locator(".cell canvas").first.is_visible()
    expect(seconds).to_have_text("29")
    press(sitter, "2")
    expect(said_late).to_be_empty()
    press(sitter, "1", "1", "1", "1")
    page.wait_for_url("**/end")
    late = {int(row["position"]): row["late"] for row in sitter.invitation.rows()}
    assert late == {1: "0", 2: "1"}
