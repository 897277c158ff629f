"""Axe finds nothing on any page of the desk of a study that was read and closed, wide and narrow, light and dark."""

import pytest
from playwright.sync_api import expect

from quiz_app import simulation
from tests.browser import desk_pages
from tests.browser.test_desk import assert_accessible, first_password, log_in

pytestmark = pytest.mark.browser


def test_axe_finds_nothing_on_any_page_of_the_desk(own_house, new_context):
    slug = own_house.invite(groups=["Dentist"]).slug
    simulation.run(own_house.app, slug, 4, seed=3, url=own_house.server.url)
    page = new_context().new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    log_in(page, own_house.server.url, first_password(own_house.app))
    desk = f"{own_house.server.url}/researcher/studies/{slug}"
    page.goto(f"{desk}/")
    page.get_by_role("button", name="Close study").click()
    page.goto(f"{desk}/results")
    page.get_by_role("button", name="Create report").click()
    page.locator(".gallery").wait_for(timeout=120_000)
    page.goto(f"{desk}/archive")
    page.get_by_role("button", name="Create archive").click()
    page.get_by_role("link", name="Download archive").wait_for(timeout=60_000)
    paths = desk_pages.paths(own_house.app, slug)
    assert len(paths) > 20
    for path in paths.values():
        answer = page.goto(f"{own_house.server.url}{path}")
        assert answer.ok, path
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert_accessible(page)
