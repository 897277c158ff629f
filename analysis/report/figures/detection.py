"""Sensitivity against the false-positive rate, with lines of equal d'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Sensitivity and bias"
LINES = (0, 0.5, 1, 1.5, 2, 2.5, 3)


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader, unsure left out: sensitivity, 1 - specificity with intervals, d' and criterion."""
    found = []
    for name, reader in results["readers"].items():
        hits, alarms = reader["sensitivity"]["excluded"], reader["false_positive_rate"]["excluded"]
        if hits["value"] is None or alarms["value"] is None:
            continue
        row = {"reader": name}
        for rate, estimate in (("sensitivity", hits), ("false_positive", alarms)):
            row |= {rate: estimate["value"], f"{rate}_low": estimate["ci"][0], f"{rate}_high": estimate["ci"][1]}
        found.append(row | {"dprime": reader["dprime"], "criterion": reader["criterion"]})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if numbers(results) else "no reader has both a sensitivity and a specificity"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Each reader's sensitivity against the share of real cases called synthetic, unsure answers left out, with "
        "95 % intervals (Wilson). Grey lines join points of equal d': readers on the same line tell the classes apart "
        "equally well and differ only in bias. Below the falling diagonal, a reader tends to answer “real”, above it "
        "“synthetic”."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    import numpy as np
    from scipy.special import ndtr, ndtri

    table = numbers(results)
    colours = style.group_colours(results)
    figure = style.figure(style.SINGLE, style.SINGLE)
    axes = figure.subplots()
    x = np.linspace(1e-4, 1 - 1e-4, 400)
    for dprime in LINES:
        axes.plot(x, ndtr(ndtri(x) + dprime), color=style.FAINT, linewidth=0.8, zorder=1)
        # Labels are at the left, where there are no readers.
        place = (0.04, float(ndtr(ndtri(0.04) + dprime)))
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        axes.text(*place, f"{dprime:g}", fontsize=5.5, color=style.QUIET, ha="center", va="center", bbox=box)
    axes.plot([0, 1], [1, 0], color=style.FAINT, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    few = len(table) <= 12
    for row in table:
        colour = colours[results["readers"][row["reader"]]["group"] or ""]
        across, up = row["false_positive"], row["sensitivity"]
        if few:
            span = [row["false_positive_low"], row["false_positive_high"]]
            axes.plot(span, [up, up], color=colour, linewidth=0.7, alpha=0.6)
            span = [row["sensitivity_low"], row["sensitivity_high"]]
            axes.plot([across, across], span, color=colour, linewidth=0.7, alpha=0.6)
        axes.plot(across, up, "o", markersize=4 if few else 2.5, color=colour, zorder=3)
    if few:
        _label(axes, table, [colours[results["readers"][row["reader"]]["group"] or ""] for row in table])
    style.unit_axes(axes)
    axes.grid(False)
    axes.set(xlabel="1 − specificity (real called synthetic)", ylabel="sensitivity (synthetic called synthetic)")
    return figure


def _label(axes: Any, table: list[dict[str, Any]], colours: list[str]) -> None:
    """Place names below or next to their points, from the lowest point up, clear of other names and points."""
    points = [(row["false_positive"], row["sensitivity"]) for row in table]
    placed: list[tuple[float, float]] = []
    order = sorted(range(len(table)), key=lambda i: table[i]["sensitivity"])
    for i in order:
        point = points[i]
        choices = [(0.015, -0.04), (0.015, 0.015), (-0.08, 0.015), (-0.08, -0.04), (-0.03, 0.025), (-0.03, -0.055)]
        spots = [(point[0] + across, point[1] + up) for across, up in choices]
        clear = [s for s in spots if all(abs(s[0] - x) > 0.08 or abs(s[1] - y) > 0.04 for x, y in placed)]
        others = points[:i] + points[i + 1 :]
        free = [s for s in clear if not any(-0.015 < x - s[0] < 0.08 and -0.015 < y - s[1] < 0.045 for x, y in others)]
        spot = (free or clear or spots)[0]
        placed.append(spot)
        axes.text(*spot, table[i]["reader"], fontsize=6.5, color=colours[i])
