"""The study's accuracy among those of published visual Turing tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "This study and published studies"
OWN = "this study"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per study, the lowest accuracy first: accuracy, and the interval of this study."""
    beside = results["beside"]
    low, high = beside["ci"] or (None, None)
    rows = [
        {"study": one["study"], "modality": one["modality"], "value": one["value"], "ci_low": None, "ci_high": None}
        for one in beside["studies"]
        if one["comparable"]
    ]
    rows.append({"study": OWN, "modality": "", "value": beside["value"], "ci_low": low, "ci_high": high})
    return sorted(rows, key=lambda row: (row["value"], row["study"] != OWN))


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return (
        results["beside"].get("reason")
        if "beside" in results
        else "this report was made before the table of published studies existed"
    )


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Mean accuracy of the readers of published visual Turing tests with two answers and chance at one half, and of "
        f"this study (diamond and band: 95 % interval; unsure answers: {results['settings']['unsure']}). Filled: "
        "radiographs; open: other images. Scoring, readers and images differ between studies. Dashed: chance."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    figure = style.figure(style.DOUBLE, min(max(1.8, 0.17 * len(rows) + 0.6), style.TALLEST))
    axes = figure.subplots()
    for y, row in enumerate(rows):
        if row["study"] == OWN:
            if row["ci_low"] is not None:
                axes.axvspan(
                    row["ci_low"], row["ci_high"], color=style.light(style.ORANGE, 0.25), zorder=0, linewidth=0
                )
            axes.plot(row["value"], y, "D", markersize=5, color=style.VERMILION)
            continue
        filled = style.BLUE if row["modality"] == "radiograph" else "white"
        axes.plot(row["value"], y, "o", markersize=4.5, markerfacecolor=filled, color=style.BLUE)
    axes.axvline(0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    ends = [row[name] for row in rows for name in ("value", "ci_low", "ci_high") if row[name] is not None]
    axes.set(xlim=(min(0.45, *ends) - 0.02, min(max(0.8, *ends) + 0.02, 1.02)), ylim=(-0.7, len(rows) - 0.3))
    axes.set_xlabel("accuracy")
    axes.set_yticks(range(len(rows)), [row["study"] for row in rows], fontsize=6.5)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OWN else "normal")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style.grid(axes, "x")
    style.percent_axis(axes)
    return figure
