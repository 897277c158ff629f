"""The threshold of each reader, each group and all together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Thresholds, by reader"
MOST = 120  # readers; the lines of more cannot be distinguished


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per line: threshold in ms and 95 % interval; open limits are empty."""
    lines = [("reader", name, r["threshold_ms"], r["group"]) for name, r in results["readers"].items() if r["n"]]
    lines = sorted(lines, key=lambda line: line[3] or "") if len(lines) <= MOST else []
    lines += [("group", f"group {name}", g["threshold_ms"], name) for name, g in results["groups"]["members"].items()]
    lines.append(("overall", "all readers", results["overall"]["threshold_ms"], None))
    found = []
    for kind, name, estimate, group in lines:
        low, high = estimate.get("ci") or (None, None)
        row = {"kind": kind, "name": name, "value": estimate["value"], "ci_low": low, "ci_high": high}
        found.append(row | {"group": group or ""})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if any(row["value"] is not None for row in numbers(results)) else "there is no threshold"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    drawn = any(row["kind"] == "reader" for row in numbers(results))
    readers = "Single readers: intervals over answers." if drawn else "There are too many readers to draw."
    return (
        "Exposure at which readers are halfway between guessing and always being right, with 95 % intervals; lines "
        f"that run off the edge are open. {readers} Groups and all readers: readers random."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    groups = style.group_colours(results)
    figure = style.figure(style.DOUBLE, min(max(1.5, 0.17 * len(rows) + 0.6), style.TALLEST))
    axes = figure.subplots()
    shown = results["overall"]["exposures"]
    left, right = style.exposure_axis(axes, shown["least"], shown["most"])
    for y, row in enumerate(rows):
        colour = style.INK if row["kind"] == "overall" else groups.get(row["group"], style.BLUE)
        if row["value"] is None:
            axes.text((left * right) ** 0.5, y, "not defined", ha="center", va="center", fontsize=6, color=style.QUIET)
            continue
        ends = [max(row["ci_low"] or left, left), min(row["ci_high"] or right, right)]
        axes.plot(ends, [y, y], color=colour, linewidth=1.2)
        if left <= row["value"] <= right:
            axes.plot(row["value"], y, "o", markersize=4, color=colour)
    summary = next(i for i, row in enumerate(rows) if row["kind"] != "reader")
    axes.axhline(summary - 0.5, color=style.FAINT, linewidth=0.8)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="threshold exposure (ms)")
    axes.set_yticks(range(len(rows)), [str(row["name"]) for row in rows], fontsize=6.5 if len(rows) <= 45 else 4.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style.grid(axes, "x")
    return figure
