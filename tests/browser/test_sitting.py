"""A study from the link to the last page, as a reader takes it."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_study_by_keyboard_alone_with_a_reload_and_a_time_out_is_in_the_export(sitter):
    sitter = sitter(limit_s=3, practice=3, groups=["dentist", "radiologist"], ask_years=True, break_every=5, break_s=1)
    page, keys = sitter.page, sitter.page.keyboard
    page.goto(sitter.invitation.link)
    for key in ("Tab", "Tab", "Space", "Tab", "Enter"):  # past the theme, consent
        keys.press(key)
    expect(page.get_by_role("heading", name="About you")).to_be_visible()
    for key in ("Tab", "Tab", "ArrowDown", "Tab", "7", "Enter"):  # the second group, seven years
        keys.press(key)
    expect(page.get_by_role("heading", name="How it works")).to_be_visible()
    for key in ("Tab", "Tab", "Enter"):
        keys.press(key)
    for _ in range(3):
        sitter.phase("image")
        page.wait_for_timeout(160)
        sitter.press("5")
        expect(page.get_by_role("heading", name="Practice")).to_be_visible()
        page.wait_for_timeout(160)
        keys.press("Enter")
    sitter.phase("begin")
    page.wait_for_timeout(160)
    keys.press("Enter")
    given = []
    for position in range(1, 13):
        sitter.see(position)
        if position == 4:
            page.reload()
            sitter.see(position)
        if position == 8:
            sitter.phase("late")
            assert page.locator("#image").is_hidden()
            page.wait_for_timeout(160)
        given.append(str(1 + position % 5))
        sitter.press(given[-1])
        if position in (5, 10):
            sitter.phase("break")
            page.wait_for_timeout(160)
            keys.press("Enter")
    sitter.ended()
    rows = sitter.invitation.rows()
    assert len(rows) == 15
    assert {row["reader_group"] for row in rows} == {"radiologist"}
    scored = [row for row in rows if row["is_training"] == "0"]
    assert [row["level"] for row in scored] == given
    assert [row["late"] for row in scored] == ["1" if position == 8 else "0" for position in range(1, 13)]
    assert all(int(row["client_ms"]) >= 150 for row in scored)
    assert int(scored[7]["client_ms"]) >= 3000
    assert all(abs(int(row["response_ms"]) - int(row["client_ms"])) < 500 for row in scored if row["position"] != "4")


def test_a_reader_pauses_by_key_and_goes_on(sitter):
    sitter = sitter(limit_s=2, cases=4).enter().begin()
    sitter.see(1)
    sitter.page.keyboard.press("p")
    sitter.press("1").phase("pause")
    expect(sitter.page.get_by_text("1 of 4 done")).to_be_visible()
    assert len(sitter.invitation.rows()) == 1
    sitter.page.wait_for_timeout(2500)
    sitter.page.keyboard.press("Enter")
    sitter.finish(2)
    assert {row["late"] for row in sitter.invitation.rows()} == {"0"}
