"""The tables of the rating design, in the report's order, its headline figures, and its answers in the workbook."""

from __future__ import annotations

from typing import Any

from analysis.report.tables import course, panel, reader, sources, subgroups
from analysis.report.tables.beside import beside
from analysis.report.tables.looks import looks
from analysis.report.tables.table import Pointer, Table, whole

ORDER = (
    *(reader.readers, reader.rules, reader.confusion, panel.overall, panel.groups, panel.comparisons, panel.experience),
    *(panel.agreement, panel.agreement_pairs, reader.repeats, reader.certainty, course.order, course.medians),
    *(
        course.use,
        course.times,
        course.times_model,
        course.model,
        course.spread,
        course.hardest,
        course.detector,
        course.cases,
    ),
    *(panel.tests, beside, course.flow, reader.predictive),
)


ANSWERS = ("case", "truth", "level", "answer", "certainty", "category", "position", "response_ms", "late")


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the report, in its order."""
    planned = [looks(results)] if "looks" in results else []
    planned += sources.all_tables(results) + subgroups.all_tables(results)
    return (
        [make(results) for make in ORDER] + planned + [reader.one_reader(results, name) for name in results["readers"]]
    )


def headline(results: dict[str, Any]) -> list[tuple[str, str, Pointer]]:
    """Return the figures that a notebook shows first: words, style and place in the results."""
    rule = results["settings"]["unsure"]
    return [
        (f"Accuracy ({rule})", "share_ci", ("overall", "accuracy", rule)),
        ("AUC", "number_ci", ("overall", "auc")),
    ]


def answer(row: Any) -> tuple[Any, ...]:
    """Return one answer of a reader as a line of the workbook; the category is TP, TN, FP, FN or unsure."""
    level = None if row.level != row.level else int(row.level)
    truth = "synthetic" if row.truth else "real"
    if level is None:
        return (row.case, truth, None, None, None, None, whole(row.position), whole(row.response_ms), None)
    answer = "unsure" if level == 3 else "synthetic" if level > 3 else "real"
    certainty = "" if level == 3 else "full" if level in (1, 5) else "partial"
    category = answer if level == 3 else ("T" if answer == truth else "F") + ("P" if level > 3 else "N")
    late = "late" if row.late == 1 else ""
    return (row.case, truth, level, answer, certainty, category, whole(row.position), whole(row.response_ms), late)
