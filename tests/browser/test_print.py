"""Printing: links to be cut apart, two side by side and none split across pages, and no controls."""

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.test_desk import first_password, log_in

pytestmark = pytest.mark.browser


def test_links_print_in_two_columns_each_whole_and_with_nothing_to_press(house, new_context, tmp_path):
    slug = house.invite().slug
    page = new_context().new_page()
    log_in(page, house.server.url, first_password(house.app))
    page.goto(f"{house.server.url}/researcher/studies/{slug}/readers")
    names = [f"PRINTED-{number:02d}" for number in range(25)]
    page.get_by_label("Pseudonyms").fill(" ".join(names))
    page.get_by_role("button", name="Create links").click()
    expect(page.get_by_role("heading", name="Links")).to_be_visible()
    links = page.locator("code.link").all_text_contents()
    page.emulate_media(media="print")
    assert page.locator("button:visible, .button:visible, nav:visible, .notice:visible, summary:visible").count() == 0
    page.pdf(path=tmp_path / "links.pdf", prefer_css_page_size=True)
    sheets = [sheet.extract_text() for sheet in PdfReader(tmp_path / "links.pdf").pages]
    assert len(sheets) in (2, 3)  # one below the other they would take five
    bare = ["".join(sheet.split()) for sheet in sheets]
    for name, link in zip(names, links, strict=True):
        assert [name in sheet for sheet in bare] == [link in sheet for sheet in bare]
        assert sum(link in sheet for sheet in bare) == 1


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_page_of_a_reader_prints_dark_on_white_in_either_theme(house, new_context, theme):
    page = new_context().new_page()
    page.goto(house.invite().link)
    if theme == "light":
        page.keyboard.press("t")
    page.emulate_media(media="print")
    colours = "[document.documentElement, document.querySelector('.card')].map((one) => getComputedStyle(one))"
    told = page.evaluate(f"{colours}.map((style) => [style.backgroundColor, style.color])")
    assert told == [["rgb(255, 255, 255)", "rgb(0, 0, 0)"]] * 2
    expect(page.locator("#theme")).to_be_hidden()
