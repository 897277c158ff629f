"""The nine shares of every reader: TP, TN, FP, FN, each fully or partially certain, and unsure."""

from __future__ import annotations

from typing import Any

from analysis.report.figures import style

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


def short(category: str, certainty: str) -> str:
    """Return the short name in legends: `TP FC`, `FN PC` or `unsure`."""
    return f"{category} {certainty[0].upper()}C" if certainty else category


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


def panels(results: dict[str, Any], most: int) -> dict[str, dict[str, list[int]]]:
    """Counts of levels by class for each reader; for more than `most` readers, for each group and for all together."""
    readers = {name: r for name, r in results["readers"].items() if r["n"]}
    if len(readers) <= most:
        return {name: reader["levels"] for name, reader in readers.items()}
    names = sorted({reader["group"] for reader in readers.values() if reader["group"]})
    those = {f"group {name}": [r for r in readers.values() if r["group"] == name] for name in names}
    those["all readers"] = list(readers.values())
    return {
        name: {
            truth: [sum(column) for column in zip(*(reader["levels"][truth] for reader in own), strict=True)]
            for truth in ("synthetic", "real")
        }
        for name, own in those.items()
    }


def shown(results: dict[str, Any], most: int) -> str:
    """Describe the readers that `panels` shows."""
    answered = sum(1 for reader in results["readers"].values() if reader["n"])
    return "each reader" if answered <= most else "each group of readers and all readers together"
