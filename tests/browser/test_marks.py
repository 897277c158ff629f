"""Marks by mouse, by touch and by keyboard alone, at a desk and on a phone: what is marked is what is stored."""

import csv
import io
import itertools
import json
import zipfile

import pytest
from playwright.sync_api import expect

from quiz_app.database import db, reading
from quiz_app.exchange import export
from quiz_app.models import Study
from quiz_app.study import readers
from tests.browser.conftest import KEPT, Invitation, Sitter
from tests.browser.test_access import sound
from tests.quiz_app import comparisons, quartets, staircases

pytestmark = pytest.mark.browser

NUMBERS = itertools.count(1)
SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(params=list(SIZES))
def size(request):
    """A screen, as Playwright's context takes it."""
    return {"viewport": SIZES[request.param]}


@pytest.fixture
def seated(sit, house):
    """A reader who has answered the first case of a study with marks, and whose marks are due; and the page's image."""

    def make(how=None, key="5", **settings):
        sitter = sit(house.invite(**{"cases": 4, "marks": "optional"} | settings), **(how or {})).enter().begin()
        sitter.see(1)
        if how and how.get("has_touch"):
            sitter.page.locator(f'#answers [data-key="{key}"]').tap()
        else:
            sitter.press(key)
        sitter.phase("marks")
        sitter.page.wait_for_timeout(450)  # a press in the first moments counts as meant for the answer
        return sitter

    return make


def stored(sitter, name="marks.csv"):
    """The exported marks."""
    house, file = sitter.invitation.house, io.BytesIO()
    with house.app.app_context(), reading() as session:
        export.write(session, session.query(Study).filter_by(slug=sitter.invitation.slug).one(), file)
    with zipfile.ZipFile(file) as files:
        return list(csv.DictReader(io.StringIO(files.read(name).decode())))


def point(page, x, y, canvas="#image"):
    """Where on the page a place in the image is, by its sides; reckoned here and not by the page's own script."""
    box = page.eval_on_selector(
        canvas,
        """(canvas) => {
          const { left, top, width, height } = canvas.getBoundingClientRect();
          return { left, top, width, height, across: canvas.width, down: canvas.height };
        }""",
    )
    fitted = min(box["width"] / box["across"], box["height"] / box["down"])
    width, height = fitted * box["across"], fitted * box["down"]
    left, top = box["left"] + (box["width"] - width) / 2, box["top"] + (box["height"] - height) / 2
    return left + x * width, top + y * height


def assert_near(row, x, y, off=0.01):
    assert abs(float(row["x"]) - x) < off, row
    assert abs(float(row["y"]) - y) < off, row


def reason(page, name):
    page.locator("#marking").get_by_role("button", name=name).click()


def done(sitter, position=2):
    sitter.page.get_by_role("button", name="Done").click()
    return sitter.see(position)


def test_by_mouse_marks_are_set_moved_and_deleted(seated, size):
    sitter = seated(size, marks_rating=True)
    page = sitter.page
    page.mouse.click(*point(page, 0.2, 0.3))
    expect(page.locator("#ask")).to_have_text("Mark 1: what is it?")
    reason(page, "roots")
    expect(page.locator("#ask")).to_have_text("Mark 1: how sure are you?")
    page.locator('[data-rating="4"]').click()
    page.mouse.click(*point(page, 0.7, 0.8))
    reason(page, "teeth")
    page.locator('[data-rating="1"]').click()
    page.mouse.click(*point(page, 0.5, 0.1))
    reason(page, "overall look")
    page.locator('[data-rating="5"]').click()
    marks = page.locator("button.mark")
    expect(marks).to_have_count(3)
    page.mouse.click(*point(page, 0.9, 0.9))  # a fourth
    expect(page.locator("#ask")).to_contain_text("You have set all the marks you can.")
    expect(marks).to_have_count(3)
    page.mouse.move(*point(page, 0.7, 0.8))
    page.mouse.down()
    page.mouse.move(*point(page, 0.6, 0.6), steps=3)
    page.mouse.up()
    marks.nth(2).click()
    page.get_by_role("button", name="Delete mark").click()
    expect(marks).to_have_count(2)
    done(sitter)
    first, second = stored(sitter)
    assert_near(first, 0.2, 0.3)
    assert_near(second, 0.6, 0.6)
    assert [(row["mark"], row["reason"], row["rating"]) for row in (first, second)] == [
        ("1", "roots", "4"),
        ("2", "teeth", "1"),
    ]
    assert page.locator("button.mark").count() == 0


