"""Answers for each method under each criterion, as bars that add up to all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Answers by method"


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per criterion, method and answer: count and share."""
    found = []
    for name, one in results["criteria"].items():
        for method, own in one["methods"].items():
            total = sum(own["counts"].values())
            for word, count in own["counts"].items():
                row = {"criterion": name, "method": method, "answer": word, "count": count}
                found.append(row | {"share": count / total if total else 0.0})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None if results["criteria"] else "there are no answers"


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "Share of the images of each method that were given each answer, all readers together, from the lowest on the "
        "left to the highest on the right (darker is higher). Counts are shown if there is room."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    criteria = results["criteria"]
    lines = sum(len(one["methods"]) for one in criteria.values())
    figure = style.figure(style.DOUBLE, min(style.TALLEST, 0.22 * lines + 0.45 * len(criteria) + 0.3))
    heights = [len(one["methods"]) + 1 for one in criteria.values()]
    panels = figure.subplots(len(criteria), 1, squeeze=False, height_ratios=heights).ravel()
    for axes, (name, one) in zip(panels, criteria.items(), strict=True):
        words = one["answers"]
        for y, own in enumerate(one["methods"].values()):
            total, left = max(sum(own["counts"].values()), 1), 0.0
            for k, word in enumerate(words):
                share = own["counts"][word] / total
                strength = 0.12 + 0.88 * k / max(len(words) - 1, 1)
                axes.barh(y, share, left=left, height=0.7, color=style.light(style.BLUE, strength))
                if share > 0.06:
                    colour = "white" if strength > 0.6 else style.INK
                    text = f"{word}: {own['counts'][word]}"
                    axes.text(left + share / 2, y, text, ha="center", va="center", fontsize=5.5, color=colour)
                left += share
        axes.set_title(name, loc="left")
        axes.set_yticks(range(len(one["methods"])), list(one["methods"]))
        axes.set(xlim=(0, 1), ylim=(len(one["methods"]) - 0.5, -0.5))
        axes.tick_params(axis="y", length=0)
        style.percent_axis(axes)
    for axes in panels[:-1]:
        axes.set_xticks([])
    return figure
