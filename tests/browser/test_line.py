"""A bad line, a killed server, two windows, a held key: one answer a trial, and honest times."""

import time

import pytest
from playwright.sync_api import expect

from quiz_app.database import db
from quiz_app.study import lifecycle
from tests.browser.conftest import KEPT

pytestmark = pytest.mark.browser


def test_a_line_dead_for_thirty_seconds_loses_nothing_and_costs_no_time(sitter):
    sitter = sitter(cases=4).enter().begin()
    sitter.see(1).press("1").see(2)
    sitter.page.context.set_offline(True)
    sitter.press("2").phase("mask")
    expect(sitter.page.get_by_text("Waiting for the network; your answer is stored on this device")).to_be_visible()
    sitter.page.wait_for_timeout(30_000)
    sitter.phase("mask")
    assert len(sitter.invitation.rows()) == 1
    sitter.page.context.set_offline(False)
    sitter.see(3)
    expect(sitter.page.get_by_text("Saved", exact=True)).to_be_visible()
    rows = sitter.finish(3, key="4").invitation.scored()
    assert [row["level"] for row in rows] == ["1", "2", "4", "4"]
    assert int(rows[1]["client_ms"]) < 20_000
    assert int(rows[1]["response_ms"]) > 30_000
    assert [row["late"] for row in rows] == ["0", "1", "0", "0"]


def test_an_answer_outlives_a_reload_while_the_server_is_away(own_house, sit):
    sitter = sit(own_house.invite(cases=4)).enter().begin()
    sitter.see(1).press("1").see(2)
    own_house.server.kill()
    sitter.press("5")
    expect(sitter.page.get_by_text("Waiting for the network; your answer is stored on this device")).to_be_visible()
    kept = sitter.page.evaluate(KEPT)
    own_house.server.start()
    sitter.page.reload()
    rows = sitter.finish(3).invitation.scored()
    assert rows[1]["level"] == "5"
    assert [row["level"] for row in rows] == ["1", "5", "1", "1"]
    assert '"answer":"synthetic"' in kept[0][1]
    assert sitter.page.evaluate(KEPT) == []


def test_a_browser_without_room_for_answers_still_brings_them(sitter):
    sitter = sitter(cases=2)
    sitter.page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceeded') }")
    rows = sitter.enter().begin().finish(1, key="4").invitation.scored()
    assert [row["level"] for row in rows] == ["4", "4"]


def test_a_server_killed_and_started_again_is_waited_for_at_the_mask(own_house, sit):
    sitter = sit(own_house.invite(cases=4)).enter().begin()
    sitter.see(1)
    own_house.server.kill()
    sitter.press("4").phase("mask")
    sitter.page.wait_for_timeout(3000)
    own_house.server.start()
    rows = sitter.finish(2).invitation.scored()
    assert rows[0]["level"] == "4"
    assert {row["late"] for row in rows[1:]} == {"0"}


def test_with_every_third_request_failing_there_is_one_answer_a_trial(sitter):
    sitter = sitter(practice=1, cases=8)
    count = 0

    def fail(route):
        nonlocal count
        count += 1
        if count % 3:
            route.continue_()
        else:
            if count % 2:
                route.fetch()  # the server hears it, its answer is lost
            route.abort()

    sitter.enter()
    sitter.phase("image").page.wait_for_timeout(160)
    sitter.page.route(
        "**/r/**", lambda route: fail(route) if route.request.resource_type == "fetch" else route.continue_()
    )
    sitter.press("1").phase("feedback").page.wait_for_timeout(160)
    sitter.press("Enter").begin()
    sitter.finish(key="2")
    assert count > 20
    assert {row["level"] for row in sitter.invitation.scored()} == {"2"}


def test_an_image_that_cannot_be_fetched_or_decoded_is_told_once_a_trial_and_had_in_the_end(sitter):
    sitter = sitter(cases=2).enter().begin().see(1)
    page, tries = sitter.page, 0

    def spoil(route):
        nonlocal tries
        tries += 1
        if tries == 1:
            route.abort()
        elif tries < 4:
            route.fulfill(body=b"no image")
        else:
            route.continue_()

    page.route("**/images/*", spoil)
    page.route("**/sealed/*", lambda route: route.abort())
    page.reload()
    sitter.see(1).press("1")
    rows = sitter.finish(2).invitation.scored()
    assert [row["level"] for row in rows] == ["1", "1"]
    failures = sitter.invitation.events("image-failed")
    assert tries >= 4
    assert failures[0]["reason"] == "not-fetched"
    assert len(failures) == len({failure["trial"] for failure in failures}) == 1


