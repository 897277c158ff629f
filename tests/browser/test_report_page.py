"""The report in a browser: for everyone, at every width, in light and dark; tables sort, figures enlarge."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example-report" / "report.html"


@pytest.fixture
def open_report(chromium):
    """Open the example report; close it at the end, having seen that the console stayed silent."""
    contexts, said = [], []

    def opened(**options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(EXAMPLE.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_axe_finds_nothing_and_nothing_sticks_out(open_report, width, scheme):
    page = open_report(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    for part in page.locator("details").all():
        part.evaluate("part => part.open = true")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_table_sorts_by_number_both_ways_by_keyboard(open_report):
    page = open_report()
    table = page.get_by_role("table", name=re.compile("Table 1 Readers"))
    table.get_by_role("button", name="AUC").focus()
    page.keyboard.press("Enter")
    expect(table.get_by_role("columnheader", name="AUC")).to_have_attribute("aria-sort", "ascending")
    assert table.get_by_role("rowheader").all_inner_texts() == ["EC1", "EC2", "EP3", "EC3", "EP1", "EP2"]
    page.keyboard.press("Enter")
    assert table.get_by_role("rowheader").first.inner_text() == "EP2"


def test_a_figure_enlarges_and_closes_by_keyboard(open_report):
    page = open_report()
    page.get_by_role("button", name="Enlarge: ROC curves").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img")).to_be_visible()
    expect(dialog.get_by_role("link", name="Save as SVG")).to_have_attribute("href", re.compile("^data:image/svg"))
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_numbers_of_a_figure_download(open_report):
    page = open_report(accept_downloads=True)
    with page.expect_download() as download:
        page.get_by_role("figure", name=re.compile("ROC curves")).get_by_role("link", name="Numbers (CSV)").click()
    assert download.value.path().read_text().startswith("reader,threshold,fpr,tpr")
