"""The nine shares of every reader: TP, TN, FP, FN, each fully or partially certain, and unsure."""

from __future__ import annotations

from typing import Any

from analysis.figures import style

CATEGORIES = (
    ("TP", "full", "synthetic called synthetic, fully certain", style.BLUE),
    ("TP", "partial", "synthetic called synthetic, partially certain", style.light(style.BLUE)),
    ("TN", "full", "real called real, fully certain", style.GREEN),
    ("TN", "partial", "real called real, partially certain", style.light(style.GREEN)),
    ("unsure", "", "unsure", style.UNSURE),
    ("FP", "partial", "real called synthetic, partially certain", style.light(style.ORANGE)),
    ("FP", "full", "real called synthetic, fully certain", style.ORANGE),
    ("FN", "partial", "synthetic called real, partially certain", style.light(style.VERMILION)),
    ("FN", "full", "synthetic called real, fully certain", style.VERMILION),
)


def rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per reader and category: its count and its share of the reader's answers."""
    found = []
    for reader, measured in results["readers"].items():
        for category, certainty, meaning, _ in CATEGORIES:
            counts = measured["confusion"][category]
            count = counts[certainty] if certainty else sum(counts.values())
            share = count / measured["n"] if measured["n"] else None
            found.append(
                {"reader": reader, "category": category, "certainty": certainty, "meaning": meaning}
                | {"count": count, "share": share}
            )
    return found
