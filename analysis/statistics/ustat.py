"""U-statistics over readers and cases (Gallas): unbiased variance, BDG degrees of freedom, missing readings allowed.

The reader-averaged figure is a mean of s(r, i, j) over readers r, synthetic cases i and real cases j: for the AUC
s = 1, 1/2 or 0 if i is scored above, equal to or below j; for a mean of credits s = w1 credit(i) + w0 credit(j). Its
variance is a sum of eight moments E[s(r, i, j) s(r', i', j')], one for each combination of same or different reader, i
and j.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, one_of
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.readings import Readings, as_readings, bare, class_weights

ALONE = (1, 0, 0), (0, 1, 0), (0, 0, 1)  # index of "same reader", "same synthetic", "same real" in a cube
Cube = NDArray[
    np.float64
]  # 2 x 2 x 2: same reader, same synthetic case, same real case (0 = any or different, 1 = same)


class _Sums(NamedTuple):
    """Sums of a readers x synthetic x real array, needed by all moments."""

    rows: Floats  # readers x synthetic
    columns: Floats  # readers x real
    cells: Floats  # synthetic x real, summed over readers

    @property
    def totals(self) -> Floats:
        return self.rows.sum(axis=1)


class Moments(NamedTuple):
    """Sums of products over all pairs that share what the index indicates, and the number of such pairs."""

    sums: Cube
    pairs: Cube

    def others(self) -> Moments:
        """The same, with index 0 meaning a *different* reader or case instead of any."""
        return Moments(*(_exclude(cube) for cube in self))


def _exclude(cube: Cube) -> Cube:
    out = cube.copy()
    out[0] -= out[1]
    out[:, 0] -= out[:, 1]
    out[:, :, 0] -= out[:, :, 1]
    return out


def _products(a: _Sums, b: _Sums, same_cell: float) -> Cube:
    cube = np.empty((2, 2, 2))
    cube[1, 1, 1] = same_cell
    cube[1, 1, 0] = (a.rows * b.rows).sum()
    cube[1, 0, 1] = (a.columns * b.columns).sum()
    cube[1, 0, 0] = (a.totals * b.totals).sum()
    cube[0, 1, 1] = (a.cells * b.cells).sum()
    cube[0, 1, 0] = (a.rows.sum(axis=0) * b.rows.sum(axis=0)).sum()
    cube[0, 0, 1] = (a.columns.sum(axis=0) * b.columns.sum(axis=0)).sum()
    cube[0, 0, 0] = a.totals.sum() * b.totals.sum()
    return cube


def _success(scores: Floats, synthetic: NDArray[np.bool_], weights: tuple[float, float] | None) -> Floats:
    """s(i, j) of one reader, 0 if either case was not read."""
    above, below = scores[synthetic][:, None], scores[~synthetic][None, :]
    if weights is None:
        return 0.5 * (above > below) + 0.5 * (above >= below)
    return np.nan_to_num(weights[0] * above + weights[1] * below)


def moments(readings: Readings, endpoint: str = "auc") -> dict[tuple[int, int], Moments]:
    """The moments of every pair of modalities, with one reader's success matrix in memory at a time.

    >>> moment = moments(as_readings([[1, 3, 2, 5], [2, 1, 4, 3]], [0, 0, 1, 1]))[0, 0]
    >>> moment.pairs[1, 1, 1].item(), moment.sums[1, 1, 1].item()        # cells, and the sum of their squares
    (8.0, 7.0)
    """
    modalities, readers, _ = readings.scores.shape
    synthetic = readings.synthetic
    weights = None if endpoint == "auc" else class_weights(readings, endpoint)
    shape = int(synthetic.sum()), int((~synthetic).sum())
    sums = [
        _Sums(np.zeros((readers, shape[0])), np.zeros((readers, shape[1])), np.zeros(shape)) for _ in range(modalities)
    ]
    same_cell = np.zeros((modalities, modalities))
    for reader in range(readers):
        successes = [_success(scores, synthetic, weights) for scores in readings.scores[:, reader]]
        for a, success in enumerate(successes):
            sums[a].rows[reader], sums[a].columns[reader] = success.sum(axis=1), success.sum(axis=0)
            sums[a].cells[:] += success
            for b in range(a, modalities):
                same_cell[a, b] += np.vdot(success, successes[b])
    read = (~np.isnan(readings.scores)).astype(float)
    first, second = read[..., synthetic], read[..., ~synthetic]
    designs = [
        _Sums(i * j.sum(axis=1, keepdims=True), j * i.sum(axis=1, keepdims=True), i.T @ j)
        for i, j in zip(first, second, strict=True)
    ]
    out = {}
    for a in range(modalities):
        for b in range(a, modalities):
            both = ((first[a] * first[b]).sum(axis=1) * (second[a] * second[b]).sum(axis=1)).sum()
            out[a, b] = Moments(_products(sums[a], sums[b], same_cell[a, b]), _products(designs[a], designs[b], both))
    return out


class _Variance(NamedTuple):
    """(Co)variance of one or two reader-averaged figures, and the components of the degrees of freedom."""

    unbiased: float
    biased: float
    parts: Floats  # biased variance of readers, synthetic cases, real cases alone
    df: Floats  # their degrees of freedom


def _variance(moment: Moments) -> _Variance:
    others = moment.others()
    total = moment.pairs[0, 0, 0]
    exact, biased = _ratio(others), _ratio(moment)
    used = others.pairs > 0
    share = others.pairs / total if total else others.pairs
    return _Variance(
        # Without a second reader or case, the last moment (the square of the mean) cannot be estimated.
        float((share * exact)[used].sum() - exact[0, 0, 0]),
        float((share * biased)[used].sum() - biased[0, 0, 0]),
        biased[ALONE] - biased[0, 0, 0],
        np.maximum(np.round(_ratio(Moments(np.full(3, total), moment.pairs[ALONE])) - 1), 1),
    )


def _ratio(moment: Moments) -> Floats:
    return np.divide(moment.sums, moment.pairs, out=np.full(moment.sums.shape, np.nan), where=moment.pairs > 0)


def ustatistics(
    scores: ArrayLike, truth: ArrayLike, *, endpoint: str = "auc", estimator: str = "unbiased", null: float = 0.5
) -> Estimate:
    """Reader-averaged AUC (or accuracy) with readers and cases random, by U-statistics; readings may be missing.

    `scores` and `truth` as in this package (see `statistics.readings`); `endpoint` "auc", or "accuracy", "sensitivity",
    "specificity" of credits. The figure is sum(s) / number of pairs read, over readers, synthetic and real cases.
    Its variance is sum_k c_k M_k - M_8 with the eight moments M_k estimated from the pairs that share exactly
    this much, and c_k their shares (Gallas 2006, Acad Radiol 13:353; Gallas, Bandos, Samuelson and Wagner 2009, Commun
    Stat 38:2586); `estimator="mle"` replaces the population by the empirical distribution, which is the limit of the
    crossed bootstrap. Degrees of freedom after Obuchowski, Gallas and Hillis 2012 (Acad Radiol 19:1508), rounded down
    for interval and test as in iMRMC; p tests one modality against `null`.

    Two modalities give their difference (first - second) against 0, more give the first difference, with all of them
    in `pairs` and every modality alone in `modalities`. Readers need not have read every modality (split plot).
    Accuracy with missing readings weights the classes as in the pool, not by the number read. Undefined without two
    readers and two cases of each class; `missing` counts unread cells.

    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, None], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> estimate = ustatistics(scores, [0, 0, 0, 0, 1, 1, 1, 1])
    >>> round(estimate.value, 4), round(estimate.se, 4), round(estimate.df, 1)
    (0.8864, 0.1498, 2.0)
    """
    one_of(estimator, ("unbiased", "mle"), "estimator")
    readings = as_readings(scores, truth, endpoint)
    name = f"U-statistics ({estimator}), readers and cases random"
    read = ~np.isnan(readings.scores)
    extra: dict[str, Any] = {
        "endpoint": endpoint,
        "readers": int(read.any(axis=(0, 2)).sum()),
        "n_synthetic": int(read[..., readings.synthetic].any(axis=(0, 1)).sum()),
        "n_real": int(read[..., ~readings.synthetic].any(axis=(0, 1)).sum()),
        "missing": int((~read).sum()),
    }
    if min(extra["n_synthetic"], extra["n_real"]) == 0:
        return undefined("no cases of both classes were read", name, **extra)
    table = moments(readings, endpoint)
    count = readings.scores.shape[0]
    if any(table[m, m].pairs[0, 0, 0] == 0 for m in range(count)):
        return undefined("in one modality, no reader read cases of both classes", name, **extra)
    # The last sum is the square of the sum of s.
    values = [math.sqrt(table[m, m].sums[0, 0, 0]) / math.sqrt(table[m, m].pairs[0, 0, 0]) for m in range(count)]
    parts = {pair: _variance(moment) for pair, moment in table.items()}
    alone = [
        _conclude(values[m], parts[m, m], estimator, null, f"{name}, against {null:g}", extra) for m in range(count)
    ]
    if count == 1:
        return alone[0]
    extra["modalities"] = [bare(one) for one in alone]
    pairs = {
        f"{a + 1}-{b + 1}": _conclude(
            values[a] - values[b], _difference(parts[a, a], parts[b, b], parts[a, b]), estimator, 0.0, name, extra
        )
        for a, b in parts
        if a != b
    }
    first = pairs["1-2"]
    if count == 2:
        return first
    return replace(first, extra=first.extra | {"pairs": {label: bare(pair) for label, pair in pairs.items()}})


def _difference(a: _Variance, b: _Variance, ab: _Variance) -> _Variance:
    return _Variance(
        a.unbiased + b.unbiased - 2 * ab.unbiased,
        a.biased + b.biased - 2 * ab.biased,
        # Pairs without a shared reader or case (split plot) have no common component.
        a.parts + b.parts - 2 * np.nan_to_num(ab.parts),
        np.minimum(a.df, b.df),
    )


def _conclude(
    value: float, parts: _Variance, estimator: str, null: float, name: str, extra: dict[str, Any]
) -> Estimate:
    variance = parts.unbiased if estimator == "unbiased" else parts.biased
    if not math.isfinite(variance):
        reason = "two readers and two cases of each class are needed for the variance"
        return Estimate(value, method=name, reason=reason, extra=extra)
    if variance <= 1e-14:
        what = "zero, because all readers' figures are equal" if variance > -1e-14 else f"negative ({variance:.3g})"
        reason = f"the estimated variance is {what}"
        return Estimate(value, 0.0 if variance > -1e-14 else None, method=name, reason=reason, extra=extra)
    df = least = float(parts.df.min())
    spread = float((parts.parts**2 / parts.df**3).sum())
    if spread > 0:
        df = max(variance**2 / spread, least)
    se, whole = math.sqrt(variance), max(math.floor(df + 1e-9), 1)
    half = distributions.t_quantile(0.95, whole) * se
    p = distributions.t_p((value - null) / se, whole)
    return Estimate(value, se, (value - half, value + half), p, name, df=df, extra=extra | {"variance": variance})
