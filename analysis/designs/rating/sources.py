"""Comparison of generators in one rating study: which fooled readers more often, by how much, and in which subgroups.

The statistics are in `analysis.statistics`; this module calls them and arranges the results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.designs.rating.reader import Levels, Truth
from analysis.responses import Responses, natural
from analysis.statistics import detection, few_readers, mrmc, multiplicity, proportions, resampling, roc, scoring
from analysis.statistics import sources as by
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.readings import Figures
from analysis.statistics.sources import FIGURES, Cell

MOST = 12  # sources; if there are more, they are probably file names, not generators
KEPT = ("statistic", "df1", "readers", "readers_left_out")
EQUIVALENT = ("fooled", "accuracy", "auc")  # the figures to which the study's margin, a share, applies


def measure(
    responses: Responses, levels: Levels, truth: Truth, lead: str, margin: float, bootstrap: int, seed: int
) -> dict[str, Any] | None:
    """Return `sources` for results.json; None if the synthetic cases have fewer than two sources.

    Args:
        responses: the study's answers, with the source of each case.
        levels: readers x cases, 1 to 5.
        truth: 0 or 1 per case.
        lead: the rule for unsure answers in the main results.
        margin: within which two sources count as equivalent.
        bootstrap: number of replicates for the ranking.
        seed: seed of the ranking.
    """
    named = dict(zip(responses.table["case"], responses.table["source"], strict=True))
    labels = [str(named[case]) for case in responses.case_names]
    cells = by.by_source(truth, labels)
    cells = {name: cells[name] for name in sorted(cells, key=natural)}
    if len(cells) < 2:
        return None
    unnamed = int(truth.sum()) - sum(int(cell.synthetic.sum()) for cell in cells.values())
    if len(cells) > MOST:
        reason = f"{len(cells)} sources of synthetic images; at most {MOST} are compared"
        return {"names": [], "unnamed": unnamed, "margin": margin, "reason": reason}
    found = _figures(levels, cells, lead)
    return {
        "names": list(cells),
        "unnamed": unnamed,
        "margin": margin,
        "each": each(levels, cells, found),
        "readers": readers(levels, cells, responses.readers, lead),
        "together": {figure: short(by.together(found[figure], figure)) for figure in FIGURES},
        "pairs": pairs(levels, truth, cells, found, margin),
        "ranking": ranking(levels, cells, bootstrap, seed),
    }


def _figures(levels: Levels, cells: Mapping[str, Cell], lead: str) -> dict[str, Figures]:
    return {figure: by.figures(levels, list(cells.values()), figure, lead) for figure in FIGURES}


def each(levels: Levels, cells: Mapping[str, Cell], found: Mapping[str, Figures]) -> dict[str, Any]:
    """Return the results of each source: its numbers of cases and answers, and each figure over readers and cases."""
    return {
        name: {
            "cases": int(cell.synthetic.sum()),
            "real": int(cell.real.sum()),
            "answers": int(np.isfinite(levels[:, cell.synthetic]).sum()),
            **{figure: _mean(found[figure], number, figure) for figure in FIGURES},
        }
        for number, (name, cell) in enumerate(cells.items())
    }


def _mean(found: Figures, cell: int, figure: str) -> Estimate:
    one = by.mean(found, cell, figure)
    if figure != "dprime":
        one = few_readers.leading(one)
        one = replace(one, ci=one.ci and (max(0.0, one.ci[0]), min(1.0, one.ci[1])))
    return short(replace(one, p=None) if figure == "fooled" else one)


def short(one: Estimate) -> Estimate:
    """Return an estimate without its entries for each reader and each variance component."""
    return replace(one, extra={key: one.extra[key] for key in KEPT if key in one.extra})


def readers(levels: Levels, cells: Mapping[str, Cell], names: Sequence[str], lead: str) -> dict[str, Any]:
    """Return the results of every reader for every source; intervals generalise to other cases, for this reader."""
    return {
        name: {source: _reader(row, cell, lead) for source, cell in cells.items()}
        for name, row in zip(names, levels, strict=True)
    }


def _reader(row: NDArray[np.float64], cell: Cell, lead: str) -> dict[str, Any]:
    used = cell.synthetic | cell.real
    own, synthetic = row[used], cell.synthetic[used].astype(int)
    shown, answered = own[synthetic == 1], np.isfinite(own[synthetic == 1])
    count, fooled = int(answered.sum()), int((shown < scoring.UNSURE).sum())
    calls = [int((own[synthetic == side] > 3).sum()) for side in (1, 0)]
    denials = [int((own[synthetic == side] < 3).sum()) for side in (1, 0)]
    told = detection.dprime(calls[0], denials[0], calls[1], denials[1])
    return {
        "n": count,
        "fooled": proportions.interval(fooled, count) if count else undefined("no image of this source was judged"),
        "accuracy": _balanced(own, synthetic, lead),
        "auc": roc.auc(own, synthetic),
        "dprime": {"value": told.dprime} | told.as_dict(),
    }


def _balanced(own: NDArray[np.float64], synthetic: NDArray[np.int_], lead: str) -> Estimate:
    return scoring.score(own, synthetic, lead).balanced_accuracy()


def pairs(
    levels: Levels, truth: Truth, cells: Mapping[str, Cell], found: Mapping[str, Figures], margin: float
) -> list[dict[str, Any]]:
    """Compare all pairs of sources on every figure: difference (first minus second), Holm within a figure, equivalence.

    The first of a pair is the source whose images were called real more often. `by_ustatistics` is the difference in
    AUC by U-statistics.
    """
    names = list(cells)
    ordered = [
        (a, b) if (by.difference(found["fooled"], a, b, "fooled").value or 0) >= 0 else (b, a)
        for a, b in combinations(range(len(names)), 2)
    ]
    ways = _ustatistics(levels, truth, list(cells.values()), ordered)
    lines: list[dict[str, Any]] = []
    family: dict[str, dict[str, float | None]] = {figure: {} for figure in FIGURES}
    for figure in FIGURES:
        for a, b in ordered:
            difference = short(by.difference(found[figure], a, b, figure))
            if figure in EQUIVALENT:  # no difference of two shares is larger than 1
                limits = difference.ci and (max(-1.0, difference.ci[0]), min(1.0, difference.ci[1]))
                difference = replace(difference, ci=limits)
            line: dict[str, Any] = {"figure": figure, "first": names[a], "second": names[b], "difference": difference}
            if figure in EQUIVALENT:
                line["equivalence"] = mrmc.equivalence(difference, 0, margin)
            if figure == "auc":
                line["by_ustatistics"] = ways[a, b]
            family[figure][str(len(lines))] = difference.p
            lines.append(line)
    for row in multiplicity.adjust(family):
        lines[int(row.name)]["holm"] = row.holm
    return lines


def _ustatistics(
    levels: Levels, truth: Truth, cells: list[Cell], pairs: list[tuple[int, int]]
) -> dict[tuple[int, int], Estimate]:
    read = [np.where(cell.synthetic | cell.real, levels, np.nan) for cell in cells]
    return {(a, b): short(mrmc.ustatistics(np.array([read[a], read[b]]), truth)) for a, b in pairs}


def ranking(levels: Levels, cells: Mapping[str, Cell], bootstrap: int, seed: int) -> dict[str, Any]:
    """Count how often each source was the most convincing in resampled studies, by share called real and by AUC."""
    called = np.where(np.isnan(levels), np.nan, levels < scoring.UNSURE)
    told: dict[str, Any] = {"replicates": bootstrap, "seed": seed}
    for figure, scores, statistic in (("fooled", called, "sensitivity"), ("auc", levels, "auc")):
        found = resampling.ranking(scores, list(cells.values()), statistic, bootstrap, seed)
        told[figure] = {
            name: {"best": best, "ranks": ranks, "ci": limits}
            for name, best, ranks, limits in zip(
                cells, found.best.tolist(), found.ranks.tolist(), found.ci.tolist(), strict=True
            )
        }
        told[f"{figure}_undefined"] = found.undefined
    return told
