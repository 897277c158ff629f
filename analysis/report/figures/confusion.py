"""Answers to real and to synthetic cases: a shaded table of counts for every reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import shares, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Confusion by certainty"
LEVELS = ("real\nfull", "real\npartial", "unsure", "synth.\npartial", "synth.\nfull")
MOST = 12  # readers with their own panel


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per panel, truth and level: its count and its share of that truth's answers."""
    panels = shares.panels(results, MOST)
    return [
        {"readers": name, "truth": truth, "level": level, "count": count, "share": count / max(sum(counts[truth]), 1)}
        for name, counts in panels.items()
        for truth in ("synthetic", "real")
        for level, count in enumerate(counts[truth], start=1)
    ]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Number of answers at each level on synthetic and on real cases, for "
        f"{shares.shown(results, MOST)}; the shade is the share of the row. A reader who can tell the classes apart "
        "has dark cells at the upper right and at the lower left."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    panels = shares.panels(results, MOST)
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = style.figure(style.DOUBLE, 0.95 * lines + 0.3)
    places = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (name, counts) in zip(places, panels.items(), strict=False):
        shaded = [[count / max(sum(counts[truth]), 1) for count in counts[truth]] for truth in ("synthetic", "real")]
        axes.imshow(shaded, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for y, truth in enumerate(("synthetic", "real")):
            for x, count in enumerate(counts[truth]):
                colour = "white" if shaded[y][x] > 0.55 else style.INK
                axes.text(x, y, str(count), ha="center", va="center", fontsize=7, color=colour)
        axes.set_title(name)
        axes.set_xticks(range(5), LEVELS, fontsize=5.5)
        axes.set_yticks(range(2), ("synthetic", "real"))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    figure.supxlabel("answer and certainty", fontsize=7)
    return figure
