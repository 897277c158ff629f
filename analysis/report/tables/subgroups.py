"""The tables of the subgroups of cases; none without subgroups."""

from __future__ import annotations

from typing import Any

from analysis.report.tables.sources import FIGURES, STYLES
from analysis.report.tables.table import RULES, Cell, Table, cells


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the section, in its order."""
    made = [make(results) for make in (each, together, interactions)] if "subgroups" in results else []
    return [table for table in made if table.rows]


def each(results: dict[str, Any]) -> Table:
    wanted = [("count", "cases"), ("count", "real"), *((STYLES[figure], figure) for figure in FIGURES)]
    return Table(
        "subgroups_each",
        "Subgroups of the images",
        f"Share of synthetic images called real, balanced accuracy ({RULES[results['settings']['unsure']]}), area "
        "under the ROC curve and d' among the images of each subgroup; means of the readers with 95 % intervals over "
        "readers and cases.",
        ("column", "subgroup", "synthetic", "real", "called real", "accuracy", "AUC", "d'"),
        [
            [column, name, *cells(("subgroups", column, "each", name), wanted)]
            for column, told in results["subgroups"].items()
            for name in told["each"]
        ],
    )


def together(results: dict[str, Any]) -> Table:
    wanted = [("number", "statistic"), ("count", "df1"), ("df", "df"), ("p", "p"), ("p", "holm")]
    return Table(
        "subgroups_together",
        "All subgroups together",
        "One test of all subgroups of a column for each measure, readers and cases random. Holm: corrected for the "
        "number of columns.",
        ("column", "figure", "F", "df", "df of the denominator", "p", "Holm"),
        [
            [column, words, *cells(("subgroups", column, "together", figure), wanted)]
            for column, told in results["subgroups"].items()
            for figure, words in FIGURES.items()
            if told["together"]
        ],
    )


def interactions(results: dict[str, Any]) -> Table:
    wanted = [("number", "statistic"), ("count", "df1"), ("df", "df"), ("p", "p")]
    return Table(
        "subgroups_interactions",
        "Differences between sources, by subgroup",
        "Whether two sources differ by the same amount in all subgroups of a column (test of the interaction), "
        "readers and cases random. Holm: corrected for the number of these tests.",
        ("column", "figure", "first", "second", "F", "df", "df of the denominator", "p", "Holm"),
        [
            [
                *(column, FIGURES[line["figure"]], line["first"], line["second"]),
                *cells(("subgroups", column, "interactions", i, "test"), wanted),
                Cell("p", ("subgroups", column, "interactions", i, "holm")),
            ]
            for column, told in results["subgroups"].items()
            for i, line in enumerate(told["interactions"])
        ],
    )
