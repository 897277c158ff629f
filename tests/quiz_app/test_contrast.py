"""Every theme of tokens.css is read by everyone: contrasts after WCAG 2.2 (1.4.3 and 1.4.11), from its variables."""

import re

import pytest

from quiz_app.paths import beside

THEMES = {"dark": ":root, .viewing", "light": ':root[data-theme="light"]', "desk": ":root.desk"}
GROUNDS = ("ground", "surface", "raised")
# WCAG asks 4.5 of text and 3 of what outlines a control or shows where the focus is.
LEAST = {"text": 7, "quiet": 4.5, "accent": 4.5, "good": 4.5, "warn": 4.5, "bad": 4.5, "edge": 3, "focus": 3}


def colours(theme):
    """The colours of a theme by name, from tokens.css."""
    sheet = (beside("static") / "tokens.css").read_text("utf-8")
    rules = sheet.partition(f"{THEMES[theme]} {{")[2].partition("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", rules))


def luminance(colour):
    """Relative luminance, 0 to 1, after WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """1 (the same) to 21 (black on white)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrasts_are_those_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the known example that just fails


@pytest.mark.parametrize("theme", THEMES)
def test_text_and_outlines_stand_out_on_every_ground(theme):
    found = colours(theme)
    poor = [
        f"{name} on {ground}: {contrast(found[name], found[ground]):.2f}, {least} is asked"
        for name, least in LEAST.items()
        for ground in GROUNDS
        if contrast(found[name], found[ground]) < least
    ]
    assert poor == []
    assert contrast(found["on-accent"], found["accent"]) >= 4.5


def test_every_theme_names_every_colour():
    assert set(colours("dark")) == set(colours("light")) == set(colours("desk"))


def test_the_light_theme_is_grey_and_not_white():
    found = colours("light")
    for ground in GROUNDS:
        parts = [int(found[ground][at : at + 2], 16) for at in (1, 3, 5)]
        assert max(parts) - min(parts) <= 4
        assert max(parts) < 250