def test_by_touch(seated, size):
    sitter = seated({**size, "has_touch": True, "is_mobile": size["viewport"]["width"] < 600})
    page = sitter.page
    page.touchscreen.tap(*point(page, 0.6, 0.4))
    page.touchscreen.tap(*point(page, 0.3, 0.7))  # no reason yet: it is moved
    page.locator('#marking [data-key="7"]').tap()
    page.touchscreen.tap(*point(page, 0.9, 0.2))
    page.locator('#marking [data-key="9"]').tap()
    page.locator('[data-end="marked"]').tap()
    sitter.see(2)
    first, second = stored(sitter)
    assert_near(first, 0.3, 0.7, 0.02)
    assert_near(second, 0.9, 0.2, 0.02)
    assert [first["reason"], second["reason"]] == ["blur or noise", "text or border"]


def test_by_keyboard_alone_and_for_those_who_listen(seated, size):
    sitter = seated(size)
    page, said = sitter.page, sitter.page.locator("#said")
    expect(said).to_have_text("What makes it look synthetic? Mark up to 3 places.")
    expect(page.locator("#crosshair")).to_be_hidden()
    for key in ("ArrowUp", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "ArrowUp"):
        sitter.press(key)
    expect(said).to_have_text("left, molar region")
    expect(page.locator("#crosshair")).to_be_visible()
    for _ in range(4):
        sitter.press("Shift+ArrowUp")
    expect(said).to_have_text("upper left, molar region")
    sitter.press("Enter")
    expect(said).to_have_text("Mark 1, upper left, molar region. Mark 1: what is it?")
    sitter.press("ArrowDown").press("2")
    expect(said).to_have_text("Mark 1, upper left, molar region, roots")
    for key in ("Shift+ArrowRight", "Enter", "0"):
        sitter.press(key)
    expect(page.locator("button.mark")).to_have_count(2)
    sitter.press("Tab")
    expect(page.locator("button.mark").first).to_be_focused()
    sitter.press("Tab").press("Delete")
    expect(said).to_have_text("Mark deleted.")
    sitter.press("d").see(2)
    (row,) = stored(sitter)
    assert_near(row, 0.3, 0.3, 0.001)
    assert row["reason"] == "roots"


def test_nothing_in_particular_and_skip_are_one_key(seated):
    sitter = seated()
    sitter.press("n").see(2).press("4").phase("marks")
    sitter.page.wait_for_timeout(450)
    sitter.press("s").see(3).press("1").see(4)  # after "real" nothing is asked
    assert [(row["mark"], row["outcome"]) for row in stored(sitter)] == [("0", "nothing"), ("0", "skipped")]


