"""Interim looks: after planned numbers of readers or cases, stop or continue a study.

A look tests the readers' mean figure against chance, readers and cases random (`statistics.few_readers`), and compares
its p with the level of that look (`statistics.sequential`). The information of each look is planned from the Roe-Metz
model: if readers are added to the same cases, the information rises less than their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from analysis.planning.power import check_design
from analysis.planning.roe_metz import RoeMetz, class_sizes, to_levels
from analysis.statistics import sequential
from analysis.statistics.arrays import Floats, one_of
from analysis.statistics.estimate import Estimate
from analysis.statistics.proportions import interval
from analysis.statistics.stopping import ENDPOINTS, Looks, adjust, decide, measure

FEWEST_READERS = 3
BLOCK = 50  # simulated studies in one job


def plan(
    endpoint: str,
    readers: Sequence[int],
    cases: Sequence[int],
    *,
    null: float = 0.5,
    model: RoeMetz | None = None,
    alpha: float = 0.05,
    spending: str = "obrien-fleming",
    futility: float | None = None,
) -> Looks:
    """The looks of a study on mean "auc" or "accuracy" against `null`, two-sided at `alpha`.

    `readers`, `cases`: numbers at each look, or one number for all looks; neither falls, and every look has more of
    one.
    `spending`: "obrien-fleming" or "pocock" (see `statistics.sequential.spend`); `futility`: stop if the conditional
    power under the current trend is below this. The information of a look is 1 / variance of the mean, from the
    components of `model` for readers at chance. Raises ValueError for invalid numbers, and for fewer than three readers
    at a look.

    >>> looks = plan("auc", [3, 4, 6], [200])
    >>> [round(share, 2) for share in looks.planned.information], [round(level, 4) for level in looks.planned.levels]
    ([0.57, 0.72, 1.0], [0.0059, 0.0151, 0.0446])
    """
    one_of(endpoint, ENDPOINTS, "endpoint")
    if futility is not None and not 0 < futility < 1:
        raise ValueError(f"futility: expected a conditional power between 0 and 1, got {futility:g}")
    if not 0 < null < 1:
        raise ValueError(f"null: expected a number between 0 and 1, got {null:g}")
    if not readers or not cases:
        raise ValueError("readers, cases: expected a number for each look")
    count = max(len(readers), len(cases))
    for name, given in (("readers", readers), ("cases", cases)):
        if len(given) not in (1, count):
            raise ValueError(f"{name}: expected 1 number or {count}, one for each look, got {len(given)}")
    sizes = [(int(readers[k if len(readers) > 1 else 0]), int(cases[k if len(cases) > 1 else 0])) for k in range(count)]
    for look, (own, seen) in enumerate(sizes, start=1):
        check_design(own, seen, alpha)
        if own < FEWEST_READERS:
            raise ValueError(f"readers: expected three or more at every look, got {own} at look {look}")
    for before, now in pairwise(sizes):
        if now == before or now[0] < before[0] or now[1] < before[1]:
            raise ValueError(f"looks: expected more readers or cases at each look, got {before} and then {now}")
    model = model or RoeMetz()
    information = [1 / _variance(model, endpoint, null, *size) for size in sizes]
    planned = sequential.boundaries(information, alpha, spending)
    return Looks(endpoint, null, tuple(own for own, _ in sizes), tuple(seen for _, seen in sizes), planned, futility)


def rows(looks: Looks, value: float, model: RoeMetz | None = None) -> list[dict[str, Any]]:
    """Return a row for each look, with the power to have stopped by then if the mean figure is `value`.

    The normal distribution is slightly optimistic with few readers; `simulate` shows by how much.

    >>> [round(row["power"], 2) for row in rows(plan("auc", [4, 6, 8], [200]), 0.65)]
    [0.6, 0.89, 0.97]
    """
    model = model or RoeMetz()
    spread = math.sqrt(_variance(model, looks.endpoint, value, looks.readers[-1], looks.cases[-1]))
    found = sequential.exits(looks.planned.information, looks.planned.critical, (value - looks.null) / spread)
    stopped = np.cumsum(found.upper + found.lower)
    listed = looks.as_dict()["looks"]
    return [look | {"power": float(power)} for look, power in zip(listed, stopped, strict=True)]


def simulate(
    looks: Looks,
    value: float,
    *,
    model: RoeMetz | None = None,
    studies: int = 2000,
    seed: int = 0,
    jobs: int = 1,
) -> Estimate:
    """Power of the looks (type I error if `value` is the null), by simulated studies with readers and cases random.

    The value is the share of studies that a look stopped for efficacy, or that the last look rejects, with its Wilson
    interval. `stops`: number that ended at each look, `in_vain` for futility; `readers_mean`, `cases_mean`: average
    numbers needed; `coverage` of the adjusted and `coverage_unadjusted` of the plain intervals; `above`: the share of
    adjusted estimates above the truth, one half if median-unbiased.

    >>> found = simulate(plan("accuracy", [3, 6], [60]), 0.8, studies=60)
    >>> found.value > 0.9, found.stops[0] > 0
    (True, True)
    """
    from joblib import Parallel, delayed

    if studies < 2:
        raise ValueError(f"studies: expected 2 or more, got {studies}")
    model = model or RoeMetz()
    blocks = [range(start, min(start + BLOCK, studies)) for start in range(0, studies, BLOCK)]
    work = (delayed(_studies)(looks, value, model, seed, block) for block in blocks)
    rows = np.concatenate(Parallel(n_jobs=jobs)(work))
    stopped, rejects, in_vain, covered, plain, above = rows.T
    ends = [int((stopped == look).sum()) for look in range(len(looks.readers))]
    at = stopped.astype(int)
    extra = {
        "studies": studies,
        "seed": seed,
        "stops": ends,
        "in_vain": [int((in_vain[stopped == look]).sum()) for look in range(len(looks.readers))],
        "readers_mean": float(np.array(looks.readers)[at].mean()),
        "cases_mean": float(np.array(looks.cases)[at].mean()),
        "coverage": float(np.nanmean(covered)),
        "coverage_unadjusted": float(np.nanmean(plain)),
        "above": float(np.nanmean(above)),
        "undefined": int(np.isnan(covered).sum()),
    }
    name = f"{studies} simulated studies with {len(ends)} looks ({looks.planned.spending}), readers and cases random"
    return replace(interval(int(rejects.sum()), studies), method=name, extra=extra)


def _studies(looks: Looks, value: float, model: RoeMetz, seed: int, block: range) -> Floats:
    """One row per study: where it ended, whether it rejects, whether it was futile, and what its intervals cover."""
    true = model.five_level_auc(value) if looks.endpoint == "auc" else value
    rows = []
    for number in block:
        rng = np.random.default_rng([seed, number])
        scores, truth = model.draw(rng, value, looks.readers[-1], looks.cases[-1], looks.endpoint)
        scores = to_levels(scores) if looks.endpoint == "auc" else ((scores > 0) == (truth == 1)).astype(float)
        for look, (readers, cases) in enumerate(zip(looks.readers, looks.cases, strict=True)):
            seen = _first(truth, cases)
            found = measure(scores[:readers][:, seen], truth[seen], looks.endpoint, looks.null)
            said = decide(found, look, looks)
            if said != "continue":
                break
        after = adjust(found, look, looks)
        plain, own = (np.nan if one.ci is None else one.ci[0] <= true <= one.ci[1] for one in (found, after))
        rows.append((look, said == "efficacy", said == "futility", own, plain, _half(after.value, true)))
    return np.array(rows, dtype=float)


def _half(value: float | None, true: float) -> float:
    return math.nan if value is None else 0.5 + 0.5 * float(np.sign(value - true))


def _first(truth: Floats, cases: int) -> Floats:
    """Return the first cases, half from each class."""
    sizes = class_sizes(cases, 0.5)
    return np.concatenate([np.flatnonzero(truth == side)[:size] for side, size in zip((1, 0), sizes, strict=True)])


def _variance(model: RoeMetz, endpoint: str, null: float, readers: int, cases: int) -> float:
    parts = model.components(null, cases, endpoint)
    return (parts["reader"] + parts["error"] + (readers - 1) * parts["cov2"]) / readers
