"""The clock: it starts with the painted image, survives reloads, and ends to the frame."""

import pytest
from playwright.sync_api import expect

from tests.browser.watching import phases, waits, watch

pytestmark = pytest.mark.browser


@pytest.mark.alone
def test_the_image_goes_within_fifty_milliseconds_of_its_deadline(sitter):
    sitter = sitter(limit_s=1)
    watch(sitter.page)
    sitter.enter().begin()
    for position in range(1, 5):
        sitter.see(position).phase("late")
        assert sitter.page.locator("#image").is_hidden()
        sitter.press("1")
    times = phases(sitter.page)
    shown = [at for phase, at in times if phase == "image"][:4]
    gone = [at for phase, at in times if phase == "late"]
    # The best of four: a busy machine may hold up any one frame, a wrong clock holds up all.
    assert min(abs(end - start - 1000) for start, end in zip(shown, gone, strict=True)) <= 50


def test_where_the_study_keeps_the_image_it_stays_after_the_time_and_after_a_reload(sitter):
    sitter = sitter(limit_s=1, cases=2, at_timeout="keep").enter().begin().see(1)
    told = sitter.page.get_by_role("status").filter(has_text="Time is up. Please answer now.")
    for _ in range(2):
        expect(told).to_be_visible()
        sitter.see(1)
        assert sitter.page.locator("#image").is_visible()
        assert not sitter.page.locator("#late").is_visible()
        sitter.page.reload()
    expect(told).to_be_visible()
    sitter.see(1).press("4").see(2).press("2").ended()
    rows = sitter.invitation.scored()
    assert [(row["level"], row["late"]) for row in rows] == [("4", "1"), ("2", "0")]


@pytest.mark.alone
def test_the_mask_stands_for_the_interval_and_then_the_image_comes(sitter):
    sitter = sitter(interval_ms=400)
    watch(sitter.page)
    sitter.enter().begin()
    for position in range(1, 6):
        sitter.see(position).press("1")
    sitter.see(6)
    waited = waits(phases(sitter.page))
    assert all(wait >= 400 for wait in waited)
    assert min(waited) < 500


def test_reloads_at_one_and_at_eleven_seconds_give_no_time(sitter):
    sitter = sitter(limit_s=12)
    sitter.enter().begin().see(1)
    page = sitter.page
    page.wait_for_timeout(900)
    page.reload()
    sitter.see(1)
    assert int(page.locator("#seconds").text_content()) <= 11
    page.wait_for_timeout(9500)
    page.reload()
    sitter.phase("late", timeout=3000).page.wait_for_timeout(160)
    sitter.press("5")
    sitter.see(2).press("5").see(3)
    first, second = sitter.invitation.rows()
    assert first["late"] == "1"
    assert 12_000 <= int(first["response_ms"]) < 15_000
    assert second["late"] == "0"


def test_a_study_without_a_limit_shows_no_clock(sitter):
    sitter = sitter(limit_s=0, cases=2).enter().begin().see(1)
    assert not sitter.page.locator("#time").is_visible()
    sitter.finish(1)
    assert {row["late"] for row in sitter.invitation.scored()} == {"0"}


def test_a_browser_whose_clock_is_set_to_1970_takes_the_study_as_any_other(sitter):
    sitter = sitter(cases=2, limit_s=3)
    sitter.page.clock.set_system_time(0)
    sitter.enter().begin().see(1).phase("late").page.wait_for_timeout(160)
    sitter.press("2").see(2).press("2").ended()
    first, second = sitter.invitation.scored()
    assert (first["late"], second["late"]) == ("1", "0")
    assert int(first["response_ms"]) >= 3000
    assert first["answered_at"] > "2026"
