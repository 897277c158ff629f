"""Accuracy along the reading order, with the breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Accuracy over the reading order"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per stretch of positions: accuracy with equal weight for both classes, and its 95 % interval."""
    found = []
    for stretch in results["order"]["stretches"]:
        low, high = stretch["accuracy"].get("ci") or (None, None)
        place = {"start": stretch["start"], "end": stretch["end"], "answers": stretch["n"]}
        found.append(place | {"accuracy": stretch["accuracy"]["value"], "ci_low": low, "ci_high": high})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if numbers(results) else "the positions of the cases in the reading order are unknown"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    breaks = " Dotted: breaks offered." if results["order"]["breaks"] else ""
    return (
        "Accuracy in equal sections of the reading order, with equal weight for real and synthetic cases, all readers "
        f"pooled, with 95 % intervals over answers (unsure answers: {results['settings']['unsure']}).{breaks} Dashed: "
        "chance."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = [row for row in numbers(results) if row["accuracy"] is not None]
    figure = style.figure(style.DOUBLE, 1.9)
    axes = figure.subplots()
    for row in rows:
        middle = (row["start"] + row["end"]) / 2
        axes.plot([row["start"], row["end"]], [row["accuracy"]] * 2, color=style.BLUE, linewidth=1.6)
        if row["ci_low"] is not None:
            axes.plot([middle, middle], [row["ci_low"], row["ci_high"]], color=style.BLUE, linewidth=0.9)
        axes.plot(middle, row["accuracy"], "o", markersize=3.5, color=style.BLUE)
    for place in results["order"]["breaks"]:
        axes.axvline(place + 0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.axhline(0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    lowest = min([0.4] + [row["ci_low"] - 0.05 for row in rows if row["ci_low"] is not None])
    axes.set(ylim=(max(lowest, 0), 1.0), xlabel="position in the reading order", ylabel="accuracy")
    style.percent_axis(axes, "y")
    style.grid(axes, "y")
    return figure
