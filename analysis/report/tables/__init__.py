"""The tables of the report: each cell points into results.json, so that HTML, CSV, TeX and xlsx say the same."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from analysis.designs import find
from analysis.report.tables import bayes, conditions, guidelines, marks, registered
from analysis.report.tables.table import Table


def of_design(name: str) -> Any:
    """The module with the tables of a design."""
    return import_module(find(name).tables)


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Every table of the report, in its order; of a design that is not measured only the flow."""
    tables: list[Table] = of_design(results["design"]).all_tables(results)
    tables += (
        conditions.all_tables(results)
        + marks.all_tables(results)
        + bayes.all_tables(results)
        + registered.all_tables(results)
    )
    return tables + guidelines.all_tables(results, tables)
