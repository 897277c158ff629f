"""The tables of the report: each cell points into results.json, so that HTML, CSV, TeX and xlsx agree."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from analysis.designs import find
from analysis.report.tables import bayes, conditions, guidelines, marks, registered
from analysis.report.tables.table import Table


def of_design(name: str) -> Any:
    """Return the module with the tables of a design."""
    return import_module(find(name).tables)


def all_tables(results: dict[str, Any]) -> list[Table]:
    """Return every table of the report, in order; only the flow for a design without measures."""
    tables: list[Table] = of_design(results["design"]).all_tables(results)
    tables += (
        conditions.all_tables(results)
        + marks.all_tables(results)
        + bayes.all_tables(results)
        + registered.all_tables(results)
    )
    return tables + guidelines.all_tables(results, tables)
