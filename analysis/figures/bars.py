"""The shares of the pies as diverging stacked bars: wrong to the left, right to the right, unsure astride zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Right and wrong answers by truth and certainty"
# From wrong to right; the certainty is that of the answer.
ANSWERS = (
    ("wrong, fully certain", style.VERMILION),
    ("wrong, partially certain", style.light(style.VERMILION)),
    ("unsure", style.UNSURE),
    ("right, partially certain", style.light(style.BLUE)),
    ("right, fully certain", style.BLUE),
)


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader, truth and answer: its count and its share of the reader's answers on that class."""
    found = []
    for reader, measured in results["readers"].items():
        for truth in ("synthetic", "real"):
            counts = measured["levels"][truth]
            ordered = counts if truth == "synthetic" else counts[::-1]
            total = sum(counts)
            for (answer, _), count in zip(ANSWERS, ordered, strict=True):
                share = count / total if total else None
                found.append({"reader": reader, "truth": truth, "answer": answer, "count": count, "share": share})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        "For every reader, the share of answers on synthetic and on real cases that were wrong (left) and right "
        "(right of the zero line), by certainty; unsure answers lie half on either side. The further a bar reaches "
        "to the right, the better that class was recognised."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    readers = [name for name, measured in results["readers"].items() if measured["n"]]
    table = numbers(results)
    figure = style.figure(style.DOUBLE, min(max(1.5, 0.16 * len(readers) + 0.8), style.TALLEST))
    for axes, truth in zip(figure.subplots(1, 2, sharey=True), ("synthetic", "real"), strict=True):
        for y, reader in enumerate(readers):
            shares = [r["share"] or 0.0 for r in table if (r["reader"], r["truth"]) == (reader, truth)]
            left = -shares[0] - shares[1] - shares[2] / 2
            for (_, colour), share in zip(ANSWERS, shares, strict=True):
                axes.barh(y, share, left=left, height=0.78, color=colour, edgecolor="white", linewidth=0.4)
                left += share
        axes.axvline(0, color=style.INK, linewidth=0.7)
        axes.set(title=f"{truth} cases", xlim=(-1, 1), ylim=(len(readers) - 0.4, -0.6), xlabel="share of the answers")
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["100 %", "50 %", "0", "50 %", "100 %"])
        axes.set_yticks(range(len(readers)), readers, fontsize=6.5 if len(readers) <= 40 else 4.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        style.grid(axes, "x")
    handles = [axes.patches[i] for i in range(len(ANSWERS))]
    names = [name for name, _ in ANSWERS]
    figure.legend(handles, names, loc="outside lower center", ncols=5, handlelength=1, columnspacing=1.2)
    return figure