def test_the_image_stays_and_nothing_new_travels(seated, sit, house):
    sitter = sit(house.invite(cases=4, marks="asked")).enter().begin()
    page = sitter.see(1).page
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    page.evaluate(
        """() => {
          window.hiddenAt = window.savedAt = window.shownAt = null;
          const image = document.getElementById("image"), room = document.getElementById("room");
          new MutationObserver(() => (window.hiddenAt ??= image.hidden ? 1 : null))
            .observe(image, { attributes: true });
          new MutationObserver(() => room.dataset.phase === "marks" && (window.shownAt ??= performance.now()))
            .observe(room, { attributes: true });
          const before = window.fetch;
          window.fetch = async (...what) => {
            const response = await before(...what);
            if (String(what[0]).endsWith("/answer")) window.savedAt = performance.now();
            return response;
          };
        }"""
    )
    sitter.press("5").phase("marks")
    page.wait_for_timeout(100)
    told = page.evaluate("({ hidden: window.hiddenAt, ms: window.shownAt - window.savedAt })")
    assert told["hidden"] is None
    assert 0 <= told["ms"] < 100
    images = [url for url in fetched if "/images/" in url]
    sealed = [url for url in fetched if "/sealed/" in url]
    assert images == []
    assert len(sealed) <= 1  # that of the next case, in advance


def test_zoomed_and_windowed_a_mark_is_where_it_was_set(seated):
    sitter = seated()
    page = sitter.page
    page.mouse.move(*point(page, 0.8, 0.2))
    page.mouse.wheel(0, -480)  # 4 times as large
    sitter.press("i")
    assert float(page.eval_on_selector("#image", "(image) => new DOMMatrix(getComputedStyle(image).transform).a")) > 3
    page.mouse.click(*point(page, 0.82, 0.22))
    reason(page, "teeth")
    mark = page.locator("button.mark")
    box = mark.bounding_box()
    at = point(page, 0.82, 0.22)
    assert abs(box["x"] + box["width"] / 2 - at[0]) < 2
    page.locator('[data-tool="fit"]').click()
    box, at = mark.bounding_box(), point(page, 0.82, 0.22)
    assert abs(box["x"] + box["width"] / 2 - at[0]) < 2
    assert abs(box["y"] + box["height"] / 2 - at[1]) < 2
    done(sitter)
    (row,) = stored(sitter)
    assert_near(row, 0.82, 0.22, 0.005)


def test_two_quick_clicks_set_a_mark_and_do_not_go_close(seated):
    sitter = seated()
    page = sitter.page
    page.mouse.dblclick(*point(page, 0.4, 0.4))
    expect(page.locator("button.mark")).to_have_count(1)
    assert page.eval_on_selector("#image", "(image) => getComputedStyle(image).transform") in (
        "none",
        "matrix(1, 0, 0, 1, 0, 0)",
    )


def test_a_reload_comes_back_to_the_marks(seated):
    sitter = seated()
    page = sitter.page
    page.reload()
    sitter.phase("marks")
    page.wait_for_timeout(450)
    assert page.eval_on_selector("#image", "(image) => image.width") == 64
    page.mouse.click(*point(page, 0.5, 0.5))
    reason(page, "teeth")
    done(sitter)
    assert len(stored(sitter)) == 1


def test_through_a_dead_line_marks_are_kept_and_come_in_once(seated):
    sitter = seated()
    page = sitter.page
    page.mouse.click(*point(page, 0.5, 0.5))
    reason(page, "teeth")
    page.context.set_offline(True)
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#kept")).to_contain_text("your answer is stored on this device")
    kept = page.evaluate(f"JSON.stringify({KEPT})")
    assert json.loads(json.loads(kept)[0][1])[0]["kind"] == "marks"
    page.context.set_offline(False)
    sitter.see(2)
    assert [row["reason"] for row in stored(sitter)] == ["teeth"]
    assert page.evaluate(KEPT) == []


def test_marks_whose_acknowledgement_is_lost_are_stored_once(seated):
    sitter = seated()
    page = sitter.page
    lost = []

    def lose(route):
        lost.append(route.fetch())
        route.abort()

    page.route("**/marks", lose, times=1)
    page.mouse.click(*point(page, 0.5, 0.5))
    reason(page, "teeth")
    done(sitter)
    assert len(lost) == 1
    assert len(stored(sitter)) == 1