def test_of_two_windows_and_two_devices_the_newest_goes_on_and_the_others_say_so(sitter, sit):
    first = sitter(limit_s=60, cases=4).enter().begin().see(1)
    window = first.page.context.new_page()
    window.goto(first.invitation.link)
    first.phase("elsewhere")
    expect(first.page.get_by_role("heading", name="The study is open in another window")).to_be_visible()
    device = sit(first.invitation)
    device.page.goto(first.invitation.link)
    device.see(1).press("3").see(2)
    window.keyboard.press("1")
    expect(window.locator("#room")).to_have_attribute("data-phase", "elsewhere")
    assert [row["level"] for row in first.invitation.rows()] == ["3"]
    first.press("Enter").see(2).press("5").see(3)
    device.press("1").phase("elsewhere")
    first.finish(3)
    assert [row["level"] for row in first.invitation.scored()] == ["3", "5", "1", "1"]


def test_a_held_key_answers_once(sitter):
    sitter = sitter(interval_ms=0).enter().begin().see(1)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        sitter.page.keyboard.down("1")
        sitter.page.wait_for_timeout(30)
    sitter.page.keyboard.up("1")
    assert len(sitter.invitation.rows()) == 1


def test_enter_held_on_an_answer_button_answers_once(sitter):
    sitter = sitter(interval_ms=0).enter().begin().see(1)
    sitter.page.get_by_role("button", name="Real fully certain").focus()
    for _ in range(50):
        sitter.page.keyboard.down("Enter")
        sitter.page.wait_for_timeout(30)
    assert len(sitter.invitation.rows()) == 1


def test_a_double_click_answers_once_however_slow(sitter):
    sitter = sitter(interval_ms=0).enter().begin().see(1)
    button = sitter.page.get_by_role("button", name="Synthetic fully certain")
    box = button.bounding_box()
    mouse = sitter.page.mouse
    mouse.click(box["x"] + 20, box["y"] + 20)
    mouse.click(box["x"] + 20, box["y"] + 20)
    sitter.see(2)
    mouse.down(click_count=2)
    mouse.up(click_count=2)
    sitter.page.wait_for_timeout(500)
    assert len(sitter.invitation.rows()) == 1


def test_a_press_in_the_first_moments_answers_nothing(sitter):
    sitter = sitter(interval_ms=0)
    sitter.page.add_init_script(
        """addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
          if (document.getElementById("room").dataset.phase !== "image") return;
          for (const wait of [0, 60, 120]) setTimeout(() => {
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "1", bubbles: true }));
            document.querySelector("#answers button").click();
          }, wait);
        }).observe(document, { subtree: true, attributeFilter: ["data-phase"] }));"""
    )
    sitter.enter().begin().see(1).page.wait_for_timeout(500)
    assert sitter.invitation.rows() == []
    sitter.press("4").see(2)
    assert [row["level"] for row in sitter.invitation.rows()] == ["4"]


def test_keys_ahead_carry_a_reader_through_a_dead_line_up_to_the_next_break(sitter):
    sitter = sitter(limit_s=4, keys_ahead=3, break_every=4, break_s=1).enter().begin()
    sitter.see(1).page.wait_for_timeout(500)
    sitter.page.context.set_offline(True)
    for position in (1, 2, 3, 4):
        sitter.see(position).press("2")
    sitter.page.wait_for_timeout(3000)
    sitter.phase("mask")  # the break is the server's
    assert sitter.invitation.rows() == []
    sitter.page.context.set_offline(False)
    sitter.phase("break").page.wait_for_timeout(160)
    rows = sitter.invitation.rows()
    assert [row["level"] for row in rows] == ["2"] * 4
    assert [bool(row["onset_at"]) for row in rows] == [True, False, False, False]
    assert all(row["client_ms"] and not row["response_ms"] for row in rows[1:])
    assert [row["late"] for row in rows] == ["1", "0", "0", "0"]


def test_a_study_closed_in_the_middle_says_so_and_takes_the_kept_answer_when_it_is_opened_again(sitter):
    sitter = sitter(cases=4).enter().begin().see(1)
    house = sitter.invitation.house

    def change(deed, *given):
        with house.app.app_context():
            deed(lifecycle.find(sitter.invitation.slug), *given)
            db.session.commit()
            db.session.remove()

    change(lifecycle.close)
    sitter.press("1").phase("refused")
    expect(sitter.page.get_by_text("This study is closed. It no longer takes answers.")).to_be_visible()
    assert sitter.invitation.rows() == []
    assert sitter.invitation.events("refused")[-1]["code"] == "study-closed"
    change(lifecycle.reopen, "closed too early")
    sitter.page.wait_for_timeout(160)
    sitter.page.get_by_role("button", name="Try again").click()
    sitter.see(2)
    assert [row["level"] for row in sitter.invitation.rows()] == ["1"]
