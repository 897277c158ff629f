"""The share of each source's images that each reader called real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Share called real, by reader and source"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader and source: the share called real and the number of images."""
    return [
        {"reader": reader, "source": source, "value": own["fooled"]["value"], "n": own["n"]}
        for reader, sources in results["sources"]["readers"].items()
        for source, own in sources.items()
    ]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return results["sources"].get("reason")


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of each source's images that a reader called real. Lines: one reader each. Diamonds: means of the "
        "readers with 95 % intervals over readers and cases."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    told = results["sources"]
    names = told["names"]
    figure = style.figure(style.SINGLE if len(names) <= 6 else style.DOUBLE, 2.6)
    axes = figure.subplots()
    for own in told["readers"].values():
        shares = [own[source]["fooled"]["value"] for source in names]
        drawn = [float("nan") if share is None else share for share in shares]
        axes.plot(range(len(names)), drawn, "o-", color=style.UNSURE, markersize=2.5, linewidth=0.7)
    for x, source in enumerate(names):
        mean = told["each"][source]["fooled"]
        if mean["value"] is None:
            continue
        colour = style.GROUPS[x % len(style.GROUPS)]
        if mean.get("ci"):
            axes.plot([x, x], mean["ci"], color=colour, linewidth=1.4, zorder=3)
        axes.plot(x, mean["value"], "D", markersize=5, color=colour, zorder=4)
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(-0.03, 1.03), ylabel="called real")
    axes.set_xticks(range(len(names)), names)
    style.grid(axes, "y")
    style.percent_axis(axes, "y")
    return figure
