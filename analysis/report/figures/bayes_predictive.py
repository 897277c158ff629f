"""The answers of each reader and those predicted by the Bayesian model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Observed answers and answers predicted by the model"
MOST, ACROSS = 12, 3
SIDES = {"real": (style.REAL, "s", -0.16), "synthetic": (style.SYNTHETIC, "o", 0.16)}


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader, class and level: how often it was given, and the 95 % interval of drawn studies."""
    found = results["bayes"]["predictive"]
    return [
        {"reader": line["reader"], "truth": line["truth"], "level": level, "given": count, "low": low, "high": high}
        for line in found["levels"]
        for level, count, low, high in zip(found["used"], line["counts"], line["low"], line["high"], strict=True)
    ]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return results["bayes"]["reason"]


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    names = results["bayes"]["readers"]
    first = f" The first {MOST} of {len(names)} readers." if len(names) > MOST else ""
    return (
        "How often each reader gave each level, 1 surely real to 5 surely synthetic, to real (blue squares) and to "
        f"synthetic images (red circles). Bars: 95 % of {results['bayes']['predictive']['studies']} studies drawn from "
        f"the fitted model.{first}"
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows, names = numbers(results), list(results["bayes"]["readers"])[:MOST]
    down = math.ceil(len(names) / ACROSS)
    figure = style.figure(style.DOUBLE, min(1.35 * down + 0.4, style.TALLEST))
    panels = figure.subplots(down, ACROSS, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        for row in (row for row in rows if row["reader"] == name):
            colour, marker, shift = SIDES[row["truth"]]
            x = row["level"] + shift
            axes.plot([x, x], [row["low"], row["high"]], color=style.light(colour), linewidth=4, zorder=1)
            axes.plot(x, row["given"], marker, color=colour, markersize=3.5, zorder=2)
        axes.set_title(name, loc="left")
        style.grid(axes, "y")
        axes.set_xticks(results["bayes"]["levels"])
        axes.tick_params(labelbottom=True)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("level", fontsize=7)
    figure.supylabel("answers", fontsize=7)
    return figure
