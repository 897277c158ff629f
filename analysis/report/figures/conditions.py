"""Each reader's line from one condition to the next, with worse results highlighted."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Results of each reader by condition"
FIGURES = {"auc": "AUC", "accuracy": "accuracy"}
WORSE, BETTER = style.VERMILION, style.QUIET


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader, figure and condition: its value, and whether it is worse than under the condition before."""
    given = results.get("conditions") or {}
    found = []
    for name, reader in given.get("readers", {}).items():
        for figure in FIGURES:
            before = None
            for condition in given["names"]:
                value = reader["figures"].get(condition, {}).get(figure, {}).get("value")
                worse = before is not None and value is not None and value < before
                found.append(
                    {"reader": name, "group": reader["group"] or "", "figure": figure, "condition": condition}
                    | {"value": value, "worse": worse}
                )
                before = before if value is None else value
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    if all(row["value"] is None for row in numbers(results)):
        return "no reader has a result under any condition"
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    given = results["conditions"]
    lines = "Each line is a reader, from condition to condition; orange-red and dashed: did worse than before."
    dots = "Each reader had one condition: a dot is a reader."
    mean = "Black: the mean over readers with its 95 % interval over readers and cases."
    return f"{lines if given['by'] == 'within' else dots} {mean}"


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    given, table = results["conditions"], numbers(results)
    names = given["names"]
    figure = style.figure(style.DOUBLE, 3.0)
    for axes, measure in zip(figure.subplots(1, 2), FIGURES, strict=True):
        rows = [row for row in table if row["figure"] == measure and row["value"] is not None]
        for reader in dict.fromkeys(row["reader"] for row in rows):
            own = [
                (names.index(row["condition"]), row["value"], row["worse"]) for row in rows if row["reader"] == reader
            ]
            for (x0, y0, _), (x1, y1, worse) in itertools.pairwise(own):
                axes.plot(
                    [x0, x1],
                    [y0, y1],
                    color=WORSE if worse else BETTER,
                    linestyle=(0, (3, 1.5)) if worse else "solid",
                    linewidth=1.1 if worse else 0.7,
                )
            axes.plot([x for x, *_ in own], [y for _, y, _ in own], "o", markersize=2.5, color=BETTER)
        for x, name in enumerate(names):
            mean = given["figures"][name][measure]
            if mean["value"] is None:
                continue
            at = x + (0.12 if x else -0.12)
            if mean.get("ci"):
                axes.plot([at, at], mean["ci"], color=style.INK, linewidth=1.4)
            axes.plot(at, mean["value"], "D", markersize=4.5, color=style.INK)
        axes.axhline(0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.4, len(names) - 0.6)
        axes.set_ylabel(FIGURES[measure])
        style.grid(axes, "y")
        if measure == "accuracy":
            style.percent_axis(axes, "y")
    return figure
