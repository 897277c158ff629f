"""Subgroups of cases in a rating study: figures in each, differences between them, and interactions with sources.

The statistics are in `analysis.statistics`; this module calls them and arranges the results.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from analysis.designs.rating.reader import Levels, Truth
from analysis.designs.rating.sources import MOST, each, short
from analysis.responses import Responses, natural
from analysis.responses.subgroups import unfit
from analysis.statistics import multiplicity
from analysis.statistics import sources as by
from analysis.statistics.sources import FIGURES, Cell

INTERACTION = ("fooled", "auc")
FEWEST = 10  # cases of a class in a subgroup; the report warns if there are fewer


def measure(responses: Responses, levels: Levels, truth: Truth, lead: str) -> dict[str, Any] | None:
    """`subgroups` for results.json, one entry per column; None if there are none. Arguments as in `sources.measure`.

    `declared`: whether the study declared the column before it opened, or only this report. `small`: subgroups with few
    cases of a class. Holm corrects the tests of a figure over columns, and those of interactions over columns and
    pairs.
    """
    given: Mapping[str, Mapping[str, str]] = responses.study.get("subgroups") or {}
    if not given:
        return None
    declared = responses.study.get("declared") or ()
    named = dict(zip(responses.table["case"], responses.table["source"], strict=True))
    sources = by.by_source(truth, [str(named[case]) for case in responses.case_names])
    told: dict[str, Any] = {}
    family: dict[str, dict[str, float | None]] = {figure: {} for figure in (*FIGURES, "interaction")}
    for column, values in given.items():
        labels = np.array([values.get(case, "") for case in responses.case_names], dtype=str)
        names = sorted(set(labels) - {""}, key=natural)
        cells = {name: Cell((truth == 1) & (labels == name), (truth == 0) & (labels == name)) for name in names}
        known = {"declared": column in declared, "unknown": int((labels == "").sum())}
        if why := unfit(names):
            told[column] = known | {"reason": why, "each": {}, "small": [], "together": {}, "interactions": []}
            continue
        found = {figure: by.figures(levels, list(cells.values()), figure, lead) for figure in FIGURES}
        told[column] = known | {
            "each": each(levels, cells, found),
            "small": [name for name, cell in cells.items() if min(cell.synthetic.sum(), cell.real.sum()) < FEWEST],
            "together": {figure: short(by.together(found[figure], figure)) for figure in FIGURES},
            "interactions": _interactions(levels, cells, sources if len(sources) <= MOST else {}, lead),
        }
        for figure, test in told[column]["together"].items():
            family[figure][column] = test.p
        for number, pair in enumerate(told[column]["interactions"]):
            family["interaction"][f"{len(told) - 1}/{number}"] = pair["test"].p
    columns = list(told)
    for row in multiplicity.adjust(family):
        if row.family == "interaction":
            place, line = (int(part) for part in row.name.split("/"))
            told[columns[place]]["interactions"][line]["holm"] = row.holm
        else:
            told[row.name]["together"][row.family].extra["holm"] = row.holm
    return told


def _interactions(
    levels: Levels, subgroups: Mapping[str, Cell], sources: Mapping[str, Cell], lead: str
) -> list[dict[str, Any]]:
    """Test, for each pair of sources, whether their difference is the same in all subgroups."""
    lines = []
    for first, second in combinations(sources, 2):
        cells = [
            Cell(sources[source].synthetic & of.synthetic, of.real)
            for of in subgroups.values()
            for source in (first, second)
        ]
        rows = [(2 * number, 2 * number + 1) for number in range(len(subgroups))]
        for figure in INTERACTION:
            test = short(by.interaction(by.figures(levels, cells, figure, lead), rows, figure))
            lines.append({"figure": figure, "first": first, "second": second, "test": test})
    return lines
