"""Funnel plot of effect against precision: do results of small and large studies differ?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Small-study effects"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per pooled study: logit and its standard error."""
    return [
        {"study": one["name"], "logit": one["effect"], "se": math.sqrt(one["variance"]), "own": one["own"]}
        for one in results["studies"]
        if one["weight"] is not None
    ]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if results["counts"]["pooled"] > 2 else "a funnel plot needs at least three studies"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Each study's logit and its standard error, with precise studies at the top. Lines: the mean, and the region "
        "expected to contain 95 % of studies if they differed only by their errors. Orange: your own studies."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    mean = results["pooled"]["logit"]["value"]
    deepest = 1.08 * max(row["se"] for row in rows)
    figure = style.figure(style.SINGLE, 2.7)
    axes = figure.subplots()
    for sign in (-1.959964, 1.959964):
        axes.plot([mean, mean + sign * deepest], [0, deepest], color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.axvline(mean, color=style.QUIET, linewidth=0.8)
    for row in rows:
        axes.plot(row["logit"], row["se"], "o", markersize=4, color=style.VERMILION if row["own"] else style.BLUE)
    axes.set(ylim=(deepest, 0), xlabel="logit", ylabel="standard error")
    style.grid(axes)
    return figure
