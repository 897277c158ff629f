"""How the answers are called on the reader's pages, and by which key they are given."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask_babel import LazyString, get_locale, gettext, lazy_gettext

from quiz_app.designs import DESIGNS
from quiz_app.designs.comparison import ComparisonSettings, Criterion, parsed
from quiz_app.designs.quartet import SCALE, QuartetSettings
from quiz_app.designs.rating import LEVELS
from quiz_app.languages import study_text
from quiz_app.models import Study

ANSWERS = {"real": lazy_gettext("Real"), "synthetic": lazy_gettext("Synthetic"), "unsure": lazy_gettext("Unsure")}
CERTAINTIES = {"full": lazy_gettext("fully certain"), "partial": lazy_gettext("partially certain")}


@dataclass(frozen=True)
class Choice:
    """One answer button. Its key is its level, so that a key means the same in every study."""

    key: int
    answer: str
    certainty: str | None
    label: str = ""  # the study's own words for it

    @property
    def word(self) -> LazyString | str:
        """Real, synthetic or unsure."""
        return self.label or ANSWERS[self.answer]

    @property
    def detail(self) -> LazyString | str:
        """How certain, where the study has no words of its own."""
        return CERTAINTIES[self.certainty] if self.certainty and not self.label else ""


def choices(study: Study) -> list[Choice]:
    """The answers of a study that have levels, in their order; none in a design that asks for something else."""
    said = [choice for choice in DESIGNS[study.design].choices(study.rules) if "answer" in choice]
    offered = [(choice["answer"], choice["certainty"]) for choice in said]
    own = labels(study) or [""] * len(LEVELS)
    levels = [(LEVELS[answer, certainty], str(answer), certainty) for answer, certainty in offered]
    return [Choice(level, answer, certainty, own[level - 1]) for level, answer, certainty in levels]


def labels(study: Study) -> list[str]:
    """The study's own words for the levels 1 to 5 in the reader's language; none where it keeps the usual ones."""
    lines = study_text("\n".join(study.rules.labels)).splitlines()
    return [line.strip() for line in lines if line.strip()]


def scale(study: Study) -> list[str]:
    """The words on the scale of realism, from 1 on, in the reader's language; none in a design without one."""
    rules = study.rules
    if not isinstance(rules, QuartetSettings):
        return []
    own = [line.strip() for line in study_text("\n".join(rules.scale)).splitlines() if line.strip()]
    return own or [gettext(word) for word in SCALE]


def criteria(study: Study) -> list[Criterion]:
    """The questions of a comparison, in the reader's language; none in another design."""
    rules = study.rules
    if not isinstance(rules, ComparisonSettings):
        return []
    return [replace(one, words=gettext(one.words)) for one in parsed(rules.criteria, str(get_locale()))]


@dataclass(frozen=True)
class Tool:
    """One button of the viewer: `switch` is on or off, `icon` a path on a square of 16."""

    name: str
    key: str
    words: LazyString
    icon: str
    switch: bool = False


# By the name under which a study offers them.
TOOLS: dict[str, tuple[Tool, ...]] = {
    "zoom": (
        Tool("closer", "+", lazy_gettext("Zoom in"), "M3 8h10M8 3v10"),
        Tool("farther", "-", lazy_gettext("Zoom out"), "M3 8h10"),
        Tool("fit", "0", lazy_gettext("Show the whole radiograph as it was"), "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"),
    ),
    "window": (
        Tool("window", "w", lazy_gettext("Brightness and contrast"), "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12", True),
    ),
    "invert": (Tool("invert", "i", lazy_gettext("Invert"), "M2 2h12v12H2zM2 14 14 2M5 14 14 5M9 14l5-5", True),),
    "magnifier": (Tool("lens", "m", lazy_gettext("Magnifier"), "M7 2a5 5 0 1 0 .01 0M10.5 10.5 14 14", True),),
    "fullscreen": (Tool("full", "f", lazy_gettext("Full screen"), "M2 3h12v10H2zM5 6h6v4H5z"),),
}


def tools(study: Study) -> list[Tool]:
    """The viewer's buttons that a study offers. Without zoom, brightness and contrast still have their way back."""
    offered = [tool for name, some in TOOLS.items() if name in study.rules.tools for tool in some]
    return offered if "zoom" in study.rules.tools or not offered else [TOOLS["zoom"][2], *offered]
