"""The tables of the report: each cell points into results.json, so that HTML, CSV, TeX and xlsx say the same."""

from __future__ import annotations

from typing import Any

from analysis.report.tables import course, panel, reader
from analysis.report.tables.table import Table

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
    *(panel.tests, course.flow, reader.predictive),
)


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the report, in its order; of a design that is not measured only the flow."""
    if "left_out" in results:
        return [course.flow(results)]
    return [make(results) for make in ORDER] + [reader.one_reader(results, name) for name in results["readers"]]
