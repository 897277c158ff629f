"""Every answer of the study: readers by cases, sorted, as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Every answer"
LEVELS = ("real, full", "real, partial", "unsure", "synthetic, partial", "synthetic, full")
COLOURS = (style.BLUE, style.light(style.BLUE), "#f2f2f2", style.light(style.VERMILION), style.VERMILION)

MOST = 120  # readers whose names can still be read


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per case in the order drawn, one column per reader; empty if a reader gave no answer."""
    readers = _readers(results)
    return [
        {"case": case["case"], "truth": case["truth"]} | {reader: case["levels"].get(reader) for reader in readers}
        for truth in ("synthetic", "real")
        for case in _cases(results, truth)
    ]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Every answer of every reader. Rows: readers, the most accurate on top. Columns: cases, from those most "
        "often called synthetic to those most often called real. Blank: not answered. Readers who agree produce "
        "vertical stripes; a case with the wrong colour in all rows fooled everyone."
    )


def _readers(results: dict[str, Any]) -> list[str]:
    rule = results["settings"]["unsure"]
    accuracy = {name: r["accuracy"][rule]["value"] or 0.0 for name, r in results["readers"].items() if r["n"]}
    return sorted(accuracy, key=lambda name: -accuracy[name])


def _cases(results: dict[str, Any], truth: str) -> list[dict[str, Any]]:
    cases = [case for case in results["cases"] if case["truth"] == truth and case["levels"]]
    return sorted(cases, key=lambda case: -sum(case["levels"].values()) / len(case["levels"]))


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    import numpy as np
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch

    readers = _readers(results)
    figure = style.figure(style.DOUBLE, min(max(1.7, 0.2 * len(readers) + 0.9), 6))
    colours, norm = ListedColormap(COLOURS), BoundaryNorm(np.arange(0.5, 6), 5)
    classes = [(truth, _cases(results, truth)) for truth in ("synthetic", "real")]
    classes = [(truth, cases) for truth, cases in classes if cases]
    widths = [len(cases) for _, cases in classes]
    places = figure.subplots(1, len(classes), sharey=True, width_ratios=widths, squeeze=False)[0]
    for axes, (truth, cases) in zip(places, classes, strict=True):
        levels = np.array([[case["levels"].get(reader, np.nan) for case in cases] for reader in readers], dtype=float)
        axes.imshow(levels, cmap=colours, norm=norm, aspect="auto", interpolation="nearest")
        axes.set(title=f"{truth} cases", xlabel=f"{len(cases)} cases, sorted")
        axes.set_xticks([])
        if len(readers) <= MOST:
            axes.set_yticks(range(len(readers)), readers, fontsize=6.5 if len(readers) <= 40 else 3.5)
        else:
            axes.set_yticks([])
        axes.tick_params(length=0)
    handles = [
        Patch(facecolor=colour, edgecolor=style.FAINT, label=level)
        for colour, level in zip(COLOURS, LEVELS, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, handlelength=1, columnspacing=1.2)
    return figure
