"""The viewer: zoom, pan, window, invert, magnifier, by mouse, finger and key; what was used is in the record."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from quiz_app.database import reading
from quiz_app.models import Trial

pytestmark = pytest.mark.browser


@pytest.fixture
def viewing(sitter):
    """A reader in front of the first scored image, with a minute to look."""

    def look(**settings):
        looking = sitter(limit_s=60, **settings).enter().begin()
        return looking.see(1)

    return look


def placed(page):
    """Scale and offset of the image on the stage."""
    matrix = page.locator("#image").evaluate("image => new DOMMatrix(getComputedStyle(image).transform)")
    return matrix["a"], matrix["e"], matrix["f"]


def grey(page, x, y):
    """What is on the screen at a point of the image, after its filter: the mean of a small photograph."""
    box = page.locator("#stage").bounding_box()
    clip = {"x": box["x"] + x, "y": box["y"] + y, "width": 8, "height": 8}
    return float(np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L")).mean())


def recorded(sitter):
    """The record of the viewer's use in the first scored answer."""
    with sitter.invitation.house.app.app_context(), reading() as session:
        trial = session.query(Trial).filter(Trial.token == sitter.invitation.rows()[0]["trial"]).one()
        return trial.viewer


def test_the_wheel_zooms_at_the_pointer_and_the_point_under_it_stays(viewing):
    sitter = viewing()
    page = sitter.page
    box = page.locator("#stage").bounding_box()
    x, y = 0.25 * box["width"], 0.6 * box["height"]
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.wheel(0, -240)
    page.wait_for_timeout(100)
    scale, left, top = placed(page)
    assert scale == pytest.approx(2)
    assert (x - left) / scale == pytest.approx(x, abs=1)
    assert (y - top) / scale == pytest.approx(y, abs=1)
    page.wait_for_timeout(400)
    sitter.press("1").see(2)
    row = sitter.invitation.rows()[0]
    assert (float(row["zoom_max"]), row["windowed"]) == (2.0, "0")
    assert 400 <= recorded(sitter)["zoom_ms"] <= int(row["client_ms"])
    assert placed(page)[0] == 1  # the next image comes whole


def test_dragging_moves_a_magnified_image_and_never_off_the_stage(viewing):
    page = viewing().page
    for _ in range(4):
        page.keyboard.press("+")
    before = placed(page)
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 340, box["y"] + 320, steps=4)
    after = placed(page)
    assert (after[1] - before[1], after[2] - before[2]) == (pytest.approx(40), pytest.approx(20))
    page.mouse.move(box["x"] + 5000, box["y"] + 320, steps=4)
    page.mouse.up()
    assert placed(page)[1] == 0
    page.keyboard.press("ArrowRight")
    assert placed(page)[1] == -60
    page.keyboard.press("0")
    assert placed(page) == (1, 0, 0)


def test_brightness_contrast_and_invert_change_the_grey_on_the_screen(viewing):
    sitter = viewing()
    page = sitter.page
    whole = grey(page, 300, 300)
    page.keyboard.press("i")
    assert grey(page, 300, 300) == pytest.approx(255 - whole, abs=3)
    page.keyboard.press("i")
    page.keyboard.press("w")
    page.get_by_label("Brightness").fill("100")
    assert grey(page, 300, 300) == pytest.approx(min(255, whole + 127.5), abs=4)
    page.keyboard.press("0")
    assert grey(page, 300, 300) == pytest.approx(whole, abs=1)
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 300, box["y"] + 240, steps=3)
    page.mouse.up(button="right")
    expect(page.get_by_label("Brightness")).to_have_value("30")
    sitter.press("5").see(2)
    assert sitter.invitation.rows()[0]["windowed"] == "1"
    assert recorded(sitter)["inverted"] == 2


def test_the_magnifier_follows_the_pointer_and_shows_what_lies_under_it(viewing):
    sitter = viewing()
    page = sitter.page
    page.keyboard.press("m")
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 300)
    lens = page.locator("#lens").bounding_box()
    assert lens["x"] + lens["width"] / 2 == pytest.approx(box["x"] + 400, abs=3)
    under = page.evaluate(
        """() => {
          const image = document.getElementById("image"), box = image.getBoundingClientRect();
          const fitted = Math.min(box.width / image.width, box.height / image.height);
          const x = (400 - box.width / 2) / fitted + image.width / 2;
          const y = (300 - box.height / 2) / fitted + image.height / 2;
          const at = (canvas, x, y) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
          return [at(image, Math.floor(x), Math.floor(y)), at(document.getElementById("lens"), 120, 120)];
        }"""
    )
    assert under[0] == pytest.approx(under[1], abs=25)
    page.wait_for_timeout(300)
    sitter.press("1").see(2)
    assert recorded(sitter)["lens_ms"] >= 300


def test_nothing_in_the_viewer_moves_the_answer_buttons(viewing):
    page = viewing().page
    before = page.locator("#answers button").evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    for key in ("+", "+", "w", "i", "m", "ArrowLeft"):
        page.keyboard.press(key)
    after = page.locator("#answers button").evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    assert before == after


def test_a_study_offers_the_tools_it_names_and_no_others(viewing):
    page = viewing(tools=["invert"]).page
    page.keyboard.press("+")
    page.mouse.move(400, 300)
    page.mouse.wheel(0, -240)
    page.mouse.dblclick(400, 300)
    assert placed(page)[0] == 1
    expect(page.get_by_role("button", name="Zoom in")).to_have_count(0)
    expect(page.get_by_role("button", name="Invert")).to_be_visible()


def test_two_fingers_zoom_and_a_double_tap_goes_close_and_back(sit, house):
    sitter = sit(house.invite(limit_s=60), has_touch=True, viewport={"width": 390, "height": 844})
    page = sitter.enter().begin().see(1).page
    box = page.locator("#stage").bounding_box()
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        at = [{"x": box["x"] + x, "y": box["y"] + y, "id": number} for number, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (150, 150), (250, 150))
    touch("touchMove", (100, 150), (300, 150))
    touch("touchEnd")
    page.wait_for_timeout(100)
    assert placed(page)[0] == pytest.approx(2, rel=0.1)
    page.wait_for_timeout(400)
    for scale in (1, 2.5):
        for _ in range(2):
            touch("touchStart", (120, 150))
            touch("touchEnd")
        page.wait_for_timeout(400)
        assert placed(page)[0] == pytest.approx(scale)
