"""How often each reader, each group and all together found the real image, against chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Real images found, by reader"
MOST = 120  # readers; the lines of more cannot be distinguished


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per line: share found and 95 % interval."""
    lines = [("reader", name, r["proportion_correct"], r["group"]) for name, r in results["readers"].items() if r["n"]]
    lines = sorted(lines, key=lambda line: line[3] or "") if len(lines) <= MOST else []
    lines += [("group", f"group {name}", g["clustered"], name) for name, g in results["groups"]["members"].items()]
    lines.append(("overall", "all readers", results["overall"]["clustered"], None))
    found = []
    for kind, name, estimate, group in lines:
        low, high = estimate.get("ci") or (None, None)
        row = {"kind": kind, "name": name, "value": estimate["value"], "ci_low": low, "ci_high": high}
        found.append(row | {"group": group or ""})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    drawn = any(row["kind"] == "reader" for row in numbers(results))
    readers = "Single readers: intervals over quartets (Wilson)." if drawn else "There are too many readers to draw."
    return (
        f"Share of trials in which the real image was found, with 95 % intervals. {readers} Groups and all readers: "
        "intervals that generalise over readers and quartets. Dashed: chance."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    rows = numbers(results)
    groups = style.group_colours(results)
    colours = [style.INK if row["kind"] == "overall" else groups.get(row["group"], style.BLUE) for row in rows]
    figure = style.figure(style.DOUBLE, min(max(1.5, 0.17 * len(rows) + 0.6), style.TALLEST))
    axes = figure.subplots()
    style.intervals(axes, rows, colours, results["study"]["chance"])
    summary = next(i for i, row in enumerate(rows) if row["kind"] != "reader")
    axes.axhline(summary - 0.5, color=style.FAINT, linewidth=0.8)
    axes.set_xlabel("share of real images found")
    return figure
