"""Staircases in the reading room: shown for a moment, masked, measured; by keyboard, mouse and touch."""

import csv
import io
import itertools
import zipfile

import pytest
from playwright.sync_api import expect

from quiz_app.database import db, reading
from quiz_app.exchange import export
from quiz_app.models import Pool
from quiz_app.study import lifecycle, readers
from tests.browser.conftest import Invitation, Sitter
from tests.browser.test_access import sound
from tests.quiz_app import quartets, staircases

pytestmark = pytest.mark.browser
LARGE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
NUMBERS = itertools.count(1)
HIDE = """state => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def pool(house, tmp_path_factory):
    """Ten cases and one for practice: the pool's short name."""
    with house.app.app_context():
        given = staircases.entries(10, practice=1)
        return quartets.imported(house.app, tmp_path_factory.mktemp("pools"), given, "brief").slug


@pytest.fixture
def invite(house, pool, new_context):
    """A reader at the door of a staircase, with a browser of this kind."""

    def make(settings=None, **how):
        slug = f"staircase-{next(NUMBERS)}"
        usual = {"tracks": 1, "start_ms": 300, "jitter_ms": 0, "interval_ms": 50}
        with house.app.app_context():
            found = db.session.query(Pool).filter_by(slug=pool).one()
            study = staircases.opened(found, slug, **usual | (settings or {}))
            _, token = readers.invite(study, "R1")
            db.session.commit()
            db.session.remove()
        invitation = Invitation(house, slug, f"{house.server.url}/r/{token}/", 10)
        return Sitter(new_context(**how).new_page(), invitation)

    return make


def asked(sitter, position):
    """Wait until the image of this trial is gone and its answer is asked for."""
    expect(sitter.page.locator("#place")).to_have_text(f"{position} of 10", timeout=20_000)
    sitter.phase("masked").page.wait_for_timeout(170)


def trials(sitter, tmp_path):
    """What the export says of each trial, the study closed."""
    house = sitter.invitation.house
    with house.app.app_context():
        study = lifecycle.find(sitter.invitation.slug)
        lifecycle.close(study)
        db.session.commit()
        with reading() as session, (tmp_path / "all.zip").open("wb") as file:
            export.write(session, session.query(type(study)).filter_by(slug=study.slug).one(), file)
        db.session.remove()
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        found = list(csv.DictReader(io.StringIO(archive.read("trials.csv").decode())))
    return [row for row in found if row["is_training"] == "0"]


def test_a_staircase_by_keyboard_from_practice_to_the_last_page(invite, tmp_path):
    sitter = invite({"practice": 1}, viewport=LARGE)
    page = sitter.page
    sitter.enter().phase("masked")
    expect(page.locator("#image")).to_be_hidden()
    page.wait_for_timeout(170)
    sitter.press("1").phase("feedback")
    expect(page.locator("#image")).to_be_visible()  # with its truth
    expect(page.locator("#mask")).to_be_hidden()
    page.wait_for_timeout(170)
    sitter.press("Enter").begin()
    for position in range(1, 11):
        asked(sitter, position)
        sitter.press("3")  # unsure is no answer here
        sitter.press("15"[position % 2])
    sitter.ended()
    rows = trials(sitter, tmp_path)
    assert len(rows) == 10
    assert {row["cut"] for row in rows} == {"0"}
    for row in rows:  # a busy machine may show an image for longer, never for much less
        assert -20 < float(row["shown_ms"]) - float(row["asked_ms"]) < 1000
        assert int(row["frames"]) >= 1
        assert 5 < float(row["frame_ms"]) < 200
    assert len({row["asked_ms"] for row in rows}) > 1
    answers = [row for row in sitter.invitation.rows() if row["is_training"] == "0"]
    assert [float(row["value"]) for row in answers] == [float(row["shown_ms"]) for row in rows]
    assert {row["criterion"] for row in answers} == {"exposure_ms"}


@pytest.mark.parametrize("touch", [False, True])
def test_a_staircase_by_clicks_or_taps(invite, touch):
    sitter = invite(viewport=PHONE if touch else LARGE, has_touch=touch)
    page = sitter.page
    sitter.enter().phase("begin").page.wait_for_timeout(170)
    begin = page.get_by_role("button", name="Begin")
    begin.tap() if touch else begin.click()
    for position in range(1, 11):
        asked(sitter, position)
        answer = page.get_by_role("button", name=("Real", "Synthetic")[position % 2]).first
        answer.tap() if touch else answer.click()
    sitter.ended()
    assert [row["answer"] for row in sitter.invitation.rows()] == ["synthetic", "real"] * 5


def test_the_image_is_there_for_its_time_alone_and_nothing_can_be_answered_before(invite):
    sitter = invite({"start_ms": 1000, "longest_ms": 1500, "interval_ms": 600}, viewport=LARGE)
    page = sitter.enter().begin().page
    sitter.phase("mask")
    expect(page.locator("#cross")).to_be_visible()
    sitter.phase("image")
    expect(page.locator("#cross")).to_be_hidden()
    expect(page.locator("#image")).to_be_visible()
    expect(page.locator("#mask")).to_be_hidden()
    sitter.press("1")  # too soon
    sitter.phase("masked")
    expect(page.locator("#mask")).to_be_visible()
    expect(page.locator("#image")).to_be_hidden()
    page.wait_for_timeout(170)
    assert sitter.invitation.rows() == []
    sitter.press("1")
    asked(sitter, 2)


def test_who_loads_the_page_anew_is_asked_and_not_shown_the_image_again(invite):
    sitter = invite(viewport=LARGE)
    page = sitter.enter().begin().page
    asked(sitter, 1)
    page.reload()
    asked(sitter, 1)
    expect(page.get_by_text("This radiograph has already been shown.")).to_be_visible()
    expect(page.locator("#image")).to_be_hidden()
    sitter.press("1")
    asked(sitter, 2)
    (row,) = sitter.invitation.rows()
    assert (row["answer"], row["value"]) == ("real", "")


def test_a_page_hidden_while_the_image_is_shown_covers_it_and_says_so(invite, tmp_path):
    sitter = invite({"start_ms": 3000, "shortest_ms": 2000, "longest_ms": 4000}, viewport=LARGE)
    page = sitter.enter().begin().page
    sitter.phase("image")
    page.evaluate(HIDE, "hidden")
    sitter.phase("masked")
    page.evaluate(HIDE, "visible")
    page.wait_for_timeout(170)
    sitter.press("1").phase("image")
    (row,) = [row for row in trials(sitter, tmp_path) if row["answered_at"]]
    assert row["cut"] == "1"
    assert float(row["shown_ms"]) < 2900


def test_a_page_that_is_hidden_from_the_start_shows_the_image_when_it_is_seen(invite):
    sitter = invite({"interval_ms": 400}, viewport=LARGE)
    page = sitter.enter().begin().page
    sitter.phase("mask")
    page.evaluate(HIDE, "hidden")
    page.wait_for_timeout(1000)
    expect(page.locator("#room")).to_have_attribute("data-phase", "mask")
    page.evaluate(HIDE, "visible")
    asked(sitter, 1)


@pytest.mark.parametrize("viewport", [LARGE, PHONE])
def test_the_room_of_staircases_is_sound_by_axe(invite, viewport):
    sitter = invite({"practice": 1, "start_ms": 1000}, viewport=viewport)
    page = sitter.enter().phase("image").page
    sound(page)
    sitter.phase("masked").page.wait_for_timeout(170)
    sound(page)
    sitter.press("5").phase("feedback")
    sound(page)