def test_an_image_that_was_gone_is_shown_again_where_the_study_says_so(sit, house):
    sitter = sit(house.invite(cases=4, marks="asked", limit_s=1, marks_after_timeout=True)).enter().begin()
    sitter.see(1).phase("late")
    sitter.page.wait_for_timeout(160)
    sitter.press("5").phase("marks")
    expect(sitter.page.locator("#image")).to_be_visible()
    assert len(sitter.invitation.events("shown-again")) == 1


def test_an_image_that_was_gone_is_not_shown_again_otherwise(sit, house):
    sitter = sit(house.invite(cases=4, marks="asked", limit_s=1)).enter().begin()
    sitter.see(1).phase("late")
    sitter.page.wait_for_timeout(160)
    sitter.press("5").see(2)
    assert stored(sitter) == []


def test_practice_tells_the_truth_after_the_marks(sit, house):
    sitter = sit(house.invite(cases=4, marks="asked", practice=1)).enter()
    page = sitter.phase("image").page
    page.wait_for_timeout(160)
    sitter.press("5").phase("marks")
    expect(page.locator('[data-panel="feedback"]')).to_be_hidden()
    page.wait_for_timeout(450)
    sitter.press("n").phase("feedback")
    expect(page.locator("#image")).to_be_visible()
    page.wait_for_timeout(160)
    sitter.press("Enter").phase("begin")


def test_the_second_click_of_a_double_click_on_the_answer_ends_nothing(sit, house):
    sitter = sit(house.invite(cases=4, marks="optional")).enter().begin()
    page = sitter.see(1).page
    box = page.locator('#answers [data-key="5"]').bounding_box()
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, delay=60)
    sitter.phase("marks")
    page.wait_for_timeout(300)
    sitter.phase("marks")


def test_a_mark_without_a_reason_is_asked_for_one(seated):
    sitter = seated()
    page = sitter.page
    page.mouse.click(*point(page, 0.5, 0.5))
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#ask")).to_contain_text("Please choose a reason for this mark first.")
    sitter.phase("marks")
    sitter.press("n")
    expect(page.locator("#ask")).to_contain_text("There are marks. Delete them first")
    assert stored(sitter) == []


@pytest.fixture
def invite(house, tmp_path, new_context):
    """A reader at the start of a study of another design, with its own pool, in a browser of this kind."""

    def make(module, given, how, total, **settings):
        slug = f"marks-{next(NUMBERS)}"
        with house.app.app_context():
            pool = quartets.imported(house.app, tmp_path, given, slug)
            study = module.opened(pool, slug, **{"interval_ms": 100} | settings)
            _, token = readers.invite(study, "R1")
            db.session.commit()
            db.session.remove()
        invitation = Invitation(house, slug, f"{house.server.url}/r/{token}/", total)
        return Sitter(new_context(**how).new_page(), invitation).enter().begin()

    return make


def test_the_images_of_a_quartet_that_were_not_chosen_are_marked(invite, size):
    sitter = invite(quartets, quartets.entries(2), size, 2, marks="asked")
    page = sitter.see(1).page
    for key in ("2", "1", "4", "1", "1"):
        sitter.press(key)
        page.wait_for_timeout(200)
    sitter.phase("marks").page.wait_for_timeout(450)
    sound(page)
    canvas = ".cell:nth-child({}) canvas"
    page.mouse.click(*point(page, 0.5, 0.5, canvas.format(2)))
    expect(page.locator("#ask")).to_have_text("Only the outlined radiographs can be marked.")
    page.mouse.click(*point(page, 0.25, 0.75, canvas.format(3)))
    sitter.press("1")
    sitter.press("x").press("Shift+ArrowRight").press("Enter").press("2")  # the crosshair, on the next image
    sound(page)
    sitter.press("d").see(2)
    first, second = stored(sitter)
    assert_near(first, 0.25, 0.75, 0.02)
    assert [(row["place"], row["reason"]) for row in (first, second)] == [("3", "teeth"), ("3", "roots")]
    assert_near(second, 0.55, 0.5, 0.001)


