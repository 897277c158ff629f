"""The page that fetches from a hospital's archive: search, fetch, progress, interruption, resume, wrong password."""

import re

import pytest
from playwright.sync_api import expect

from tests import orthanc
from tests.browser.test_desk import assert_accessible, drop, first_password, log_in, shot
from tests.uploads import encoded

pytestmark = pytest.mark.browser
STUDIES = [("Panoramic adult", 5), ("Panoramic child", 2), ("OPG", 1)]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with orthanc.archive(tmp_path_factory.mktemp("orthanc")) as url:
        for number, (description, images) in enumerate(STUDIES):
            fields = {"Modality": "PX", "StudyDate": "20240105", "StudyDescription": description}
            orthanc.store_study(url, number, images, **fields)
        yield url


@pytest.fixture
def line(address):
    line = orthanc.Line(address)
    yield line
    line.cut()


def restarted(house, **settings):
    """The server, with these settings of the archive."""
    house.server.kill()
    house.server.environment |= {f"DISCERN_PACS_{name.upper()}": value for name, value in settings.items()}
    house.server.start()


def looked_at(page, name, width):
    """Axe has nothing to say, nothing sticks out sideways, and there is a picture to look at."""
    assert_accessible(page)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shot(page, f"pacs-{name}-{width}")


@pytest.mark.parametrize("width", [1440, 390])
def test_images_are_searched_for_fetched_over_a_line_that_breaks_and_become_a_pool(own_house, new_context, line, width):
    page = new_context().new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.on("dialog", lambda dialog: dialog.accept())
    log_in(page, own_house.server.url, first_password(own_house.app))
    page.get_by_role("link", name="Pools").click()
    page.get_by_role("link", name="Fetch from an archive (PACS)").click()
    expect(page.get_by_text("Set pacs_url in settings.toml, or DISCERN_PACS_URL, to the DICOMweb")).to_be_visible()
    expect(page.get_by_role("button", name="Search")).to_have_count(0)
    looked_at(page, "unset", width)

    restarted(own_house, url=line.address, user="reader", password="a guess")
    page.reload()
    page.get_by_label("Studies from").fill("2024-01-01")
    page.get_by_label("Study description contains").fill("panoramic")
    looked_at(page, "search", width)
    page.get_by_role("button", name="Search").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The archive refused the user, password or token (HTTP 401)", timeout=60_000)
    expect(alert).to_contain_text("The search is not complete.")
    looked_at(page, "wrong-password", width)
    assert "a guess" not in page.content()
    assert str(line.port) not in page.content()

    restarted(own_house, password="secret")
    page.get_by_role("button", name="Search again").click()
    expect(page.get_by_text("7 images in 2 studies.")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("row", name="panoramic adult 1 5")).to_be_visible()
    expect(page.get_by_label("Images to fetch")).to_have_value("7")
    looked_at(page, "found", width)
    page.get_by_label("Images to fetch").fill("8")
    page.locator("form.wide").evaluate("form => (form.noValidate = true)")
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(alert).to_contain_text("limit: '8' is not a whole number from 1 to 7")
    for label, value in (("Images", "6"), ("Practice cases", "2"), ("Width", "128"), ("Height", "64")):
        page.get_by_label(label).fill(value)
    line.delay = 3  # so that somebody can watch
    page.get_by_role("button", name="Fetch", exact=True).click()

    fetched = re.compile(r"^[1-4] of 6 images fetched$")
    expect(page.get_by_role("status")).to_have_text(fetched, timeout=60_000)
    line.delay = 20
    assert 0 < page.get_by_role("progressbar").evaluate("bar => bar.value") < 0.6
    looked_at(page, "fetching", width)
    line.cut()
    expect(alert).to_contain_text("The archive cannot be reached", timeout=60_000)
    expect(alert).to_have_text(re.compile(r"[1-5] of 6 images have been fetched. They will not be fetched again."))
    looked_at(page, "interrupted", width)

    page.goto(f"{own_house.server.url}/researcher/pacs")  # days later
    page.get_by_role("link", name="PX, 20240101–, “panoramic”").click()
    line.mend()
    line.delay = 1
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause").click()
    expect(alert).to_contain_text("Paused.", timeout=60_000)
    line.delay = 0
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", name="Images found")).to_be_visible(timeout=60_000)
    drop(page, {f"{number}.png": encoded(50 + number, "PNG") for number in range(6)})
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("group", name="Files outside folders")).to_be_visible(timeout=60_000)
    page.get_by_role("group", name="panoramic adult").get_by_label("Real").check()
    page.get_by_role("group", name="panoramic child").get_by_label("Real").check()
    page.get_by_role("group", name="Files outside folders").get_by_label("Synthetic").check()
    looked_at(page, "survey", width)
    page.get_by_role("button", name="Create pool").click()
    expect(page.get_by_text("The pool is ready")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("5 cases of each class and 2 for practice")).to_be_visible()
    looked_at(page, "pool", width)
