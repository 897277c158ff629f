"""Wrong answers on real compared with synthetic images, by reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Errors on real and on synthetic images"
MOST = 60  # readers; the lines of more cannot be distinguished


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per line and class: share of wrong answers and 95 % interval."""
    readers = [(name, r["errors"]) for name, r in results["readers"].items() if r["n"]]
    found = []
    for name, errors in [*(readers if len(readers) <= MOST else []), ("all readers", results["overall"]["errors"])]:
        for truth in ("real", "synthetic"):
            low, high = errors[truth].get("ci") or (None, None)
            row = {"name": name, "truth": truth, "value": errors[truth]["value"]}
            found.append(row | {"ci_low": low, "ci_high": high})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of wrong answers on real and on synthetic images, with 95 % intervals: single readers over answers "
        "(Wilson), all readers over readers and cases. Dashed: guessing."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    names = list(dict.fromkeys(row["name"] for row in rows))
    figure = style.figure(style.DOUBLE, min(max(1.8, 0.22 * len(names) + 0.9), style.TALLEST))
    axes = figure.subplots()
    for truth, colour, shift in (("real", style.REAL, -0.16), ("synthetic", style.SYNTHETIC, 0.16)):
        label: str | None = truth
        for row in (row for row in rows if row["truth"] == truth and row["value"] is not None):
            y = names.index(row["name"]) + shift
            if row["ci_low"] is not None:
                axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, linewidth=1.2)
            axes.plot(row["value"], y, "o", markersize=4, color=colour, label=label)
            label = None
    axes.axvline(0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    axes.set(xlim=(-0.01, 1.01), ylim=(len(names) - 0.4, -0.6), xlabel="wrong answers")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, handlelength=1)
    style.percent_axis(axes)
    style.grid(axes, "x")
    return figure
