"""Each source of synthetic images: share called real, accuracy and area under the curve, over readers and cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "How convincing each source was"
PANELS = {"fooled": "called real", "accuracy": "accuracy", "auc": "AUC"}


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per source and figure: the readers' mean and its 95 % interval."""
    rows = []
    for figure in PANELS:
        for source in results["sources"]["names"]:
            estimate = results["sources"]["each"][source][figure]
            low, high = estimate.get("ci") or (None, None)
            rows.append(
                {"figure": figure, "source": source, "value": estimate["value"], "ci_low": low, "ci_high": high}
            )
    return rows


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return results["sources"].get("reason")


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of each source's images that readers called real, balanced accuracy (unsure answers: "
        f"{results['settings']['unsure']}) and area under the ROC curve against the same real images; means of the "
        "readers with 95 % intervals over readers and cases. Dashed: no better than chance."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    names = results["sources"]["names"]
    table = numbers(results)
    figure = style.figure(style.DOUBLE, max(1.5, 0.24 * len(names) + 0.7))
    for axes, (measure, words) in zip(figure.subplots(1, len(PANELS), sharey=True), PANELS.items(), strict=True):
        rows = [row for row in table if row["figure"] == measure]
        for y, row in enumerate(rows):
            if row["value"] is None:
                axes.text(0.5, y, "not defined", ha="center", va="center", fontsize=6, color=style.QUIET)
                continue
            colour = style.GROUPS[y % len(style.GROUPS)]
            if row["ci_low"] is not None:
                axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, linewidth=1.4)
            axes.plot(row["value"], y, "D", markersize=4.5, color=colour)
        if measure != "fooled":
            axes.axvline(0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        lowest = min([0.45] + [row["ci_low"] - 0.03 for row in rows if row["ci_low"] is not None])
        left = -0.02 if measure == "fooled" else max(lowest, -0.02)
        axes.set(xlim=(left, 1.02), ylim=(len(names) - 0.4, -0.6), xlabel=words)
        axes.set_yticks(range(len(names)), names, fontsize=6.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        style.grid(axes, "x")
        if measure != "auc":
            style.percent_axis(axes)
    return figure
