"""What there is to show of a design that is not measured: the flow, and every answer as it was given."""

from __future__ import annotations

from typing import Any

from analysis.report.tables import course
from analysis.report.tables.table import Pointer, Table, whole

ANSWERS = ("trial", "case", "truth", "place", "criterion", "value", "chosen", "realism", "position", "response_ms")


def all_tables(results: dict[str, Any]) -> list[Table]:
    """The flow."""
    return [course.flow(results)]


def headline(results: dict[str, Any]) -> list[tuple[str, str, Pointer]]:
    """Nothing was measured."""
    return []


def answer(row: Any) -> tuple[Any, ...]:
    """One row of a reader as a line of the workbook."""
    truth = "synthetic" if row.truth else "real"
    said = (row.place, row.criterion, row.value, row.chosen, row.realism)
    return (row.trial, row.case, truth, *said, whole(row.position), whole(row.response_ms))
