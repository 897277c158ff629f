"""Response times by answer and correctness, and accuracy of fast answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Response times"
LEVELS = ("real, full", "real, partial", "unsure", "synthetic, partial", "synthetic, full")
QUANTILES = ("q05", "q25", "median", "q75", "q95")


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per truth and level: quantiles of the response time in ms."""
    found = []
    for row in results["timing"].get("quantiles", []):
        spread = dict(zip(QUANTILES, row["quantiles"] or [None] * 5, strict=True))
        found.append({"truth": row["truth"], "level": row["level"], "answers": row["n"]} | spread)
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if results["timing"] else "no response times are known"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Left: response times by answer, certainty and truth; dot: median, thick line: middle half, thin line: middle "
        "nine tenths; filled: right answers, open: wrong ones. Right: accuracy in fifths of each reader's own times, "
        "the fastest answers first, with 95 % intervals."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    figure = style.figure(style.DOUBLE, 2.6)
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    _spread(left, numbers(results))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2, handlelength=1.5)
    _haste(right, results["timing"]["speed_accuracy"])
    return figure


def _spread(axes: Axes, rows: list[dict[str, Any]]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    colours = {"synthetic": style.SYNTHETIC, "real": style.REAL}
    for row in rows:
        if row["median"] is None:
            continue
        y = row["level"] - 1 + (0.16 if row["truth"] == "synthetic" else -0.16)
        q05, q25, median, q75, q95 = (row[name] / 1000 for name in QUANTILES)
        colour = colours[row["truth"]]
        right = (row["level"] > 3) == (row["truth"] == "synthetic") and row["level"] != 3
        axes.plot([q05, q95], [y, y], color=colour, linewidth=0.8)
        axes.plot([q25, q75], [y, y], color=colour, linewidth=3, alpha=0.75)
        face = colour if right else "white"
        axes.plot(median, y, "o", markersize=4.5, markerfacecolor=face, markeredgecolor=colour)
    for truth, colour in colours.items():
        axes.plot([], [], color=colour, linewidth=3, alpha=0.75, label=f"{truth} cases")
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if low <= t <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(range(5), LEVELS)
    axes.set(xlabel="response time in seconds (log scale)", ylim=(-0.6, 4.6))
    axes.tick_params(axis="y", length=0)
    style.grid(axes, "x")


def _haste(axes: Axes, parts: list[dict[str, Any]]) -> None:
    for part in parts:
        accuracy = part["accuracy"]
        if accuracy["value"] is None:
            continue
        if accuracy.get("ci"):
            axes.plot([part["part"]] * 2, accuracy["ci"], color=style.INK, linewidth=0.9)
        axes.plot(part["part"], accuracy["value"], "o", markersize=4, color=style.INK)
    axes.axhline(0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    axes.set_xticks(range(1, len(parts) + 1), ["fastest", *[""] * (len(parts) - 2), "slowest"])
    axes.set(xlabel="fifths of each reader's times", ylabel="accuracy", ylim=(0.35, 1.02), xlim=(0.5, len(parts) + 0.5))
    style.percent_axis(axes, "y")
    style.grid(axes, "y")
