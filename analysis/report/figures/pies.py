"""The published pies: each reader's answers in nine shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import shares, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Answers of each reader in nine shares"
MOST = 24  # readers; with more, pies are too small to read


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    if len(results["readers"]) > MOST:
        return f"pies are drawn for at most {MOST} readers; the bars show the same"
    return None


numbers = shares.rows


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share, in percent, of each reader's answers that were true positive (TP: synthetic called synthetic), true "
        "negative (TN: real called real), false positive (FP: real called synthetic) and false negative (FN: synthetic "
        "called real), each with full (FC, strong) or partial certainty (PC, muted), and unsure. Shares under 5 % are "
        "not labelled."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    readers = [name for name, measured in results["readers"].items() if measured["n"]]
    columns = min(3 if len(readers) <= 9 else 6, len(readers))
    lines = -(-len(readers) // columns)
    figure = style.figure(style.DOUBLE, lines * style.DOUBLE / columns * 0.92 + 0.45)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    table = shares.rows(results)
    colours = [colour for *_, colour in shares.CATEGORIES]
    for place, reader in zip(axes, readers, strict=False):
        slices = [row["share"] for row in table if row["reader"] == reader]
        wedges, _ = place.pie(
            slices,
            colors=colours,
            startangle=90,
            counterclock=False,
            radius=1.15,
            wedgeprops={"linewidth": 0.8, "edgecolor": "white"},
        )
        place.set_title(reader, pad=5)
        for wedge, share in zip(wedges, slices, strict=True):
            if share >= 0.05:
                _label(place, wedge, share)
    for place in axes[len(readers) :]:
        place.set_axis_off()
    names = [shares.short(category, certainty) for category, certainty, *_ in shares.CATEGORIES]
    figure.legend(wedges, names, loc="outside lower center", ncols=9, handlelength=1, columnspacing=1.2)
    return figure


def _label(axes: Any, wedge: Any, share: float) -> None:
    import numpy as np

    angle = np.deg2rad((wedge.theta1 + wedge.theta2) / 2)
    red, green, blue, _ = wedge.get_facecolor()
    dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
    position = 0.8 * np.array([np.cos(angle), np.sin(angle)])
    colour = "white" if dark else style.INK
    axes.text(*position, f"{share:.1%}".replace("%", ""), ha="center", va="center", fontsize=6, color=colour)
