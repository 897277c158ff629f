"""The interface of a design for the analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis.designs.common import Progress, Settings
from analysis.responses import Responses

Measure = Callable[[Responses, Settings, Progress], dict[str, Any]]
PASSAGES = ("findings", "methods", "limitations")


@dataclass(frozen=True)
class Design:
    """A design as the report sees it. Modules of the report are named, not imported; they are loaded when used.

    `measure` computes results.json; `tables` is the module with `all_tables(results)`, `headline(results)` and, for the
    workbook, `ANSWERS` and `answer(row)`; `figures` are modules of `analysis.report.figures`, in order;
    `templates` is the folder in `analysis/report/templates` with `page.html` and the `passages`, each NAME.j2.
    `exchange` says whether its answers are levels, which multi-reader multi-case software can read.
    """

    name: str
    measure: Measure
    tables: str
    templates: str
    figures: tuple[str, ...] = ()
    passages: tuple[str, ...] = PASSAGES
    exchange: bool = False