def test_the_images_of_a_comparison_are_marked_one_at_a_time_too(invite):
    how = {"viewport": SIZES["desk"]}
    given = comparisons.entries(2, reference=True)
    sitter = invite(comparisons, given, how, 2, marks="optional", display="flicker")
    page = sitter.see(1).page
    for _ in range(2):
        sitter.press("1")
        page.wait_for_timeout(200)
    sitter.phase("marks").page.wait_for_timeout(450)
    sound(page)
    shown = page.evaluate("[...document.querySelectorAll('.cell')].findIndex((cell) => !cell.hidden)")
    page.mouse.click(*point(page, 0.4, 0.6, f".cell:nth-child({shown + 1}) canvas"))
    sitter.press("3")
    sitter.press("d").see(2)
    (row,) = stored(sitter)
    assert row["place"] == str(shown + 1)
    assert_near(row, 0.4, 0.6)


def test_in_a_staircase_the_image_is_uncovered_for_its_marks(invite, size):
    settings = {"tracks": 1, "start_ms": 300, "jitter_ms": 0, "marks": "asked", "marks_after_timeout": True}
    sitter = invite(staircases, staircases.entries(10), size, 10, **settings)
    page = sitter.phase("masked").page
    page.wait_for_timeout(200)
    sitter.press("5").phase("marks")
    expect(page.locator("#mask")).to_be_hidden()
    page.wait_for_timeout(450)
    page.mouse.click(*point(page, 0.5, 0.5))
    sitter.press("1")
    sitter.press("d").phase("masked")
    (row,) = stored(sitter)
    assert_near(row, 0.5, 0.5)
    assert row["answer"] == "synthetic"


def test_axe_finds_nothing_in_the_marking_step(seated, size):
    sitter = seated(size, marks_rating=True)
    page = sitter.page
    sound(page)
    page.mouse.click(*point(page, 0.3, 0.3))
    sound(page)
    reason(page, "teeth")
    expect(page.locator("#ask")).to_have_text("Mark 1: how sure are you?")
    sound(page)


@pytest.mark.parametrize(
    ("locale", "words"),
    [("da-DK", "Hvad får det til at se syntetisk ud?"), ("de-DE", "Was lässt sie synthetisch wirken?")],
)
def test_in_danish_and_german(sit, house, locale, words):
    invitation = house.invite(cases=4, marks="optional")
    sitter = sit(invitation, locale=locale, viewport=SIZES["phone"]).enter().begin().phase("image")
    sitter.page.wait_for_timeout(160)
    sitter.press("5").phase("marks")
    expect(sitter.page.locator("#ask")).to_contain_text(words)
    sound(sitter.page)


def test_who_takes_the_page_over_and_comes_back_sees_the_image_that_is_to_be_marked(seated):
    sitter = seated()
    page = sitter.page
    other = page.context.new_page()
    other.goto(sitter.invitation.link)
    expect(other.locator("#room")).to_have_attribute("data-phase", "marks", timeout=10_000)
    page.keyboard.press("ArrowRight")
    page.mouse.click(*point(page, 0.3, 0.4))
    page.keyboard.press("n")
    sitter.phase("elsewhere")
    page.wait_for_timeout(160)
    page.keyboard.press("Enter")
    sitter.phase("marks")
    assert page.locator("#image").evaluate("canvas => canvas.width") > 1
    expect(page.locator("#image")).to_be_visible()


def test_a_pause_that_was_asked_for_before_the_marks_comes_after_them(sit, house):
    sitter = sit(house.invite(cases=4, practice=2, practice_feedback=True, marks="optional")).enter()
    sitter.phase("image").page.wait_for_timeout(160)
    sitter.press("p").press("5").phase("marks")
    sitter.page.wait_for_timeout(450)
    sitter.press("n").phase("feedback").page.wait_for_timeout(160)
    sitter.press("Enter").phase("pause")
