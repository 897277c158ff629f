"""Exposure thresholds and psychometric curves of each reader, of all readers, and of groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.designs.staircase.answers import CLASSES, GUESS, Answers
from analysis.statistics import proportions, psychometric, reader_tests
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.psychometric import Psychometric

if TYPE_CHECKING:
    import pandas as pd

POINTS = 8  # of a curve, each with about the same number of answers
FIRST_REVERSALS = 4  # of a staircase, before it reaches the threshold
OTHER_READERS = "other readers"
BOTH = "other readers, other cases"
THIS_READER, OTHER_CASES = "other answers of this reader", "other cases, this reader"
NEITHER = "these answers, as if each were independent"
MOST_REPLICATES = 2000  # of the bootstrap; each needs a fit
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NO_EXPOSURE = "no exposure was measured"


def one_reader(rows: pd.DataFrame) -> dict[str, Any]:
    """Return threshold, slope and lapse rate of one reader, with the points of the curve and the reversals."""
    return _named(_fit(rows)) | {
        "curve": curve(rows),
        "exposures": exposures(rows),
        "reversals": reversals(rows),
    }


def exposures(rows: pd.DataFrame) -> dict[str, Any]:
    """Return quantiles of how long images were shown, in ms."""
    times = rows["exposure_ms"].to_numpy(dtype=float)
    found = np.quantile(times, QUANTILES).tolist() if len(times) else [None] * len(QUANTILES)
    least, most = (float(times.min()), float(times.max())) if len(times) else (None, None)
    return {"n": len(times), "least": least, "most": most} | dict(
        zip(("q05", "q25", "median", "q75", "q95"), found, strict=True)
    )


def reversals(rows: pd.DataFrame) -> dict[str, Any]:
    """The answers at which a staircase reversed, and the geometric mean of their exposures without the first four.

    Levitt 1971, J Acoust Soc Am 49:467. It estimates where the staircase settles, without a model.
    """
    found: list[float] = []
    for _, track in rows.groupby("block", sort=True, dropna=False):
        right, times = track["correct"].to_numpy(), track["exposure_ms"].to_numpy(dtype=float)
        turned = np.flatnonzero(right[1:] != right[:-1]) + 1
        found += times[turned[FIRST_REVERSALS:]].tolist()
    mean = math.exp(float(np.mean(np.log(found)))) if found else None
    reason = None if found else f"no staircase had more than {FIRST_REVERSALS} reversals"
    return {"n": len(found), "value": mean} | ({"reason": reason} if reason else {})


def curve(rows: pd.DataFrame, most: int = POINTS) -> list[dict[str, Any]]:
    """Return the share of correct answers in ranges of exposure with about the same number of answers each."""
    if rows.empty:
        return []
    times, right = rows["exposure_ms"].to_numpy(dtype=float), rows["correct"].to_numpy()
    edges = np.unique(np.quantile(times, np.linspace(0, 1, most + 1)))
    part = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, max(len(edges) - 2, 0))
    found = []
    for number in np.unique(part):
        own = part == number
        share = proportions.interval(int(right[own].sum()), int(own.sum())).as_dict()
        middle = math.exp(float(np.log(times[own]).mean()))
        found.append({"ms": middle, "from_ms": float(times[own].min()), "to_ms": float(times[own].max())} | share)
    return found


def overall(found: Answers, readers: Mapping[str, Any], bootstrap: int, seed: int) -> dict[str, Any]:
    """Return the threshold of all readers by several methods; the first, with readers random, is the main one."""
    rows = found.measured
    if rows.empty:
        leads, methods = _named(psychometric.nothing(NO_EXPOSURE, GUESS)), []
    else:
        times, right, who, cases = (rows[name].to_numpy() for name in ("exposure_ms", "correct", "reader", "case"))
        fitted, pooled = psychometric.fit_readers(times, right, who, GUESS), _fit(rows)
        drawn = psychometric.crossed_bootstrap(times, right, who, cases, GUESS, min(bootstrap, MOST_REPLICATES), seed)
        leads = _named(fitted)
        several = rows["reader"].nunique() > 1
        spoken = [
            (OTHER_READERS if several else THIS_READER, fitted.threshold),
            (BOTH if several else OTHER_CASES, drawn),
            *([(OTHER_READERS, _mean_of_readers(readers))] if several else []),
            (NEITHER, pooled.threshold),
        ]
        methods = [one.as_dict() | {"speaks_of": of} for of, one in spoken]
    return leads | {
        "measured": int(rows["reader"].nunique()),
        "methods": methods,
        "curve": curve(rows),
        "by_truth": {name: curve(rows[rows["truth"] == value]) for name, value in CLASSES.items()},
        "exposures": exposures(rows),
    }


def groups(found: Answers, readers: Mapping[str, Any], labels: Sequence[str], seed: int) -> dict[str, Any]:
    """Return each group's threshold and, if there are two, their ratio over readers: permutation, rank test, Welch."""
    rows, members = found.measured, {}
    for name in sorted(set(labels) - {""}):
        own = rows[rows["reader"].isin([r for r, label in zip(found.readers, labels, strict=True) if label == name])]
        fitted = (
            psychometric.fit_readers(own["exposure_ms"], own["correct"], own["reader"], GUESS)
            if len(own)
            else psychometric.nothing(NO_EXPOSURE, GUESS)
        )
        members[name] = {"n": labels.count(name)} | _named(fitted)
    if len(members) != 2:
        reason = f"a comparison needs two groups of readers, and there are {len(members)}"
        return {"members": members, "ratio": undefined(reason), "comparisons": []}
    logs = np.array([math.log(r["threshold_ms"]["value"] or math.nan) for r in readers.values()])
    given = [label or None for label in labels]
    tests = [
        reader_tests.welch(logs, given),
        reader_tests.permutation(logs, given, seed),
        reader_tests.permutation(logs, given, seed, statistic="rank"),
    ]
    first, second = list(dict.fromkeys(label for label in labels if label))
    comparisons = [_as_ratio(test).as_dict() for test in tests]
    return {
        "members": members,
        "ratio": comparisons[0] | {"first": first, "second": second},
        "comparisons": comparisons,
    }


def _fit(rows: pd.DataFrame) -> Psychometric:
    if rows.empty:
        return psychometric.nothing(NO_EXPOSURE, GUESS)
    return psychometric.fit(rows["exposure_ms"], rows["correct"], np.ones(len(rows)), GUESS)


def _named(fitted: Psychometric) -> dict[str, Any]:
    return {
        "threshold_ms": fitted.threshold.as_dict(),
        "slope": fitted.slope.as_dict(),
        "lapse": fitted.lapse.as_dict(),
        "guess": fitted.guess,
    }


def _mean_of_readers(readers: Mapping[str, Any]) -> Estimate:
    """Return the geometric mean of the readers' thresholds, with a t interval over readers."""
    values = [reader["threshold_ms"]["value"] for reader in readers.values()]
    found = reader_tests.t_test([math.log(value) if value else math.nan for value in values], 0.0)
    return replace(
        _as_ratio(found), p=None, method="geometric mean of the readers' thresholds, t interval over readers"
    )


def _as_ratio(one: Estimate) -> Estimate:
    """Convert a mean or difference of logarithms back to the original scale."""
    ci = (math.exp(one.ci[0]), math.exp(one.ci[1])) if one.ci else None
    value = None if one.value is None or math.isnan(one.value) else math.exp(one.value)
    return replace(
        one,
        value=value,
        se=None,
        ci=ci,
        reason=one.reason if value is not None else one.reason or "there is no estimate",
    )
