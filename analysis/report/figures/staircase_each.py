"""The psychometric curve of every reader."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis.report.figures import staircase_curves, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Right answers by exposure, by reader"
MOST = 24  # readers that fit on a page
COLUMNS = 4


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader and stretch of exposures: share right, and its 95 % interval."""
    found = []
    for name, reader in list(results["readers"].items())[:MOST]:
        for point in reader["curve"]:
            row = {"reader": name, "ms": point["ms"], "answers": point["n"], "value": point["value"]}
            found.append(row | dict(zip(("ci_low", "ci_high"), point["ci"], strict=True)))
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if numbers(results) else "no exposure was measured"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    left_out = len(results["readers"]) - MOST
    more = f" The first {MOST} readers are drawn." if left_out > 0 else ""
    return (
        "Share of right answers in ranges of each reader's exposures, with 95 % intervals (Wilson), the curve fitted "
        f"to the single answers, and its threshold (dotted).{more} Dashed: guessing."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows, shown = numbers(results), results["overall"]["exposures"]
    names = list(dict.fromkeys(row["reader"] for row in rows))
    columns = min(COLUMNS, len(names))
    lines = math.ceil(len(names) / columns)
    figure = style.figure(style.DOUBLE, min(0.5 + 1.35 * lines, style.TALLEST))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    groups = style.group_colours(results)
    for axes in grid.flat[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(grid.flat, names, strict=False):
        reader = results["readers"][name]
        colour = groups.get(reader["group"] or "", style.BLUE)
        style.exposure_axis(axes, shown["least"], shown["most"])
        staircase_curves.points([row for row in rows if row["reader"] == name], axes, colour)
        staircase_curves.line(reader, axes, colour)
        axes.axhline(reader["guess"], color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        axes.set(ylim=(-0.02, 1.02))
        axes.set_title(name)
        style.percent_axis(axes, "y")
    figure.supxlabel("exposure (ms)", fontsize=7)
    figure.supylabel("right answers", fontsize=7)
    return figure
