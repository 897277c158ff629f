"""The win matrix of every criterion: how often each method was ahead of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Wins of each method over every other"
COLUMNS = 3  # criteria side by side


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per criterion and ordered pair: how often the row was ahead, and level, of how many comparisons."""
    methods = results["study"]["methods"]
    return [
        {
            "criterion": name,
            "ahead": methods[i],
            "of": methods[j],
            "wins": one["wins"][i][j],
            "ties": one["ties"][i][j],
            "n": one["wins"][i][j] + one["wins"][j][i] + one["ties"][i][j],
        }
        for name, one in results["criteria"].items()
        for i in range(len(methods))
        for j in range(len(methods))
        if i != j
    ]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if results["criteria"] else "there are no answers"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "How often the method of the row was ahead of that of the column, all readers together; the shade is the "
        "share of their comparisons. The remaining comparisons of a pair are ties."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    methods, criteria = results["study"]["methods"], results["criteria"]
    rows, columns = -(-len(criteria) // COLUMNS), min(COLUMNS, len(criteria))
    size = 0.55 + 0.38 * len(methods)
    figure = style.figure(style.DOUBLE, min(style.TALLEST, rows * size + 0.5))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, one) in zip(panels, criteria.items(), strict=False):
        won, tied = one["wins"], one["ties"]
        shares = [
            [won[i][j] / max(won[i][j] + won[j][i] + tied[i][j], 1) for j in range(len(won))] for i in range(len(won))
        ]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for i in range(len(won)):
            for j in range(len(won)):
                text = "–" if i == j else f"{won[i][j]:.0f}"
                colour = "white" if shares[i][j] > 0.55 else style.INK
                axes.text(j, i, text, ha="center", va="center", fontsize=7, color=colour)
        axes.set_title(name)
        axes.set_xticks(range(len(won)), methods, fontsize=5.5)
        axes.set_yticks(range(len(won)), methods, fontsize=5.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    for axes in panels[len(criteria) :]:
        axes.set_axis_off()
    figure.supxlabel("behind", fontsize=7)
    figure.supylabel("ahead", fontsize=7)
    return figure
