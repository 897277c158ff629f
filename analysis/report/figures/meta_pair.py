"""Sensitivity against specificity of the studies that give both, with the mean pair."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Sensitivity and specificity"
STEPS = 181


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per study with both, and the mean."""
    rows = []
    for one in results["studies"]:
        if one["counts"] is not None:
            tp, fn, tn, fp = one["counts"]
            rows.append({"study": one["name"], "sensitivity": tp / (tp + fn), "specificity": tn / (tn + fp)})
    pair = results["pair"]
    if pair["value"] is not None:
        both = {name: pair[name]["value"] for name in ("sensitivity", "specificity")}
        rows.append({"study": "mean of studies", **both})
    return rows


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return results["pair"].get("reason")


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of synthetic images called synthetic against share of real ones called synthetic, one circle per study. "
        "Diamond: mean of the studies (bivariate model); line around it: its 95 % region."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    figure = style.figure(style.SINGLE, 3.2)
    axes = figure.subplots()
    for row in numbers(results):
        mean = row["study"] == "mean of studies"
        axes.plot(
            1 - row["specificity"],
            row["sensitivity"],
            "D" if mean else "o",
            markersize=6 if mean else 4,
            color=style.INK if mean else style.BLUE,
            markerfacecolor=style.INK if mean else "white",
        )
    x, y = _region(results["pair"])
    axes.plot(x, y, color=style.INK, linewidth=0.9)
    axes.plot([0, 1], [0, 1], color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    style.unit_axes(axes)
    axes.set(xlabel="real called synthetic", ylabel="synthetic called synthetic")
    return figure


def _region(pair: dict[str, Any]) -> tuple[list[float], list[float]]:
    """The 95 % region of the mean pair, an ellipse on the logits."""
    (a, c), (_, b) = pair["covariance"]
    first, slope = math.sqrt(a), c / math.sqrt(a)
    rest = math.sqrt(max(b - slope**2, 0.0))
    radius = math.sqrt(5.991465)
    x, y = [], []
    for step in range(STEPS):
        angle = 2 * math.pi * step / (STEPS - 1)
        u, w = radius * math.cos(angle), radius * math.sin(angle)
        y.append(1 / (1 + math.exp(-(pair["mean"][0] + first * u))))
        x.append(1 - 1 / (1 + math.exp(-(pair["mean"][1] + slope * u + rest * w))))
    return x, y
