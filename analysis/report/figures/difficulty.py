"""How many readers were fooled by how many cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Case difficulty"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per truth and number of readers fooled: how many cases."""
    most = max((case["read"] for case in results["cases"]), default=0)
    counts = {(truth, k): 0 for truth in ("synthetic", "real") for k in range(most + 1)}
    for case in results["cases"]:
        counts[case["truth"], case["wrong"]] += 1
    return [{"truth": truth, "fooled": k, "cases": count} for (truth, k), count in counts.items()]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Number of cases that fooled none, one, two ... of the readers: a synthetic case called real, or a real case "
        "called synthetic, with any certainty; unsure answers do not count as fooled. Horizontal marks: numbers "
        "expected if every case were equally difficult, with the same average error (binomial)."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    import numpy as np
    from scipy.special import comb

    table = numbers(results)
    highest = max((row["cases"] for row in table), default=0)
    figure = style.figure(style.DOUBLE, 2.0)
    for axes, truth, colour in zip(
        figure.subplots(1, 2, sharey=True), ("synthetic", "real"), (style.SYNTHETIC, style.REAL), strict=True
    ):
        rows = [row for row in table if row["truth"] == truth]
        k = np.array([row["fooled"] for row in rows])
        cases = np.array([row["cases"] for row in rows])
        axes.bar(k, cases, color=colour, width=0.78)
        most, total = int(k.max(initial=0)), int(cases.sum())
        if total and most <= 60:
            p = (k * cases).sum() / (total * max(most, 1))
            expected = total * comb(most, k) * p**k * (1 - p) ** (most - k)
            axes.hlines(expected, k - 0.39, k + 0.39, color=style.INK, linewidth=1.1)
        if most <= 15:
            for x, count in zip(k, cases, strict=True):
                # Inside the bar if it is tall enough: above it, the number would seem to belong to the mark.
                inside = count > 0.12 * highest
                place = {"xytext": (0, -3 if inside else 2), "va": "top" if inside else "bottom"}
                look = {"color": "white" if inside else style.INK, "fontsize": 6, "ha": "center", "zorder": 4}
                axes.annotate(str(count), (x, count), textcoords="offset points", **place, **look)
            axes.set_xticks(k)
        wrong = "real" if truth == "synthetic" else "synthetic"
        axes.set(title=f"{truth} cases", xlabel=f"readers who called it {wrong}")
        style.grid(axes, "y")
    figure.axes[0].set_ylabel("cases")
    return figure
