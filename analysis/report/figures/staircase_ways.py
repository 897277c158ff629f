"""The exposure from answer to answer, for every reader."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis.report.figures import style
from analysis.report.figures.staircase_each import COLUMNS, MOST

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "The course of the staircases"
COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE)


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per answer: reader, position, staircase, exposure in ms, right or wrong."""
    ways = list(results["staircases"].items())[:MOST]
    return [{"reader": name} | step for name, way in ways for step in way if step["position"] is not None]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if numbers(results) else "no exposure was measured, or the order of the answers is unknown"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Exposure of every image in reading order, with a colour for each of the interleaved staircases; filled: "
        "right answers, open: wrong ones. If the study uses jitter, exposures vary randomly around the staircase."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    names = list(dict.fromkeys(row["reader"] for row in rows))
    columns = min(COLUMNS, len(names))
    lines = math.ceil(len(names) / columns)
    figure = style.figure(style.DOUBLE, min(0.5 + 1.2 * lines, style.TALLEST))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    tracks = sorted({row["staircase"] for row in rows if row["staircase"] is not None})
    for axes, name in zip(grid.flat, names, strict=False):
        for step in (row for row in rows if row["reader"] == name):
            number = tracks.index(step["staircase"]) if step["staircase"] in tracks else 0
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(
                step["position"],
                step["exposure_ms"],
                "o",
                markersize=2,
                markeredgewidth=0.5,
                color=colour,
                markerfacecolor=colour if step["correct"] else "white",
            )
        axes.set_title(name)
        style.grid(axes, "y")
    figure.supxlabel("position in the order", fontsize=7)
    figure.supylabel("exposure (ms)", fontsize=7)
    return figure
