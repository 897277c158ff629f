"""How often the images of each source were chosen as the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Images chosen as real, by source"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per source: how often chosen of how often shown, and the share with its 95 % interval."""
    found = []
    for name, one in results["sources"].items():
        low, high = one.get("ci") or (None, None)
        counts = {"name": name, "chosen": one["chosen"], "shown": one["shown"]}
        found.append(counts | {"value": one["value"], "ci_low": low, "ci_high": high})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of the trials that showed an image of the source in which that image was chosen as the real one, with "
        "95 % Wilson intervals. Dashed: guessing. A synthetic source to the right of it was chosen as real more "
        "often than expected by chance."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    figure = style.figure(style.DOUBLE, min(0.2 * len(rows) + 0.8, style.TALLEST))
    axes = figure.subplots()
    colours = [style.REAL, *[style.SYNTHETIC] * (len(rows) - 1)]
    style.intervals(axes, rows, colours, results["study"]["chance"])
    axes.set_xlabel("share chosen as the real one")
    return figure
