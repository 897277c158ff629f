"""Accuracy and area under the curve of every reader, every group and all together, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Accuracy and AUC of readers, groups and all together"
MOST = 120  # readers; the lines of more cannot be distinguished


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per line of the forest and measure: estimate and 95 % interval."""
    rule = results["settings"]["unsure"]
    found = []
    for kind, name, measured in _lines(results):
        for measure, estimate in (("accuracy", measured["accuracy"][rule]), ("auc", measured["auc"])):
            low, high = estimate.get("ci") or (None, None)
            found.append(
                {"kind": kind, "name": name, "measure": measure, "value": estimate["value"]}
                | {"ci_low": low, "ci_high": high, "rule": rule if measure == "accuracy" else ""}
            )
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    drawn = any(kind == "reader" for kind, *_ in _lines(results))
    readers = (
        "Squares: single readers, whose intervals generalise over cases."
        if drawn
        else "There are too many readers to draw."
    )
    return (
        f"Accuracy (unsure answers: {results['settings']['unsure']}) and area under the ROC curve with 95 % intervals. "
        f"{readers} Diamonds: groups and all readers, whose intervals generalise over readers and cases. Dashed: "
        "chance."
    )


def _lines(results: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    lines = [("reader", name, r) for name, r in results["readers"].items() if r["n"]]
    lines = lines if len(lines) <= MOST else []
    lines.sort(key=lambda line: line[2]["group"] or "")
    lines += [("group", f"group {name}", g) for name, g in results["groups"].get("members", {}).items()]
    return [*lines, ("overall", "all readers", results["overall"])]


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    names = [name for _, name, _ in _lines(results)]
    table = numbers(results)
    colours = style.group_colours(results)
    figure = style.figure(style.DOUBLE, min(max(1.7, 0.17 * len(names) + 0.7), style.TALLEST))
    for axes, measure in zip(figure.subplots(1, 2, sharey=True), ("accuracy", "auc"), strict=True):
        rows = [row for row in table if row["measure"] == measure]
        for y, row in enumerate(rows):
            if row["value"] is None:
                axes.text(0.5, y, "not defined", ha="center", va="center", fontsize=6, color=style.QUIET)
                continue
            group = results["readers"].get(row["name"], {}).get("group") if row["kind"] == "reader" else None
            group = row["name"].removeprefix("group ") if row["kind"] == "group" else group
            colour = style.INK if row["kind"] == "overall" else colours.get(group or "", style.BLUE)
            if row["ci_low"] is not None:
                axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, linewidth=1.2)
            marker, size = ("s", 3.5) if row["kind"] == "reader" else ("D", 4.5)
            axes.plot(row["value"], y, marker, markersize=size, color=colour)
        axes.axvline(0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        summary = next(i for i, row in enumerate(rows) if row["kind"] != "reader")
        axes.axhline(summary - 0.5, color=style.FAINT, linewidth=0.8)
        lowest = min([0.45] + [row["ci_low"] - 0.03 for row in rows if row["ci_low"] is not None])
        axes.set(
            xlim=(max(lowest, -0.02), 1.02),
            ylim=(len(names) - 0.4, -0.6),
            xlabel="AUC" if measure == "auc" else "accuracy",
        )
        axes.set_yticks(range(len(names)), names, fontsize=6.5 if len(names) <= 45 else 4.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        style.grid(axes, "x")
        if measure == "accuracy":
            style.percent_axis(axes)
    return figure
