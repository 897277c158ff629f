"""Conditions trial by trial: hints, response times, and the odds of a correct answer by condition and period."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.responses import Responses
from analysis.responses import conditions as told
from analysis.statistics import linear_mixed, mixed, scoring
from analysis.statistics.estimate import Estimate, undefined

if TYPE_CHECKING:
    import pandas as pd

NUMBER = re.compile(r"(\d*[.,]?\d+)\s*(%?)")


def points_to(hint: str) -> int | None:
    """Return the class that a hint points to: 1 (synthetic), 0 (real), or None for neither.

    A hint is a probability that the case is synthetic (0.83, 83 %), or contains the word "real" or "synthetic".

    >>> [points_to(hint) for hint in ("0.83", "17 %", "probably synthetic", "0.5", "look at the edges")]
    [1, 0, 1, None, None]
    """
    words = [word in hint.lower() for word in ("real", "synthetic")]
    if any(words):
        return None if all(words) else int(words[1])
    if not (found := NUMBER.search(hint)):
        return None
    share = float(found[1].replace(",", ".")) / (100 if found[2] else 1)
    return None if share == 0.5 or share > 1 else int(share > 0.5)


def hints_of(responses: Responses) -> dict[str, dict[str, bool | None]]:
    """Return whether the hint for each case was right, by condition; conditions without hints are left out."""
    rows = responses.scored[responses.scored["hint"] != ""].drop_duplicates(["condition", "case"])
    found: dict[str, dict[str, bool | None]] = {}
    for row in rows.itertuples():
        points = points_to(row.hint)
        found.setdefault(row.condition, {})[row.case] = None if points is None else points == row.truth
    return found


def times(responses: Responses, names: list[str]) -> dict[str, Any]:
    """Return ratios of response times to those under the first condition, for the same period, reader and case."""
    rows = responses.scored
    rows = rows[rows["response_ms"] > 0]
    if rows.empty:
        return {"ratios": {}, "n": 0, "reason": "no response times were recorded"}
    columns = {"intercept": np.ones(len(rows)), **_columns(rows, names, told.sequences(responses))}
    columns["synthetic case"] = rows["truth"].to_numpy(dtype=float)
    fit = linear_mixed.fit(
        np.log(rows["response_ms"].to_numpy(dtype=float)),
        np.column_stack(list(columns.values())),
        list(columns),
        rows["reader"].to_numpy(),
        rows["case"].to_numpy(),
    )
    ratios = {name: _ratio(one) for name, one in fit.effects.items() if name != "intercept"}
    medians = rows.groupby("condition")["response_ms"].median()
    return {
        "ratios": ratios,
        "spread": fit.spread,
        "medians": {name: float(medians[name]) for name in names if name in medians},
        "n": len(rows),
    }


def _ratio(effect: Estimate) -> Estimate:
    if effect.value is None:
        return undefined(effect.reason or "", effect.method)
    ci = None if effect.ci is None else (math.exp(effect.ci[0]), math.exp(effect.ci[1]))
    return Estimate(math.exp(effect.value), None, ci, effect.p, effect.method, effect.df, effect.reason)


def model(responses: Responses, names: list[str]) -> dict[str, Any]:
    """Model the odds of a correct answer by condition and period, readers and cases random, without unsure answers."""
    rows = responses.scored
    rows = rows[rows["level"].notna() & (rows["level"] != scoring.UNSURE)]
    fixed: dict[str, Any] = {"synthetic case": rows["truth"].to_numpy()}
    fixed |= _columns(rows, names, told.sequences(responses))
    right = ((rows["level"] > scoring.UNSURE) == (rows["truth"] == 1)).astype(int).to_numpy()
    random = {"reader": rows["reader"].to_numpy(), "case": rows["case"].to_numpy()}
    fitted = mixed.logistic(right, fixed, random).as_dict()
    ratios = {
        name: {"value": one.get("odds_ratio"), "ci": one.get("odds_ratio_ci")}
        | {key: one.get(key) for key in ("p", "reason")}
        for name, one in fitted["fixed"].items()
        if name != "intercept"
    }
    return fitted | {"odds_ratios": ratios}


def _columns(rows: pd.DataFrame, names: list[str], sequences: dict[str, str]) -> dict[str, np.ndarray]:
    """A column for each condition but the first, one for later periods and, with three conditions, for carry-over."""
    found = {f"{name}, against {names[0]}": (rows["condition"] == name).to_numpy(dtype=float) for name in names[1:]}
    if rows["period"].nunique() < 2:
        return found
    found["each further period"] = rows["period"].to_numpy(dtype=float) - 1
    if len(names) > 2:
        before = {
            (reader, later): earlier
            for reader, sequence in sequences.items()
            for earlier, later in pairwise(sequence.split(">"))
        }
        met = [before.get(pair) for pair in zip(rows["reader"], rows["condition"], strict=True)]
        # The first period counts as if the first condition had preceded it.
        found |= {f"after {name}": np.array([one == name for one in met], dtype=float) for name in names[1:]}
    return found
