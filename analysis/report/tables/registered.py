"""The table that compares the study with its registration; none without a registration."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.table import Cell, Table

COLUMNS = ("part", "what", "registered", "done", "verdict")


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Return the table, if there is a registration."""
    lines = results.get("registration", {}).get("lines", [])
    table = Table(
        "registration",
        "Registered and done",
        "Every entry of the registration, what was done, and whether the two agree. Not known: the data do not show "
        "it, so the authors must say so.",
        COLUMNS,
        [[Cell("text", ("registration", "lines", at, column)) for column in COLUMNS] for at in range(len(lines))],
    )
    return [table] if lines else []
