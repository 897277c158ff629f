"""Power, size and coverage by simulated studies from a model of readers and cases, over cores or machines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.planning.power import as_model, check_design
from analysis.planning.quartets import Quartets
from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics import distributions
from analysis.statistics.arrays import one_of
from analysis.statistics.estimate import Estimate
from analysis.statistics.mrmc import obuchowski_rockette
from analysis.statistics.proportions import interval

BLOCK = 50  # simulated studies in one job


@dataclass(frozen=True)
class _Plan:
    """The shared settings of all simulated studies, named as in `simulate`."""

    endpoint: str
    value: float
    readers: int
    cases: int
    null: float
    margin: float | None
    model: RoeMetz | Quartets
    covariance: str
    levels: bool
    seed: int
    alpha: float


def simulate(
    endpoint: str,
    value: float,
    readers: int,
    cases: int,
    *,
    null: float | None = None,
    margin: float | None = None,
    model: RoeMetz | Quartets | None = None,
    covariance: str = "jackknife",
    levels: bool = True,
    studies: int = 2000,
    seed: int = 0,
    jobs: int = 1,
    cluster: str | None = None,
    alpha: float = 0.05,
) -> Estimate:
    """Power (or size) and coverage by drawing studies from the model of the end point and analysing each.

    Each study is drawn with its own generator, seeded by (seed, number of the study), and analysed by
    Obuchowski-Rockette, readers and cases random; so the result does not depend on how the work is spread: over `jobs`
    cores, or over the machines of the Dask scheduler at address `cluster`. "auc" readings are five levels, or
    continuous if `levels` is False; "accuracy" readings are decisions at the midpoint of the classes; "quartet"
    readings are right and wrong choices in `cases` quartets, from the model `Quartets`. `null` is chance by default.

    The value is the share of studies that reject (or, with `margin`, show equivalence), with its standard error and
    Wilson interval. `coverage` is the share of 95 % intervals that contain `true_value`, the limit of the
    readers' mean figure; `figure_sd` and `figure_se` are the figures' standard deviation and their mean standard error;
    `undefined` counts studies without a test, which count as not rejecting.

    >>> round(simulate("auc", 0.7, readers=5, cases=60, studies=100).value, 1)
    0.8
    """
    one_of(endpoint, ("auc", "accuracy", "quartet"), "endpoint")
    check_design(readers, cases, alpha, margin)
    if studies < 2:
        raise ValueError(f"studies: expected 2 or more, got {studies}")
    model = as_model(endpoint, model)
    null = model.chance if null is None else null
    model.separation(value, endpoint)
    blocks = [range(start, min(start + BLOCK, studies)) for start in range(0, studies, BLOCK)]
    plan = _Plan(endpoint, value, readers, cases, null, margin, model, covariance, levels, seed, alpha)
    rows = np.concatenate(_spread(plan, blocks, jobs, cluster))
    true = model.five_level_auc(value) if isinstance(model, RoeMetz) and endpoint == "auc" and levels else value
    figure, se, low, high, rejects = rows.T
    tested = np.isfinite(low)
    held = ((low <= true) & (true <= high))[tested]
    covered = float(held.mean()) if held.size else None
    extra: dict[str, Any] = {
        "studies": studies,
        "seed": seed,
        "readers": readers,
        "cases": cases,
        "undefined": int((~tested).sum()),
    }
    extra |= {"true_value": true, "mean": float(figure.mean()), "figure_sd": float(figure.std(ddof=1))}
    extra |= {"figure_se": float(se[tested].mean()) if tested.any() else None, "coverage": covered}
    if held.size:
        extra["coverage_ci"] = list(interval(int(held.sum()), held.size).ci or ())
    kind = "Roe-Metz" if isinstance(model, RoeMetz) else "Quartet"
    name = f"{kind} simulation of {studies} studies, Obuchowski-Rockette ({covariance}), alpha {alpha:g}"
    return replace(interval(int(rejects.sum()), studies), method=name, extra=extra)


def _spread(plan: _Plan, blocks: list[range], jobs: int, cluster: str | None) -> list[np.ndarray]:
    from joblib import Parallel, delayed, parallel_config

    work = [delayed(_studies)(plan, block) for block in blocks]
    if cluster is None:
        return list(Parallel(n_jobs=jobs)(work))
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("cluster: needs Dask on this and all other machines: pip install 'discern[cluster]'") from None
    with Client(cluster), parallel_config(backend="dask"):
        return list(Parallel()(work))


def _studies(plan: _Plan, block: range) -> np.ndarray:
    """Return one row per study: figure, standard error, interval limits, and whether it rejects."""
    rows = []
    for number in block:
        rng = np.random.default_rng([plan.seed, number])
        scores, truth = plan.model.draw(rng, plan.value, plan.readers, plan.cases, plan.endpoint)
        if plan.endpoint == "accuracy":
            scores = ((scores > 0) == (truth == 1)).astype(float)
        elif plan.levels and plan.endpoint == "auc":
            scores = to_levels(scores)
        endpoint = "sensitivity" if plan.endpoint == "quartet" else plan.endpoint  # all quartets are of one class
        found = obuchowski_rockette(scores, truth, plan.covariance, endpoint=endpoint, null=plan.null)
        low, high = found.ci or (math.nan, math.nan)
        rejects = found.p is not None and found.p < plan.alpha
        if plan.margin is not None and found.ci and found.se:
            half = distributions.t_quantile(1 - 2 * plan.alpha, found.df or math.inf) * found.se
            rejects = abs((found.value or 0.0) - plan.null) + half < plan.margin
        rows.append((found.value, found.se or math.nan, low, high, rejects))
    return np.array(rows, dtype=float)
