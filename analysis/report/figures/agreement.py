"""Agreement of every pair of readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Agreement of pairs of readers"
MOST = 40  # readers; the pairs of more cannot be distinguished


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per pair: Cohen's kappa with linear weights over the five levels."""
    pairs = results["agreement"]["cohen_kappa_pairs"]
    return [{"reader": a, "other": b, "weighted_kappa": pairs[a][b]["value"]} for a in pairs for b in pairs[a]]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    readers = len(results["readers"])
    if readers < 2:
        return "agreement needs at least two readers"
    return (
        None if readers <= MOST else f"pairs are drawn for at most {MOST} readers; tables/agreement_pairs.csv has all"
    )


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Cohen's kappa with linear weights for every pair of readers over the five levels; 0 is chance, 1 is perfect "
        "agreement."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    import numpy as np

    names = list(results["readers"])
    index = {name: i for i, name in enumerate(names)}
    matrix = np.full((len(names), len(names)), np.nan)
    for row in numbers(results):
        if row["weighted_kappa"] is not None:
            matrix[index[row["reader"]], index[row["other"]]] = row["weighted_kappa"]
            matrix[index[row["other"]], index[row["reader"]]] = row["weighted_kappa"]
    figure = style.figure(style.SINGLE, style.SINGLE * 0.9)
    axes = figure.subplots()
    shown = axes.imshow(matrix, cmap="PuOr", vmin=-1, vmax=1)
    if len(names) <= 12:
        for y, x in zip(*np.nonzero(~np.isnan(matrix)), strict=True):
            colour = "white" if abs(matrix[y, x]) > 0.6 else style.INK
            axes.text(x, y, f"{matrix[y, x]:.2f}", ha="center", va="center", fontsize=6.5, color=colour)
    size = 6.5 if len(names) <= 15 else 4
    axes.set_xticks(range(len(names)), names, rotation=0 if len(" ".join(names)) < 35 else 90, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(shown, ax=axes, shrink=0.8, label="weighted kappa").outline.set_visible(False)  # type: ignore[operator]
    return figure
