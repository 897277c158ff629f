"""Reporting guidelines as tables: what each item asks for, in our words, and where this report answers it.

The items are in guidelines.csv: guideline, number, what it asks for, which parts of a report address it, and a number
from the results. Items not addressed by the report are for the authors.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

from analysis.report.tables.table import Cell, Row, Table, find

ITEMS = Path(__file__).parents[1] / "guidelines.csv"
AUTHORS = "for the authors"
TITLES = {
    "claim": "CLAIM 2024: artificial intelligence in medical imaging",
    "stard_ai": "STARD-AI: diagnostic accuracy with artificial intelligence",
    "tripod_ai": "TRIPOD+AI: prediction models",
    "decide_ai": "DECIDE-AI: early clinical evaluation",
    "grras": "GRRAS: reliability and agreement",
    "synthetic": "Synthetic images: what reviews and guidance ask",
}
CHECKED = {
    "claim": "From a summary of the 2024 update; not checked against the published table, so please check them.",
    "stard_ai": "The numbers come from one copy of Table 2 of Nature Medicine 31:3283.",
    "tripod_ai": "The numbers come from two copies of the checklist of BMJ 385:e078378.",
    "decide_ai": "The numbers come from two copies of Table 2 of BMJ 377:e070904; items I to X are the general ones.",
    "grras": "The numbers come from two copies of Table 1 of J Clin Epidemiol 64:96.",
    "synthetic": "No guideline with numbered items was found; the numbers are ours.",
}

# Parts of a report: their section and tables.
SHARED = {
    "findings": ("Findings in plain words", ()),
    "methods": ("Methods", ()),
    "limitations": ("Limitations seen in the data", ()),
    "flow": ("Flow and checklists", ("flow",)),
    "checklist": ("Flow and checklists", ()),
    "head": ("Top of the page", ()),
    "marks": ("What gave it away", ("marks_reasons", "marks_cases")),
    "files": ("results.json and the tables in the report folder", ()),
}
PARTS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "rating": {
        "accuracy": ("Overall results", ("overall",)),
        "readers": ("Results for each reader", ("readers", "rules")),
        "confusion": ("Results for each reader", ("confusion",)),
        "groups": ("Groups of readers", ("groups", "comparisons", "experience")),
        "agreement": ("Agreement", ("agreement",)),
        "repeats": ("Agreement", ("repeats",)),
        "time": ("Order and time", ("order", "medians")),
        "cases": ("Cases", ("hardest",)),
        "detector": ("Cases", ("detector",)),
        "tests": ("Tests against chance", ("tests",)),
        "beside": ("Comparison with published studies", ("beside",)),
    },
    "quartet": {
        "accuracy": ("Overall results", ("overall",)),
        "readers": ("Results for each reader", ("readers",)),
        "confusion": ("Images chosen as real, by source", ("sources",)),
        "groups": ("Groups of readers", ("groups", "comparisons")),
        "agreement": ("Agreement and position effects", ("agreement",)),
        "repeats": ("Agreement and position effects", ("repeats",)),
        "time": ("Order and time", ("order", "times")),
        "cases": ("Quartets", ("fooled",)),
        "tests": ("Tests against chance", ("tests",)),
    },
    "comparison": {
        "accuracy": ("Preferences", ("preferences",)),
        "readers": ("Readers and groups", ("readers",)),
        "confusion": ("Answers for each method", ("answers",)),
        "groups": ("Readers and groups", ("groups",)),
        "agreement": ("Agreement and position effects", ("agreement",)),
        "repeats": ("Agreement and position effects", ("repeats",)),
        "time": ("Time", ("times",)),
        "cases": ("Cases", ("cases",)),
        "tests": ("Tests of preference", ("tests",)),
    },
    "staircase": {
        "accuracy": ("Thresholds", ("overall",)),
        "readers": ("Results for each reader", ("readers",)),
        "confusion": ("Errors on real and on synthetic images", ("errors",)),
        "groups": ("Groups of readers", ("groups", "comparisons")),
        "agreement": ("Agreement", ("agreement",)),
        "time": ("Order and time", ("order", "medians")),
        "cases": ("Cases", ("hardest",)),
    },
}


@cache
def items() -> tuple[dict[str, str], ...]:
    """Every item of every guideline, in order."""
    with ITEMS.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def all_tables(results: dict[str, Any], tables: list[Table]) -> list[Table]:
    """Return one table per guideline; `tables` are those of the report; items name only those that have rows."""
    filled = {table.name for table in tables if len(table.rows) > (table.name == "groups")}  # one group is none
    return [
        Table(
            f"guideline_{name}",
            title,
            f"What each item asks for, in our own words. {CHECKED[name]}",
            ("item", "what it asks for", "where in this report", "from the data"),
            [_row(one, results, filled) for one in items() if one["guideline"] == name],
        )
        for name, title in TITLES.items()
    ]


def _row(item: dict[str, str], results: dict[str, Any], filled: set[str]) -> Row:
    style, _, path = item["data"].partition(":")
    pointer = tuple(path.split("/"))
    known = bool(path) and find(results, pointer) is not None
    where = _where(item["places"], results["design"], filled)
    if not where and known:
        where = f"the number; its reason {AUTHORS}"
    return [item["item"], item["asks"], where or AUTHORS, Cell(style, pointer) if known else ""]


def _where(places: str, design: str, filled: set[str]) -> str:
    """Return sections and tables that address an item, each once; empty if the design has none."""
    known = SHARED | PARTS.get(design, {})
    said: dict[str, list[str]] = {}
    for place in filter(None, places.split(",")):
        if place not in known:
            continue
        section, tables = known[place]
        there = [f"tables/{name}.csv" for name in tables if name in filled]
        if tables and not there:
            continue
        said.setdefault(section, []).extend(there)
    return "; ".join(section + (f" ({', '.join(there)})" if there else "") for section, there in said.items())
