"""The last page: the completion code is copied, and the card is drawn and downloaded."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def finished(sit, house):
    """A reader at the last page of a study with these settings."""

    def make(width=1280, **settings):
        invitation = house.invite(cases=2, limit_s=0, **settings)
        sitter = sit(
            invitation, viewport={"width": width, "height": 844}, permissions=["clipboard-read", "clipboard-write"]
        )
        sitter.enter().begin().finish()
        return sitter.page

    return make


@pytest.mark.parametrize("width", [1440, 390])
def test_the_card_is_drawn_and_downloaded_as_a_picture(finished, width):
    page = finished(width, result="at once")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download card (PNG)").click()
    assert download.value.suggested_filename.endswith(".png")
    card = Image.open(download.value.path()).convert("RGB")
    assert card.size == (1200, 630)
    # The title, a line of its own colour for what was judged, and the wordmark at the foot.
    seen = {
        name: any(near(pixel, colour) for pixel in card.crop(box).get_flattened_data()) for name, box, colour in PARTS
    }
    assert seen == {name: True for name, _, _ in PARTS}
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


PARTS = [
    ("title", (80, 100, 1120, 190), (231, 234, 237)),
    ("judged", (80, 200, 1120, 280), (140, 200, 220)),
    ("result", (80, 280, 1120, 340), (165, 175, 185)),
    ("wordmark", (80, 500, 320, 570), (43, 138, 166)),
]


def near(pixel, colour):
    return all(abs(a - b) < 12 for a, b in zip(pixel, colour, strict=True))


def test_the_completion_code_is_copied_and_the_way_back_names_its_host(finished):
    page = finished(completion_code="C1A2B3", return_address="https://panel.example/done?cc={code}")
    page.get_by_role("button", name="Copy code").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "C1A2B3"
    back = page.get_by_role("link", name="Go back to panel.example")
    assert back.get_attribute("href") == "https://panel.example/done?cc=C1A2B3"
    assert Axe().run(page).response["violations"] == []
