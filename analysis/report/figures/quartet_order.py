"""Real images found along the order of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Real images found over the order"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per stretch of positions: share found and its 95 % interval."""
    found = []
    for stretch in results["order"]["stretches"]:
        low, high = stretch.get("ci") or (None, None)
        place = {"start": stretch["start"], "end": stretch["end"], "answers": stretch["n"]}
        found.append(place | {"value": stretch["value"], "ci_low": low, "ci_high": high})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if numbers(results) else "the positions of the trials in the order are unknown"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of real images found in equal sections of the order, all readers pooled, with 95 % Wilson intervals. "
        "Dashed: chance."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows, chance = [row for row in numbers(results) if row["value"] is not None], results["study"]["chance"]
    figure = style.figure(style.DOUBLE, 1.7)
    axes = figure.subplots()
    for row in rows:
        middle = (row["start"] + row["end"]) / 2
        axes.plot([row["start"], row["end"]], [row["value"]] * 2, color=style.BLUE, linewidth=1.6)
        axes.plot([middle, middle], [row["ci_low"], row["ci_high"]], color=style.BLUE, linewidth=0.9)
        axes.plot(middle, row["value"], "o", markersize=3.5, color=style.BLUE)
    axes.axhline(chance, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    highest = max([chance] + [row["ci_high"] for row in rows])
    axes.set(ylim=(0, min(1.0, highest + 0.05)), xlabel="trial", ylabel="real ones found")
    style.percent_axis(axes, "y")
    style.grid(axes, "y")
    return figure
