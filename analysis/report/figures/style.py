"""The common style of the figures: widths of journal columns, colours that colour-blind people can distinguish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SINGLE = 85 / 25.4  # inches: one column of a journal
DOUBLE = 174 / 25.4  # inches: the whole page
TALLEST = 230 / 25.4  # inches: a page without its margins and caption
DPI = 300

# Okabe and Ito (2008), Color Universal Design; the light ones are the same hue at 45 %.
BLUE, SKY, GREEN, ORANGE, VERMILION, PURPLE = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7"
INK, QUIET, FAINT, UNSURE = "#1a1a1a", "#6b6b6b", "#d9d9d9", "#c4c4c4"
REAL, SYNTHETIC = BLUE, VERMILION
# For groups of readers, after Paul Tol's muted scheme, without the colours of answers and classes.
GROUPS = ("#882255", "#2d8a7c", "#332288", "#8a8a2e", "#cc6677", "#88ccee")

RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.solid_capstyle": "round",
    "svg.hashsalt": "discern",
    "svg.fonttype": "path",
}


def light(colour: str, strength: float = 0.45) -> str:
    """Mix `colour` with white, keeping `strength` of it."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - (255 - part) * strength):02x}" for part in parts)


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` x `height` inches, without a window system or global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def group_colours(results: dict[str, Any]) -> dict[str, str]:
    """Return a colour for every group of readers, sorted by name."""
    names = sorted({reader["group"] or "" for reader in results["readers"].values()})
    return {name: GROUPS[i % len(GROUPS)] for i, name in enumerate(names)}


def grid(axes: Axes, axis: str = "both") -> None:
    """Draw faint lines behind the data."""
    axes.grid(True, axis=axis, color=FAINT, linewidth=0.4)  # type: ignore[arg-type]


def unit_axes(axes: Axes) -> None:
    """Make the axes a square from 0 to 1 with a light grid, for proportions."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    grid(axes)


def percent_axis(axes: Axes, which: str = "x") -> None:
    """Write the ticks of an axis of shares as percent."""
    from matplotlib.ticker import PercentFormatter

    getattr(axes, f"{which}axis").set_major_formatter(PercentFormatter(1.0, decimals=0, symbol="\u202f%"))


def exposure_axis(axes: Axes, least: float, most: float) -> tuple[float, float]:
    """Make a logarithmic axis of exposures, slightly wider than `least` to `most` ms; return its ends."""
    from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

    left, right = least / 1.25, most * 1.25
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    round_ones = [m * 10**power for power in range(7) for m in (1, 2, 3, 5)]
    axes.xaxis.set_major_locator(FixedLocator([one for one in round_ones if left <= one <= right]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    return left, right


def intervals(axes: Axes, rows: list[dict[str, Any]], colours: list[str], chance: float) -> None:
    """Draw a point with its interval for each row (`value`, `ci_low`, `ci_high`) from the top, and chance as a line."""
    for y, (row, colour) in enumerate(zip(rows, colours, strict=True)):
        if row["value"] is None:
            axes.text(chance, y, "not defined", ha="center", va="center", fontsize=6, color=QUIET)
            continue
        if row["ci_low"] is not None:
            axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, linewidth=1.2)
        axes.plot(row["value"], y, "o", markersize=4, color=colour)
    axes.axvline(chance, color=QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    highest = max([chance] + [row["ci_high"] or row["value"] or 0.0 for row in rows])
    axes.set(xlim=(-0.01, min(1.01, highest + 0.05)), ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), [str(row["name"]) for row in rows], fontsize=6.5 if len(rows) <= 45 else 4.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    grid(axes, "x")
    percent_axis(axes)


def save(drawn: Figure, stem: Path) -> None:
    """Write `stem`.svg and `stem`.png; the same figure gives the same bytes."""
    engine = drawn.get_layout_engine()
    if engine is not None:
        engine.execute(drawn)
        drawn.set_layout_engine("none")  # layout once is enough: it takes longer than drawing
    drawn.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
    drawn.savefig(stem.with_suffix(".png"), dpi=DPI, metadata={"Software": None})
