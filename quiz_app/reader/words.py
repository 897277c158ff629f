"""The names of the viewer's tools on the reader's pages, and their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import LazyString, gettext, lazy_gettext

from quiz_app.models import Study


@dataclass(frozen=True)
class Tool:
    """One button of the viewer: `switch` = it toggles, `icon` = a path on a square of 16."""

    name: str
    key: str
    words: LazyString
    icon: str
    switch: bool = False


# By the name used in a study's settings.
TOOLS: dict[str, tuple[Tool, ...]] = {
    "zoom": (
        Tool("closer", "+", lazy_gettext("Zoom in"), "M3 8h10M8 3v10"),
        Tool("farther", "-", lazy_gettext("Zoom out"), "M3 8h10"),
        Tool("fit", "0", lazy_gettext("Reset the view"), "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"),
    ),
    "window": (
        Tool("window", "w", lazy_gettext("Brightness and contrast"), "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12", True),
    ),
    "invert": (Tool("invert", "i", lazy_gettext("Invert"), "M2 2h12v12H2zM2 14 14 2M5 14 14 5M9 14l5-5", True),),
    "magnifier": (Tool("lens", "m", lazy_gettext("Magnifier"), "M7 2a5 5 0 1 0 .01 0M10.5 10.5 14 14", True),),
    "fullscreen": (Tool("full", "f", lazy_gettext("Full screen"), "M2 3h12v10H2zM5 6h6v4H5z"),),
}


def reasons(study: Study) -> list[tuple[str, str]]:
    """The reasons for marks as stored, each with its wording in the reader's language."""
    return [(reason, gettext(reason)) for reason in study.rules.reasons]


def tools(names: Sequence[str]) -> list[Tool]:
    """The buttons of the tools with these names. Even without zoom, brightness and contrast can be reset."""
    offered = [tool for name, some in TOOLS.items() if name in names for tool in some]
    return offered if "zoom" in names or not offered else [TOOLS["zoom"][2], *offered]
