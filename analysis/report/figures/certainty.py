"""Calibration: the share of synthetic cases among those given each level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Calibration of certainty"
LEVELS = ("real\nfull", "real\npartial", "unsure", "synthetic\npartial", "synthetic\nfull")


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per level, for all readers and for each: how many answers, and how many of them on synthetic cases."""
    found = []
    for name, levels in [("all readers", results["overall"]["levels"])] + [
        (name, r["levels"]) for name, r in results["readers"].items()
    ]:
        for level, (synthetic, real) in enumerate(zip(levels["synthetic"], levels["real"], strict=True), start=1):
            total = synthetic + real
            share = synthetic / total if total else None
            found.append({"reader": name, "level": level, "answers": total, "synthetic": synthetic, "share": share})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of synthetic cases among all cases given a level; thin: single readers (levels with "
        "at least five answers); bold: all readers, with areas proportional to the number of answers. On the dashed "
        "line, a level has the probability assumed by the fractional rule."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    table = numbers(results)
    colours = style.group_colours(results)
    figure = style.figure(style.SINGLE, style.SINGLE * 0.95)
    axes = figure.subplots()
    alpha = 0.7 if len(results["readers"]) <= 12 else 0.25
    for name, reader in results["readers"].items():
        points = [(r["level"], r["share"]) for r in table if r["reader"] == name and r["answers"] >= 5]
        if points:
            colour = colours[reader["group"] or ""]
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=0.8, alpha=alpha, marker="o", markersize=2)
    everyone = [r for r in table if r["reader"] == "all readers" and r["answers"]]
    total = sum(r["answers"] for r in everyone)
    levels, shares = [r["level"] for r in everyone], [r["share"] for r in everyone]
    axes.plot(levels, shares, color=style.INK, linewidth=1.8, label="all readers")
    axes.scatter(levels, shares, s=[10 + 120 * r["answers"] / total for r in everyone], color=style.INK, zorder=3)
    axes.plot([1, 5], [0, 1], color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), label="as the rule assumes")
    for group, colour in colours.items():
        if group:
            axes.plot([], [], color=colour, linewidth=0.8, marker="o", markersize=2, label=f"group {group}")
    axes.set_xticks(range(1, 6), LEVELS)
    axes.set(ylim=(-0.03, 1.03), xlabel="answer and certainty", ylabel="share of synthetic cases")
    style.percent_axis(axes, "y")
    style.grid(axes, "y")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
