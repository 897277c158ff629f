"""The table of planned looks: their requirements and decisions."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import Cell, Row, Table

SAID = {
    "efficacy": "stop: the figure differs from chance",
    "futility": "stop: further readers or cases were unlikely to show a difference",
    "continue": "continue",
    "end": "the last look: no difference from chance was shown",
}


def looks(results: dict[str, Any]) -> Table:
    """Return one row per planned look; empty if none was planned."""
    given = results.get("looks", {})
    taken = {one["look"]: one["decision"] for one in given.get("taken", [])}
    rows: list[Row] = []
    for i, _ in enumerate(given.get("plan", {}).get("looks", [])):
        at = ("looks", "plan", "looks", i)
        rows.append(
            [
                str(i + 1),
                *(Cell("count", (*at, name)) for name in ("readers", "cases")),
                Cell("share", (*at, "information")),
                Cell("p", (*at, "level")),
                SAID[taken[i + 1]] if i + 1 in taken else "not taken",
            ]
        )
    return Table(
        "looks",
        "Planned looks",
        "A look advises stopping if its two-sided p is at most its level; together the levels spend alpha.",
        ("look", "readers", "cases", "information", "level", "decision"),
        rows,
    )
