"""The empirical ROC curve of every reader and their mean, with the operating points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "ROC curves"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per point of every curve; `threshold` is the lowest level called synthetic there."""
    found = []
    for reader, curve in _curves(results).items():
        for threshold, fpr, tpr in zip(curve["thresholds"], curve["fpr"], curve["tpr"], strict=True):
            found.append({"reader": reader, "threshold": threshold, "fpr": fpr, "tpr": tpr})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if _curves(results) else "no reader judged both classes"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Empirical ROC curves over the certainty levels, with synthetic as the positive class; thin: single readers, "
        "bold: their vertical mean. Rings mark the cut-off between unsure and synthetic (unsure counted as real). "
        "Dashed: "
        "chance."
    )


def _curves(results: dict[str, Any]) -> dict[str, Any]:
    return {name: r["roc"] for name, r in results["readers"].items() if r.get("roc")}


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    import numpy as np

    curves = _curves(results)
    colours = style.group_colours(results)
    figure = style.figure(style.SINGLE, style.SINGLE)
    axes = figure.subplots()
    alpha = 0.9 if len(curves) <= 12 else 0.3
    labelled: set[str] = set()
    for reader, curve in curves.items():
        group = results["readers"][reader]["group"] or ""
        label = None if group in labelled or not group else f"group {group}"
        labelled.add(group)
        axes.plot(curve["fpr"], curve["tpr"], color=colours[group], linewidth=0.8, alpha=alpha, label=label)
        called = curve["thresholds"].index(4) if 4 in curve["thresholds"] else None
        if called is not None:
            point = (curve["fpr"][called], curve["tpr"][called])
            axes.plot(*point, "o", markersize=3.5, markerfacecolor="white", markeredgecolor=colours[group], alpha=alpha)
    x = np.linspace(0, 1, 201)
    mean = np.mean([np.interp(x, curve["fpr"], curve["tpr"]) for curve in curves.values()], axis=0)
    if len(curves) > 1:
        axes.plot(np.r_[0, x], np.r_[0, mean], color=style.INK, linewidth=2, label="mean")
    axes.plot([0, 1], [0, 1], color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), label="chance")
    style.unit_axes(axes)
    axes.set(xlabel="1 − specificity (real called synthetic)", ylabel="sensitivity (synthetic called synthetic)")
    axes.legend(loc="lower right")
    return figure
