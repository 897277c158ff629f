"""Figures of several kinds of synthetic images: generators that share their real cases, or subgroups of the cases.

Question: on other cases, would other readers be fooled more often by one generator than by another? Each kind is a
*cell*: its synthetic cases and their real reference cases. Generators share the real cases, so their AUCs are
correlated; subgroups share none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import few_readers, mrmc, readings
from analysis.statistics.arrays import Floats, as_levels, as_truth, one_of
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.readings import TOO_FEW, Figures
from analysis.statistics.scoring import UNSURE, credits

FIGURES = ("fooled", "accuracy", "auc", "dprime")
NULLS = {"fooled": 0.5, "accuracy": 0.5, "auc": 0.5, "dprime": 0.0}
NAMES = {"fooled": "share called real", "accuracy": "balanced accuracy", "auc": "AUC", "dprime": "d'"}


class Cell(NamedTuple):
    """The synthetic cases of one kind and their real reference cases, with one flag per case."""

    synthetic: NDArray[np.bool_]
    real: NDArray[np.bool_]


def by_source(truth: ArrayLike, sources: Sequence[str]) -> dict[str, Cell]:
    """Return a cell for each source of synthetic cases, sorted by name; all cells have all real cases.

    `sources`: one name per case; synthetic cases without a name are in no cell. Raises ValueError for a wrong length.

    >>> {name: cell.synthetic.sum().item() for name, cell in by_source([0, 1, 1, 1], ["", "A", "B", "A"]).items()}
    {'A': 2, 'B': 1}
    """
    synthetic, named = as_truth(truth, np.size(truth)), np.array(sources, dtype=str)
    if named.shape != synthetic.shape:
        raise ValueError(f"sources: expected one name for each of the {synthetic.size} cases, got {named.size}")
    return {
        str(name): Cell(synthetic & (named == name), ~synthetic) for name in np.unique(named[synthetic]) if str(name)
    }


def figures(levels: ArrayLike, cells: Sequence[Cell], figure: str, rule: str = "fractional") -> Figures:
    """Return every reader's figure in every cell, and its dependence on each case.

    `levels`: readers x cases, 1 to 5, NaN = not read; `figure`: "fooled", the share of synthetic cases called real
    (unsure is not fooled); "accuracy", the mean credit under `rule` with equal weight for both classes, because sources
    differ in number while the real cases are the same; "auc", the empirical area (jackknife); "dprime" with the
    log-linear correction, without unsure answers (delta method). A reader needs two cases of each class in every cell.
    `value` is cells x readers, `influence` cells x readers x cases, as in `readings.figures`.

    >>> cells = by_source([0, 0, 0, 1, 1, 1, 1], ["", "", "", "A", "A", "B", "B"]).values()
    >>> figures([[1, 2, 4, 5, 1, 1, 2], [1, 3, 2, 4, 5, 1, 4]], list(cells), "fooled").value.tolist()
    [[0.5, 0.0], [1.0, 0.5]]
    """
    one_of(figure, FIGURES, "figure")
    array = as_levels(levels, ndim=2)
    if figure == "auc":
        used = np.array([cell.synthetic | cell.real for cell in cells])
        stacked = np.where(used[:, None], array, np.nan)
        return readings.figures(readings.as_readings(stacked, _synthetic(cells)), "auc", "jackknife")
    shape = len(cells), *array.shape
    value, influence = np.full(shape[:2], np.nan), np.zeros(shape)
    reasons: dict[int, str] = {}
    for number, cell in enumerate(cells):
        used = cell.synthetic if figure == "fooled" else cell.synthetic | cell.real
        own, synthetic = array[:, used], cell.synthetic[used]
        each, leaning, faults = _of_cell(own, synthetic, figure, rule)
        value[number], influence[number][:, used] = each, leaning
        reasons |= faults
    return Figures(value, influence, reasons)


def _synthetic(cells: Sequence[Cell]) -> NDArray[np.bool_]:
    return np.any([cell.synthetic for cell in cells], axis=0)


def _of_cell(
    levels: Floats, synthetic: NDArray[np.bool_], figure: str, rule: str
) -> tuple[Floats, Floats, dict[int, str]]:
    if figure == "accuracy":
        scores = np.array([credits(row, synthetic, rule) for row in levels]).reshape(levels.shape)
    else:
        unread = np.isnan(levels) | ((levels == UNSURE) & (figure == "dprime"))
        called = levels < UNSURE if figure == "fooled" else levels > UNSURE
        scores = np.where(unread, np.nan, called)
    sides = [
        readings.figures(readings.as_readings(scores, synthetic, endpoint), endpoint)
        for endpoint in ("sensitivity", "specificity")[: 1 if figure == "fooled" else 2]
    ]
    value, influence = (np.array([getattr(side, part)[0] for side in sides]) for part in ("value", "influence"))
    faults = {reader: why for side in sides for reader, why in side.reasons.items()}
    if figure == "dprime":
        value, influence = _probits(value, influence, scores, synthetic)
    elif figure == "accuracy":
        value, influence = value / 2, influence / 2
    return value.sum(axis=0), influence.sum(axis=0), faults


def _probits(value: Floats, influence: Floats, scores: Floats, synthetic: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """z(H) and -z(F) of each reader from both rates, with the log-linear correction."""
    normal = NormalDist()
    z, leaning = np.full(value.shape, np.nan), np.zeros(influence.shape)
    for side, (mask, sign) in enumerate(((synthetic, 1), (~synthetic, -1))):
        counts = (~np.isnan(scores[:, mask])).sum(axis=1)
        for reader in np.flatnonzero(np.isfinite(value[side])):
            n = int(counts[reader])
            quantile = normal.inv_cdf((float(value[side, reader]) * n + 0.5) / (n + 1))
            z[side, reader] = sign * quantile
            leaning[side, reader] = sign * influence[side, reader] * n / (n + 1) / normal.pdf(quantile)
    return z, leaning


def mean(found: Figures, cell: int, figure: str) -> Estimate:
    """The readers' mean figure in one cell, readers and cases random; p is against chance ("fooled" has no p).

    `found` is the result of `figures`; `cell` one of its rows. Readers without the figure are left out and counted.

    >>> cells = by_source([0, 0, 0, 1, 1, 1, 1], ["", "", "", "A", "A", "B", "B"]).values()
    >>> levels = [[1, 2, 4, 5, 1, 1, 2], [1, 3, 2, 4, 5, 1, 4]]
    >>> mean(figures(levels, list(cells), "fooled"), 1, "fooled").value
    0.75
    """
    kept, extra = _kept(found)
    name = NAMES[one_of(figure, FIGURES, "figure")]
    if not kept.any():
        return undefined(f"no reader has a figure, because {TOO_FEW}", name, **extra)
    one = mrmc.of_figures(found.value[cell, kept], found.influence[cell, kept], name, null=NULLS[figure])
    # The share called real has no chance level, so there is no test.
    return replace(one, p=None if figure == "fooled" else one.p, extra=one.extra | extra)


def difference(found: Figures, first: int, second: int, figure: str) -> Estimate:
    """The figure of one cell minus that of another, paired by readers and by shared cases.

    For two modalities this is the Obuchowski-Rockette analysis itself, with separate variances: MS of the readers'
    differences, and Cov2 - Cov3 from the cases, cut at 0 (Hillis 2014, Stat Med 33:330). Cells that share no case have
    Cov1 = Cov3 = 0. p is against no difference.

    >>> cells = by_source([0, 0, 0, 1, 1, 1, 1], ["", "", "", "A", "A", "B", "B"]).values()
    >>> levels = [[1, 2, 4, 5, 1, 1, 2], [1, 3, 2, 4, 5, 1, 4], [2, 2, 4, 5, 4, 1, 4]]
    >>> round(difference(figures(levels, list(cells), "auc"), 0, 1, "auc").value, 3)
    0.389
    """
    name = f"difference in {NAMES[one_of(figure, FIGURES, 'figure')]}"
    return contrast(found, {first: 1.0, second: -1.0}, name)


def contrast(found: Figures, weights: dict[int, float], name: str) -> Estimate:
    """Any weighted sum of cells, such as an interaction (A - B here, less A - B there); readers and cases random.

    p is against 0.

    With three to five readers it uses Welch's critical values (`few_readers.leading_difference`).

    >>> cells = by_source([0, 0, 0, 1, 1, 1, 1], ["", "", "", "A", "A", "B", "B"]).values()
    >>> found = figures([[1, 2, 4, 5, 1, 1, 2], [1, 3, 2, 4, 5, 1, 4]], list(cells), "fooled")
    >>> contrast(found, {0: 1, 1: -1}, "difference").value
    -0.5
    """
    kept, extra = _kept(found)
    if not kept.any():
        return undefined(f"no reader has a figure, because {TOO_FEW}", name, **extra)
    value, influence = (
        sum(weight * part[cell, kept] for cell, weight in weights.items()) for part in (found.value, found.influence)
    )
    one = few_readers.leading_difference(mrmc.of_figures(value, influence, name, null=0.0), extra["readers"] - 1)
    return replace(one, extra=one.extra | extra)


def together(found: Figures, figure: str) -> Estimate:
    """Do the cells differ at all? F test over all of them, readers and cases random; for two cells as in `difference`.

    >>> cells = by_source([0, 0, 0, 1, 1, 1, 1], ["", "", "", "A", "A", "B", "B"]).values()
    >>> levels = [[1, 2, 4, 5, 1, 1, 2], [1, 3, 2, 4, 5, 1, 4], [2, 2, 4, 5, 4, 1, 4]]
    >>> round(together(figures(levels, list(cells), "auc"), "auc").p, 2)
    0.39
    """
    kept, extra = _kept(found)
    name = NAMES[one_of(figure, FIGURES, "figure")]
    if len(found.value) < 2 or not kept.any():
        reason = f"no reader has a figure, because {TOO_FEW}" if len(found.value) > 1 else "there is nothing to compare"
        return undefined(reason, name, **extra)
    one = mrmc.of_figures(found.value[:, kept], found.influence[:, kept], name)
    if len(found.value) == 2:
        one = few_readers.leading_difference(one, extra["readers"] - 1)
    return replace(one, extra={key: one.extra[key] for key in ("statistic", "df1") if key in one.extra} | extra)


def interaction(found: Figures, rows: Sequence[Sequence[int]], figure: str) -> Estimate:
    """Does the difference between two kinds vary between subgroups? F test over subgroups.

    `rows`: for each subgroup the two cells of `found`, first and second. For two subgroups, the value is the difference
    of the differences, first subgroup minus second.

    >>> truth, sources = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], ["", "", "", *"AAAABBBB"]
    >>> cells = by_source(truth, ["", "", "", "A1", "A1", "A2", "A2", "B1", "B1", "B2", "B2"]).values()
    >>> levels = [[1, 2, 3, 1, 2, 5, 4, 5, 4, 5, 1], [1, 2, 3, 1, 2, 1, 4, 5, 4, 5, 1]]
    >>> interaction(figures(levels, list(cells), "fooled"), [(0, 2), (1, 3)], "fooled").value
    1.25
    """
    first, second = [one for one, _ in rows], [two for _, two in rows]
    return together(
        Figures(
            found.value[first] - found.value[second], found.influence[first] - found.influence[second], found.reasons
        ),
        figure,
    )


def _kept(found: Figures) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Readers with a figure in every cell, and how many have and lack one."""
    kept: NDArray[np.bool_] = np.array(np.isfinite(found.value).all(axis=0))
    return kept, {"readers": int(kept.sum()), "readers_left_out": int((~kept).sum())}
