"""The shares of the pies as diverging stacked bars: wrong to the left, right to the right, unsure centred on zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.report.figures import shares, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Right and wrong answers by truth and certainty"
MOST = 120  # readers; the bars of more cannot be distinguished
# From wrong to right; the certainty is that of the answer. Colours and short names are those of the pies.
ANSWERS = (
    "wrong, fully certain",
    "wrong, partially certain",
    "unsure",
    "right, partially certain",
    "right, fully certain",
)
CATEGORIES = {
    "synthetic": (("FN", "full"), ("FN", "partial"), ("unsure", ""), ("TP", "partial"), ("TP", "full")),
    "real": (("FP", "full"), ("FP", "partial"), ("unsure", ""), ("TN", "partial"), ("TN", "full")),
}

COLOURS = {(category, certainty): colour for category, certainty, _, colour in shares.CATEGORIES}


def numbers(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader, truth and answer: its count and its share of the reader's answers on that class."""
    found = []
    for reader, levels in shares.panels(results, MOST).items():
        for truth in ("synthetic", "real"):
            counts = levels[truth]
            ordered = counts if truth == "synthetic" else counts[::-1]
            total = sum(counts)
            for answer, count in zip(ANSWERS, ordered, strict=True):
                share = count / total if total else None
                found.append({"reader": reader, "truth": truth, "answer": answer, "count": count, "share": share})
    return found


def lacking(results: dict[str, Any]) -> str | None:
    """Why the figure cannot be drawn, or None."""
    return None


def caption(results: dict[str, Any]) -> str:
    """The words below the figure."""
    return (
        f"For {shares.shown(results, MOST)}, the share of answers on synthetic and on real cases that were wrong (left "
        "of the zero line: false negative, FN, or false positive, FP) and right (right of it: true positive, TP, or "
        "true negative, TN), each with full (FC, strong) or partial certainty (PC, muted); unsure answers are centred "
        "on the zero line. The further a bar reaches to the right, the better that class was recognised."
    )


def draw(results: dict[str, Any]) -> Figure:
    """The figure."""
    from matplotlib.patches import Patch

    readers = list(shares.panels(results, MOST))
    table = numbers(results)
    figure = style.figure(style.DOUBLE, min(max(1.5, 0.16 * len(readers) + 0.8), style.TALLEST))
    for axes, truth in zip(figure.subplots(1, 2, sharey=True), ("synthetic", "real"), strict=True):
        for y, reader in enumerate(readers):
            parts = [r["share"] or 0.0 for r in table if (r["reader"], r["truth"]) == (reader, truth)]
            left = -parts[0] - parts[1] - parts[2] / 2
            for category, share in zip(CATEGORIES[truth], parts, strict=True):
                axes.barh(y, share, left=left, height=0.78, color=COLOURS[category], edgecolor="white", linewidth=0.4)
                left += share
        axes.axvline(0, color=style.INK, linewidth=0.7)
        axes.set(title=f"{truth} cases", xlim=(-1, 1), ylim=(len(readers) - 0.4, -0.6), xlabel="share of the answers")
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["100\u202f%", "50\u202f%", "0", "50\u202f%", "100\u202f%"])
        axes.set_yticks(range(len(readers)), readers, fontsize=6.5 if len(readers) <= 40 else 4.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        style.grid(axes, "x")
    handles = [Patch(facecolor=colour, label=shares.short(*category)) for category, colour in COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=9, handlelength=1, columnspacing=1.2)
    return figure
