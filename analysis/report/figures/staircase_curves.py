"""The psychometric curve of all readers pooled, and right answers on real and on synthetic images by exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Right answers by exposure, all readers"
PARTS = {"all": style.INK, "real": style.REAL, "synthetic": style.SYNTHETIC}


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per part (all, real, synthetic) and stretch of exposures: share right, and its 95 % interval."""
    overall, found = results["overall"], []
    for part in PARTS:
        for point in overall["curve"] if part == "all" else overall["by_truth"][part]:
            low, high = point["ci"]
            row = {"cases": part, "ms": point["ms"], "answers": point["n"], "value": point["value"]}
            found.append(row | {"ci_low": low, "ci_high": high})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if results["overall"]["curve"] else "no exposure was measured"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    curve = (
        ""
        if results["overall"]["threshold_ms"]["value"] is None
        else (" Line: the curve of an average reader; dotted: its threshold, halfway up.")
    )
    return (
        "Share of right answers in ranges of exposures with about equal numbers of answers, all readers pooled, with "
        f"95 % intervals (Wilson).{curve} Right: the same answers on real and on synthetic images. Dashed: guessing."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    overall = results["overall"]
    figure = style.figure(style.DOUBLE, 2.4)
    left, right = figure.subplots(1, 2, sharey=True)
    rows = numbers(results)
    for axes, parts in ((left, ("all",)), (right, ("real", "synthetic"))):
        style.exposure_axis(axes, overall["exposures"]["least"], overall["exposures"]["most"])
        for part in parts:
            points([row for row in rows if row["cases"] == part], axes, PARTS[part], part)
        axes.axhline(overall["guess"], color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        axes.set(ylim=(-0.02, 1.02), xlabel="exposure (ms)")
        style.percent_axis(axes, "y")
        style.grid(axes, "y")
    line(overall, left, style.INK)
    left.set_ylabel("right answers")
    right.legend(loc="lower right")
    return figure


def points(rows: list[dict[str, Any]], axes: Axes, colour: str, label: str | None = None) -> None:
    """Draw shares with their intervals."""
    for row in rows:
        axes.plot([row["ms"]] * 2, [row["ci_low"], row["ci_high"]], color=colour, linewidth=0.9)
    axes.plot(
        [row["ms"] for row in rows], [row["value"] for row in rows], "o", markersize=3.5, color=colour, label=label
    )


def line(measured: dict[str, Any], axes: Axes, colour: str) -> None:
    """Draw the fitted curve over the width of the axes, and its threshold if there is one."""
    threshold, slope, lapse = (measured[name]["value"] for name in ("threshold_ms", "slope", "lapse"))
    if threshold is None:
        return
    low, high = axes.get_xlim()
    x, guess = np.geomspace(low, high, 200), measured["guess"]
    with np.errstate(over="ignore"):
        axes.plot(x, guess + (1 - guess - lapse) / (1 + (x / threshold) ** -slope), color=colour, linewidth=1.1)
    if low <= threshold <= high:
        axes.axvline(threshold, color=colour, linewidth=0.8, linestyle=(0, (1, 2)))
