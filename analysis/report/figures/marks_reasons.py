"""How often each reason was given, on synthetic and on real images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Reasons that readers gave"
SIDES = (("synthetic", style.SYNTHETIC, -0.14), ("real", style.REAL, 0.14))


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reason and class: its share of the marks on images of the class, with its 95 % interval."""
    found = []
    for reason in results["marks"]["reasons"]:
        of = results["marks"]["shares"][reason]
        for truth, *_ in SIDES:
            one = of["by_truth"].get(truth) or (of["all"] if not of["by_truth"] else {"value": None})
            low, high = one.get("ci") or (None, None)
            counts = {"marks": one.get("k"), "of": one.get("n")}
            found.append(
                {"reason": reason, "truth": truth, **counts, "share": one["value"], "ci_low": low, "ci_high": high}
            )
    return found if any(one["by_truth"] for one in results["marks"]["shares"].values()) else found[::2]


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if results["marks"]["n"] else "no reader marked a place"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of each reason among the marks on synthetic images (orange) and on real images (blue), with 95 % "
        "intervals clustered by reader and case. A reason that is frequent on both is a habit; one that is given more "
        "often on synthetic images distinguishes them."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    from matplotlib.lines import Line2D

    rows = numbers(results)
    reasons = list(results["marks"]["reasons"])
    figure = style.figure(style.DOUBLE, min(0.26 * len(reasons) + 1.0, style.TALLEST))
    axes = figure.subplots()
    look = {truth: (colour, shift) for truth, colour, shift in SIDES}
    for row in rows:
        if row["share"] is None:
            continue
        colour, shift = look[row["truth"]]
        y = reasons.index(row["reason"]) + shift
        if row["ci_low"] is not None:
            axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, linewidth=1.2)
        axes.plot(row["share"], y, "o" if row["truth"] == "synthetic" else "s", markersize=4, color=colour)
    highest = max(row["ci_high"] or row["share"] or 0.0 for row in rows)
    axes.set(xlim=(-0.01, min(1.01, highest + 0.03)), ylim=(len(reasons) - 0.5, -0.5))
    axes.set_yticks(range(len(reasons)), reasons)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("share of the marks")
    style.grid(axes, "x")
    style.percent_axis(axes)
    shown = [truth for truth, *_ in SIDES if any(row["truth"] == truth and row["share"] is not None for row in rows)]
    if len(shown) > 1:
        handles = [
            Line2D([], [], color=look[t][0], marker="o" if t == "synthetic" else "s", markersize=4, label=f"{t} images")
            for t in shown
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=1)
    return figure
