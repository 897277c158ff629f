"""The course of a quartet study: correct choices along the order, and response times."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.designs.quartet.trials import Trials
from analysis.statistics import linear_mixed, mixed, proportions, timing
from analysis.statistics.estimate import Estimate, undefined

if TYPE_CHECKING:
    import pandas as pd

PARTS = 5


def order(trials: Trials) -> dict[str, Any]:
    """Return correct choices in equal stretches of the order, and the change in their odds per ten trials."""
    rows = _answered(trials)
    rows = rows[rows["position"].notna()]
    if rows.empty:
        return {"stretches": [], "effects": {}}
    edges = np.unique(np.linspace(rows["position"].min() - 1, rows["position"].max(), PARTS + 1).round())
    stretches = []
    for low, high in pairwise(edges.tolist()):
        own = rows.loc[(rows["position"] > low) & (rows["position"] <= high), "correct"]
        share = proportions.interval(int(own.sum()), len(own)).as_dict()
        stretches.append({"start": int(low) + 1, "end": int(high)} | share)
    random = {"reader": rows["reader"].to_numpy(), "quartet": rows["quartet"].to_numpy()}
    fitted = mixed.logistic(rows["correct"].to_numpy(), {"ten": rows["position"].to_numpy() / 10}, random)
    return {"stretches": stretches, "effects": {"per_ten_trials": _ratio(fitted.fixed["ten"])}}


def _ratio(one: Estimate) -> dict[str, Any]:
    """Convert a log odds estimate to an odds ratio."""
    if one.value is None:
        return one.as_dict()
    extra = one.extra
    return {"value": extra.get("odds_ratio"), "ci": extra.get("odds_ratio_ci"), "p": one.p, "reason": one.reason}


def times(trials: Trials) -> dict[str, Any]:
    """Return median response times of right and wrong choices, how much longer wrong ones took, and late answers."""
    rows = _answered(trials)
    rows = rows[rows["response_ms"] > 0]
    if rows.empty:
        return {}
    groups = {"all": rows, "right": rows[rows["correct"] == 1], "wrong": rows[rows["correct"] == 0]}
    late = _answered(trials)["late"].dropna()
    return {
        "medians": {name: timing.median_interval(own["response_ms"]) for name, own in groups.items()},
        "wrong_to_right": _times_longer(rows),
        "late": proportions.interval(int(late.sum()), len(late)),
        "readers": {name: timing.median_interval(own["response_ms"]) for name, own in rows.groupby("reader")},
    }


def _times_longer(rows: pd.DataFrame) -> Estimate:
    """Return the ratio of geometric mean times, wrong to right, with readers and quartets random."""
    wrong = 1 - rows["correct"].to_numpy()
    method = "ratio of geometric means, linear mixed model of log time, readers and quartets random"
    if len(set(wrong)) < 2:
        return undefined("all choices were right or all were wrong", method)
    design = np.column_stack([np.ones(wrong.size), wrong])
    logs = np.log(rows["response_ms"].to_numpy(dtype=float))
    one = linear_mixed.fit(logs, design, ("intercept", "wrong"), rows["reader"], rows["quartet"]).effects["wrong"]
    if one.value is None or one.ci is None:
        return undefined(one.reason or "the model could not be fitted", method)
    return Estimate(
        math.exp(one.value), ci=(math.exp(one.ci[0]), math.exp(one.ci[1])), p=one.p, df=one.df, method=method
    )


def _answered(trials: Trials) -> pd.DataFrame:
    return trials.table[trials.table["correct"].notna()]
