"""Every study of a meta-analysis with its interval, the mean, and the prediction interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "The studies and their mean"
WORDS = {"accuracy": "accuracy", "auc": "AUC"}


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per study that is pooled, then the mean and the prediction interval."""
    rows = [_row(one["name"], one["value"], one["ci"], one["weight"], one["own"]) for one in _pooled(results)]
    mean = results["pooled"]
    rows.append(_row("mean of studies", mean["value"], mean["ci"], None, False))
    if mean["prediction"]:
        rows.append(_row("a further study", mean["value"], mean["prediction"], None, False))
    return rows


def _row(name: str, value: float, ci: list[float], weight: float | None, own: bool) -> dict[str, Any]:
    return {"study": name, "value": value, "ci_low": ci[0], "ci_high": ci[1], "weight": weight, "own": own}


def _pooled(results: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted((one for one in results["studies"] if one["weight"] is not None), key=lambda one: one["value"])


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        f"Mean {WORDS[results['scale']]} of each study with its 95 % interval; squares are proportional to the "
        "weight; your own studies are orange. Diamond: mean of the studies, random effects (REML, Hartung-Knapp). Bar "
        "below it: 95 % prediction interval for a further study like these. Dashed: chance."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    figure = style.figure(style.DOUBLE, min(max(1.8, 0.18 * len(rows) + 0.7), style.TALLEST))
    axes = figure.subplots()
    for y, row in enumerate(rows):
        if row["weight"] is None:
            summary = row["study"] == "mean of studies"
            axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=style.INK, linewidth=2.2 if summary else 1.0)
            if summary:
                axes.plot(row["value"], y, "D", markersize=6, color=style.INK)
            continue
        colour = style.VERMILION if row["own"] else style.BLUE
        axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, linewidth=1.1)
        axes.plot(row["value"], y, "s", markersize=2.5 + 9 * row["weight"] ** 0.5, color=colour)
    axes.axhline(sum(row["weight"] is not None for row in rows) - 0.5, color=style.FAINT, linewidth=0.8)
    axes.axvline(0.5, color=style.QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    axes.set(ylim=(len(rows) - 0.4, -0.7), xlim=(min(0.42, min(row["ci_low"] for row in rows)) - 0.02, 1.0))
    axes.set_xlabel(WORDS[results["scale"]])
    axes.set_yticks(range(len(rows)), [row["study"] for row in rows], fontsize=6.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style.grid(axes, "x")
    if results["scale"] == "accuracy":
        style.percent_axis(axes)
    return figure
