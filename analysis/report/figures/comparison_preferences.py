"""How often the first method of each pair was preferred, by criterion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Preferences"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per criterion and pair: the share of preferences with its 95 % interval, and the exact one."""
    found = []
    for name, one in results["criteria"].items():
        for pair in one["pairs"]:
            low, high = pair["clustered"].get("ci") or (None, None)
            row = {"name": f"{name}: {pair['first']} over {pair['second']}", "value": pair["clustered"]["value"]}
            found.append(row | {"ci_low": low, "ci_high": high, "exact": pair["value"]})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if results["criteria"] else "there are no answers"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of comparisons in which the first method was ahead, with ties counted as one half, and 95 % intervals "
        "that generalise over readers and cases. Dashed: no preference. To the right of it, the first method is "
        "preferred."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    figure = style.figure(style.DOUBLE, min(max(1.2, 0.2 * len(rows) + 0.7), style.TALLEST))
    axes = figure.subplots()
    style.intervals(axes, rows, [style.BLUE] * len(rows), 0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share that preferred the first")
    return figure
