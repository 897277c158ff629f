"""How real the images of each source looked: the ratings, and their means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Realism by source"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per source and point of the scale: its count and share, and the source's mean with its interval."""
    found = []
    for name, one in results["realism"]["by_source"].items():
        low, high = one.get("ci") or (None, None)
        for point, count in enumerate(one["counts"], start=1):
            row = {"name": name, "point": point, "count": count, "share": count / one["n"] if one["n"] else None}
            found.append(row | {"mean": one["value"], "ci_low": low, "ci_high": high})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if results["realism"]["rated"] else "no image was rated"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Left: share of the ratings of each source at each point of the scale (the highest is the most realistic). "
        "Right: mean realism with 95 % intervals, readers and images random."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows, points = numbers(results), results["realism"]["points"]
    names = list(results["realism"]["by_source"])
    figure = style.figure(style.DOUBLE, min(0.24 * len(names) + 0.95, style.TALLEST))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for y, name in enumerate(names):
        colour, start = style.REAL if y == 0 else style.SYNTHETIC, 0.0
        own = [row for row in rows if row["name"] == name]
        for row in own:
            shade = style.light(colour, 0.15 + 0.85 * (row["point"] - 1) / (points - 1))
            share = row["share"] or 0.0
            left.barh(y, share, left=start, height=0.75, color=shade, edgecolor="white", linewidth=0.4)
            if share > 0.06:
                dark = row["point"] > points / 2
                look = {"color": "white" if dark else style.INK, "fontsize": 6}
                left.text(start + share / 2, y, f"{row['point']}", ha="center", va="center", **look)
            start += share
        if own[0]["mean"] is not None:
            if own[0]["ci_low"] is not None:
                right.plot([own[0]["ci_low"], own[0]["ci_high"]], [y, y], color=colour, linewidth=1.2)
            right.plot(own[0]["mean"], y, "o", markersize=4, color=colour)
    left.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), xlabel="share of the ratings")
    left.set_yticks(range(len(names)), names)
    style.percent_axis(left)
    right.set(xlabel=f"mean realism (1 to {points})")
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    style.grid(right, "x")
    return figure
