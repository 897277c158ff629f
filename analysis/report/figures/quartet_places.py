"""How often each place on the screen was chosen, and how often the real image was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Positions on the screen"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per place: how often it was chosen, and how often it had the real image."""
    places = results["places"]
    counts = zip(places["counts"], places["real"]["counts"], strict=True)
    return [{"place": at, "chosen": chosen, "real": real} for at, (chosen, real) in enumerate(counts, start=1)]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if sum(results["places"]["counts"]) else "the positions of the images are unknown"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Number of trials in which each position was chosen, and in which it had the real image, all readers pooled. "
        "Dashed: all positions equal. Positions are numbered as on the screen, from the top left."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    figure = style.figure(style.SINGLE, 1.9)
    axes = figure.subplots()
    for shift, what, colour in ((-0.2, "chosen", style.QUIET), (0.2, "real", style.REAL)):
        words = "chosen" if what == "chosen" else "had the real image"
        axes.bar([row["place"] + shift for row in rows], [row[what] for row in rows], 0.38, color=colour, label=words)
    even = sum(row["chosen"] for row in rows) / len(rows)
    axes.axhline(even, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.set(xlabel="place", ylabel="trials")
    axes.set_xticks([row["place"] for row in rows])
    figure.legend(loc="outside upper center", ncols=2, handlelength=1)
    style.grid(axes, "y")
    return figure
