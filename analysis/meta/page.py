"""The folder written by `discern meta`: the page, the numbers, a table of the studies, the figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analysis.report import document, figures
from analysis.report.files import csv_text
from analysis.report.tables import meta
from analysis.report.tables.table import plain

FIGURES = ("meta_forest", "meta_funnel", "meta_pair")


def write(results: dict[str, Any], folder: Path) -> None:
    """Write meta.html, meta.json, studies.csv, not_pooled.csv and figures/ into `folder`."""
    drawn = figures.make_all(FIGURES, results, folder / "figures", workers=1)
    tables = [make(results) for make in meta.ORDER]
    (folder / "meta.json").write_text(
        json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )
    (folder / "meta.html").write_text(document.page(results, tables, drawn, "meta/page.html"), encoding="utf-8")
    for table, name in zip(tables, ("studies", "not_pooled"), strict=False):
        (folder / f"{name}.csv").write_text(csv_text(*plain(results, table)), encoding="utf-8", newline="")
