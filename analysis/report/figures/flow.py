"""Images, readers, cases and answers that entered the study and the analysis, as in the STARD flow diagram."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.report.figures import style
from analysis.report.tables.course import IMAGES, LEFT_OUT
from analysis.report.tables.table import Pointer, find

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Flow of readers, cases and answers"


class Stage(NamedTuple):
    """A box: its words and number, the losses before it, and its parts."""

    words: str
    at: Pointer
    lost: Mapping[str, Pointer] = MappingProxyType({})
    of: Mapping[str, Pointer] = MappingProxyType({})
    rows: int = 1  # below the box above


def _classes(stage: str) -> dict[str, Pointer]:
    words = {"real": "real", "synthetic": "synthetic", "no_class": "of no class"}
    return {words[name]: (*IMAGES, stage, name) for name in words}


MOST = 144  # characters of a line across all columns
ASIDE = "left out beside them"  # not in the chain
COLUMNS = {
    "images": (
        Stage("given", (*IMAGES, "given", "all"), of=_classes("given")),
        Stage(
            "in the pool",
            (*IMAGES, "in_pool", "all"),
            lost={words: (*IMAGES, "left_out", reason, "all") for reason, words in LEFT_OUT.items()},
            of=_classes("in_pool"),
            rows=3,
        ),
        Stage(
            "kept on the desk",
            (*IMAGES, "kept", "all"),
            lost={"left out on the desk": (*IMAGES, "set_aside", "all")},
            of=_classes("kept"),
        ),
    ),
    "readers": (
        Stage("invited", ("study", "flow", "invited")),
        Stage("consented", ("study", "flow", "consented")),
        Stage("began", ("study", "flow", "began")),
        Stage("finished", ("study", "flow", "finished")),
        Stage("in the analysis", ("study", "readers")),
    ),
    "cases": (
        Stage("labelled or in the pool", ("flow", "known")),
        Stage(
            "in the analysis",
            ("study", "cases"),
            lost={"never shown, or practice": ("flow", "not_asked")},
            of={"synthetic": ("study", "synthetic"), "real": ("study", "real")},
        ),
        Stage("judged by every reader", ("flow", "judged_by_all")),
    ),
    "answers": (
        Stage("asked for", ("study", "expected")),
        Stage("in the analysis", ("study", "answers"), lost={"missing": ("limitations", "unanswered")}),
        Stage(
            ASIDE,
            ("limitations", "excluded"),
            of={
                "practice": ("study", "excluded", "training"),
                "repeated": ("study", "excluded", "repeats"),
                "earlier sittings": ("study", "excluded", "superseded"),
            },
        ),
    ),
}


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per box, and per part and loss of it, where the number is known."""
    found = []
    for column, stages in COLUMNS.items():
        for stage in stages:
            named = {f"{stage.words}: {why}": at for part in (stage.of, stage.lost) for why, at in part.items()}
            for words, at in {stage.words: stage.at, **named}.items():
                if (number := find(results, at)) is not None:
                    found.append({"what": column, "stage": words, "number": number})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        f"{'Images, readers' if find(results, IMAGES) else 'Readers'}, cases and answers, from what was planned to "
        "what is in the analysis; numbers beside an arrow were lost at that step. Answers to practice cases, to "
        "repeated cases and from earlier attempts are not among those asked for."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    shown = {
        column: [stage for stage in stages if _shown(find(results, stage.at), stage)]
        for column, stages in COLUMNS.items()
    }
    chains = {column: chain for column, chain in shown.items() if chain}
    tallest = max(1 + sum(stage.rows for stage in chain[1:]) for chain in chains.values())
    figure = style.figure(style.DOUBLE, 0.5 * tallest + 0.25)
    for axes, (column, chain) in zip(figure.subplots(1, len(chains)), chains.items(), strict=True):
        axes.set(xlim=(0, 1), ylim=(-tallest + 0.45, 0.45), title=column)
        axes.set_axis_off()
        place = 0
        for stage in chain:
            place += stage.rows if stage is not chain[0] else 0
            _box(axes, results, stage, place, MOST // len(chains))
    return figure


def _shown(number: int | None, stage: Stage) -> bool:
    return number is not None and (number > 0 or stage.words != ASIDE)


def _box(axes: Axes, results: dict[str, Any], stage: Stage, place: int, most: int) -> None:
    """Draw a box with the arrow to it; `most`: characters per line."""

    def told(parts: Mapping[str, Pointer]) -> list[str]:
        numbers = {why: find(results, at) for why, at in parts.items()}
        return [f"{number:,} {why}".replace(" ", "\u00a0") for why, number in numbers.items() if number]

    words = [
        f"{find(results, stage.at):,} {stage.words}",
        *textwrap.wrap(", ".join(told(stage.of)), most),
    ]  # parts stay whole
    box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": style.QUIET, "linewidth": 0.7}
    axes.text(0.5, -place, "\n".join(words), ha="center", va="center", fontsize=6.5, bbox=box, zorder=3)
    if place and stage.words != ASIDE:
        look = {"arrowstyle": "-|>", "color": style.QUIET, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
        above = -place + stage.rows
        axes.annotate("", (0.5, -place + 0.3), (0.5, above - 0.28), arrowprops=look, zorder=2)
        lost = "\n".join(told(stage.lost))
        axes.text(0.54, (above - place) / 2, lost, va="center", fontsize=6, color=style.QUIET)
