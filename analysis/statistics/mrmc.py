"""Obuchowski-Rockette analysis with readers and cases random: one modality, several, and groups of readers.

Question: would *other* readers do as well on *other* cases? Results do not generalise over a fixed factor.
U-statistics, an alternative method, are in `analysis.statistics.ustat` and also available here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, as_floats, one_of
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.readings import COVARIANCES, ONE_READER, Readings, as_readings, bare, check_groups, figures
from analysis.statistics.ustat import Moments, moments, ustatistics

__all__ = ["compare_groups", "equivalence", "obuchowski_rockette", "of_figures", "ustatistics"]

NO_SPREAD = 1e-14


class Components(NamedTuple):
    """Error (co)variances of two readers' figures; None if the design has no such pair."""

    error: float
    cov1: float | None  # same reader, different modality
    cov2: float | None  # different reader, same modality
    cov3: float | None  # both different


def obuchowski_rockette(
    scores: ArrayLike,
    truth: ArrayLike,
    covariance: str = "jackknife",
    readers: str = "random",
    cases: str = "random",
    *,
    endpoint: str = "auc",
    null: float = 0.5,
) -> Estimate:
    """Mean figure of the readers, or the difference of modalities, with readers and cases random or fixed.

    `scores`: readers x cases (one modality, p against `null`) or modalities x readers x cases, NaN = not read;
    `truth`: 1 = synthetic; `endpoint`: "auc", or "accuracy", "sensitivity", "specificity" of credits in [0, 1];
    `covariance`: how error covariances are estimated: "jackknife" (over all cases that were read), "delong", "unbiased"
    (U-statistics); for a mean of credits all three are equal.

    One modality, J readers, MS the variance of their figures: var = (MS + J Cov2) / J with
    df = (MS + J Cov2)^2 / (MS^2 / (J - 1)), Cov2 cut at 0. I modalities: F = MS(T) / (MS(TR) + J max(Cov2 - Cov3, 0))
    on I - 1 and df2 = denominator^2 / (MS(TR)^2 / ((I - 1)(J - 1))). Readers fixed: a normal (chi-square) test with
    Var + (J - 1) Cov2 (minus Cov1 + (J - 1) Cov3). Cases fixed: a t (F) test over readers. Obuchowski and Rockette
    1995, Commun Stat 24:285; Hillis 2007, Stat Med 26:596; Hillis 2014, Stat Med 33:330.

    The value is the mean figure; for two modalities the difference (first - second); for more the F (chi-square)
    statistic, with all differences in `pairs`. `components` are the variance components, `modalities` the results of
    each modality, `left_out` the readers without a figure and why, `missing` the number of unread cells. With one
    random reader there is a value and a reason, but no standard error.

    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> estimate = obuchowski_rockette(scores, [0, 0, 0, 0, 1, 1, 1, 1])
    >>> round(estimate.value, 4), round(estimate.se, 4), round(estimate.df, 1)
    (0.8854, 0.0934, 3.2)
    """
    one_of(covariance, COVARIANCES, "covariance")
    one_of(readers, ("random", "fixed"), "readers")
    one_of(cases, ("random", "fixed"), "cases")
    if readers == cases == "fixed":
        raise ValueError("readers, cases: expected at least one to be random; nothing varies if both are fixed")
    readings = as_readings(scores, truth, endpoint)
    name = f"Obuchowski-Rockette ({covariance}), readers {readers}, cases {cases}"
    found = figures(readings, endpoint, covariance)
    extra = _counts(readings, found.reasons, endpoint)
    kept = np.array([reader not in found.reasons for reader in range(readings.scores.shape[1])], dtype=bool)
    if not kept.any():
        return undefined("no reader has a figure, because too few cases of a class were read", name, **extra)
    value, influence = found.value[:, kept], found.influence[:, kept]
    table = moments(readings.only(kept)) if covariance == "unbiased" and endpoint == "auc" else None
    alone = []
    for m in range(len(value)):
        part = _unbiased({(0, 0): table[m, m]}) if table else _gram(influence[m : m + 1])
        alone.append(_one(value[m], part, readers, cases, null, f"{name}, against {null:g}", extra))
    if len(value) == 1:
        return alone[0]
    extra["modalities"] = [bare(one) for one in alone]
    return _several(value, _unbiased(table) if table else _gram(influence), readers, cases, name, extra)


def of_figures(
    value: ArrayLike, influence: ArrayLike, name: str, readers: str = "random", null: float = 0.5
) -> Estimate:
    """The mean of any figure over readers, or the difference of modalities, by `obuchowski_rockette` with cases random.

    `value`: one figure per reader, or modalities x readers; `influence`: the same x cases, scaled so that the sum of
    products over cases is the covariance of two figures (for a jackknife: the deviations of the figures without a case,
    times sqrt((n - 1) / n) for n cases); `name`: name of the figure; p for one modality is against `null`. Raises
    ValueError for wrong shapes.

    >>> scores, truth = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4]], [0, 0, 0, 0, 1, 1, 1, 1]
    >>> found = figures(as_readings(scores, truth), "auc", "jackknife")
    >>> again = of_figures(found.value[0], found.influence[0], "AUC")
    >>> whole = obuchowski_rockette(scores, truth)
    >>> (again.value, again.se) == (whole.value, whole.se), again.method
    (True, 'AUC, Obuchowski-Rockette, readers random, cases random')
    """
    one_of(readers, ("random", "fixed"), "readers")
    ndim = 2 if np.ndim(value) == 2 else 1
    each, leaning = as_floats(value, "value", ndim), as_floats(influence, "influence", ndim + 1)
    if each.shape != leaning.shape[:-1] or not each.size:
        rows = math.prod(leaning.shape[:-1])
        raise ValueError(f"influence: expected a row for each of {each.size} figures, at least one, got {rows}")
    method = f"{name}, Obuchowski-Rockette, readers {readers}, cases random"
    if ndim == 2 and len(each) > 1:
        return _several(each, _gram(leaning), readers, "random", method, {})
    each, leaning = np.atleast_2d(each)[0], leaning.reshape(-1, leaning.shape[-1])
    return _one(each, _gram(leaning[None]), readers, "random", null, method, {})


def equivalence(found: Estimate, target: float, margin: float) -> Estimate:
    """Two one-sided t tests (TOST) that a mean figure lies within `margin` of `target`.

    `found` is a result of `obuchowski_rockette` or `ustatistics`, and the test generalises like it: with se and df of
    `found`, t = (value - target +- margin) / se (normal if `found` has no df); p is the larger of the two, `ci` the 90
    % interval of the value, which lies inside the margin if p < .05 (Schuirmann 1987, J Pharmacokinet Biopharm 15:657;
    Chen, Petrick and Sahiner 2012, Acad Radiol 19:1158). Undefined without a standard error. Raises ValueError unless
    the margin is above 0.

    >>> scores = [[1, 0, 1, 1, 0, 1, 0, 1], [0, 1, 1, 0, 1, 1, 0, 0], [1, 1, 0, 0, 1, 0, 1, 1]]
    >>> found = obuchowski_rockette(scores, [0, 0, 0, 0, 1, 1, 1, 1], endpoint="accuracy")
    >>> round(equivalence(found, target=0.5, margin=0.3).p, 3)
    0.018
    """
    if margin <= 0:
        raise ValueError(f"margin: expected a number above 0, got {margin:g}")
    name = f"TOST of {target - margin:g} to {target + margin:g}, {found.method.split(', against')[0]}, 90% interval"
    if found.value is None or not found.se:
        return undefined(found.reason or "there is no standard error", name, margin=margin)
    df = math.inf if found.df is None else found.df
    t_low, t_high = ((found.value - target + side) / found.se for side in (margin, -margin))
    normal = math.isinf(df)
    p = max(distributions.normal_upper(t) if normal else distributions.t_upper(t, df) for t in (t_low, -t_high))
    half = (distributions.normal_quantile(0.90) if normal else distributions.t_quantile(0.90, df)) * found.se
    extra = {"margin": margin, "t_low": t_low, "t_high": t_high}
    return Estimate(found.value, found.se, (found.value - half, found.value + half), p, name, found.df, extra=extra)


def compare_groups(
    scores: ArrayLike,
    truth: ArrayLike,
    groups: Sequence[str | None],
    *,
    covariance: str = "jackknife",
    endpoint: str = "auc",
) -> Estimate:
    """Compare groups of readers who judged the same cases, with readers (within groups) and cases random.

    `scores`: readers x cases; `groups`: one label per reader, None = in no group (left out). Nested (split-plot)
    Obuchowski-Rockette: with MS(T) between and MS(R(T)) within groups, F = MS(T) / (MS(R(T)) + n0 max(Cov2 - Cov3, 0))
    on I - 1 and denominator^2 / (MS(R(T))^2 / (N - I)), Cov2 within and Cov3 between groups, n0 = J for groups of
    equal size and (N - sum J^2 / N) / (I - 1) otherwise. Obuchowski 1995, Acad Radiol 2:S22; Hillis 2014, Stat Med
    33:330, section 4. Readers of all groups are assumed to vary equally.

    The value is the difference of the two groups' means (first named - other); with more groups it is F. `groups` in
    the result has each group's own result. Undefined with fewer than two groups, or no group with two readers.

    >>> experienced = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4]]
    >>> scores = [*experienced, [1, 3, 2, 2, 4, 3, 4, 5], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> estimate = compare_groups(scores, [0, 0, 0, 0, 1, 1, 1, 1], ["EP", "EP", "EC", "EC"])
    >>> round(estimate.value, 4), round(estimate.p, 3)
    (0.1094, 0.722)
    """
    one_of(covariance, COVARIANCES, "covariance")
    readings = as_readings(scores, truth, endpoint)
    if len(readings.scores) != 1:
        raise ValueError("scores: expected readers x cases, one modality")
    labels = check_groups(groups, readings.scores.shape[1])
    name = f"nested Obuchowski-Rockette ({covariance}), readers and cases random"
    found = figures(readings, endpoint, covariance)
    reasons = found.reasons | {r: "not in a group" for r, label in enumerate(labels) if label is None}
    extra = _counts(readings, reasons, endpoint)
    members = {
        label: np.array([r for r, own in enumerate(labels) if own == label and r not in reasons], dtype=int)
        for label in dict.fromkeys(label for label in labels if label is not None)
    }
    members = {label: own for label, own in members.items() if own.size}
    if len(members) < 2:
        return undefined("fewer than two groups have a reader with a figure", name, **extra)
    alone, parts = {}, []
    for label, own in members.items():
        if covariance == "unbiased" and endpoint == "auc":
            part = _unbiased(moments(readings.only(own)))
        else:
            part = _gram(found.influence[:, own])
        parts.append(part)
        alone[label] = bare(_one(found.value[0, own], part, "random", "random", 0.5, name, {}))
    extra["groups"] = alone
    cov3 = _between(readings, found.influence[0], list(members.values()), covariance, endpoint)
    return _nested([found.value[0, own] for own in members.values()], parts, cov3, name, extra)


def _counts(readings: Readings, reasons: dict[int, str], endpoint: str) -> dict[str, Any]:
    read = ~np.isnan(readings.scores)
    anybody = read.any(axis=(0, 1))
    return {
        "endpoint": endpoint,
        "readers": readings.scores.shape[1] - len(reasons),
        "n_synthetic": int((anybody & readings.synthetic).sum()),
        "n_real": int((anybody & ~readings.synthetic).sum()),
        "missing": int((~read).sum()),
        "left_out": [{"reader": reader, "reason": reasons[reader]} for reader in sorted(reasons)],
    }


def _gram(influence: Floats) -> Components:
    """Mean covariances from influence functions (modalities x readers x cases), without building the full matrix."""
    modalities, readers, _ = influence.shape
    together = influence.sum(axis=1)
    own = np.einsum("mrc,nrc->mn", influence, influence)
    across = together @ together.T - own
    return _mean_components(own / readers, across / max(readers * (readers - 1), 1), modalities, readers)


def _unbiased(table: dict[tuple[int, int], Moments]) -> Components:
    """Mean covariances by U-statistics, which are exactly unbiased if all readers read all cases."""
    modalities = 1 + max(b for _, b in table)
    same, other = np.zeros((modalities, modalities)), np.zeros((modalities, modalities))
    readers = 1
    for (a, b), moment in table.items():
        sums, pairs = moment.others()
        same[a, b] = same[b, a] = _covariance(sums[1], pairs[1])
        if pairs[0].any():
            readers = 2
            other[a, b] = other[b, a] = _covariance(sums[0], pairs[0])
    return _mean_components(same, other, modalities, readers)


def _covariance(sums: Floats, pairs: Floats) -> float:
    used = pairs > 0
    moment = np.divide(sums, pairs, out=np.zeros_like(sums), where=used)
    return float((moment * pairs).sum() / pairs.sum() - moment[0, 0])


def _mean_components(same: Floats, other: Floats, modalities: int, readers: int) -> Components:
    off = ~np.eye(modalities, dtype=bool)
    return Components(
        float(np.diag(same).mean()),
        float(same[off].mean()) if modalities > 1 else None,
        float(np.diag(other).mean()) if readers > 1 else None,
        float(other[off].mean()) if modalities > 1 and readers > 1 else None,
    )


def _between(readings: Readings, influence: Floats, members: list[Any], covariance: str, endpoint: str) -> float:
    """Cov3 of the nested design: the mean covariance of two readers of different groups."""
    total, count = 0.0, 0
    for one, two in combinations(members, 2):
        pairs = one.size * two.size
        if covariance == "unbiased" and endpoint == "auc":
            both = np.full((2, one.size + two.size, readings.synthetic.size), np.nan)
            both[0, : one.size], both[1, one.size :] = readings.scores[0, one], readings.scores[0, two]
            sums, shared = moments(Readings(both, readings.synthetic))[0, 1].others()
            total += pairs * _covariance(sums[0], shared[0])
        else:
            total += float(influence[one].sum(axis=0) @ influence[two].sum(axis=0))
        count += pairs
    return total / count


def _one(
    value: Floats, part: Components, readers: str, cases: str, null: float, name: str, extra: dict[str, Any]
) -> Estimate:
    """One modality: the mean figure of J readers."""
    mean, count = float(value.mean()), value.size
    ms = float(value.var(ddof=1)) if count > 1 else None
    cov2 = part.cov2 or 0.0
    components = {"error": part.error, "cov2": part.cov2, "reader": None if ms is None else ms - part.error + cov2}
    extra = extra | {"per_reader": value.tolist(), "components": components}
    if readers == "fixed":
        variance, df = (part.error + (count - 1) * cov2) / count, math.inf
    elif ms is None:
        return Estimate(mean, method=name, reason=ONE_READER, extra=extra)
    else:
        with_cases = count * max(cov2, 0.0) if cases == "random" else 0.0
        variance, df = (ms + with_cases) / count, _satterthwaite(ms, with_cases, count - 1)
    return _test(mean, variance, df, null, name, extra)


def _several(value: Floats, part: Components, readers: str, cases: str, name: str, extra: dict[str, Any]) -> Estimate:
    """Several modalities read by the same J readers."""
    modalities, count = value.shape
    grand, rows, columns = value.mean(), value.mean(axis=1), value.mean(axis=0)
    ms_t = count * float(((rows - grand) ** 2).sum()) / (modalities - 1)
    cov1, cov2, cov3 = part.cov1 or 0.0, part.cov2 or 0.0, part.cov3 or 0.0
    freedom = (modalities - 1) * (count - 1)
    ms_tr = float(((value - rows[:, None] - columns + grand) ** 2).sum()) / freedom if freedom else None
    components: dict[str, Any] = {"error": part.error, "cov1": part.cov1, "cov2": part.cov2, "cov3": part.cov3}
    if ms_tr is not None:
        ms_r = modalities * float(((columns - grand) ** 2).sum()) / (count - 1)
        components["reader"] = (ms_r - ms_tr) / modalities - cov1 + cov3
        components["modality_reader"] = ms_tr - part.error + cov1 + cov2 - cov3
    extra = extra | {"components": components, "per_reader": value.tolist(), "ms_modality": ms_t}
    if readers == "fixed":
        denominator, df2 = part.error - cov1 + (count - 1) * (cov2 - cov3), math.inf
    elif ms_tr is None:
        value_alone = float(rows[0] - rows[1]) if modalities == 2 else None
        return Estimate(value_alone, method=name, reason=ONE_READER, extra=extra)
    else:
        with_cases = count * max(cov2 - cov3, 0.0) if cases == "random" else 0.0
        denominator, df2 = ms_tr + with_cases, _satterthwaite(ms_tr, with_cases, freedom)
    pairs = {
        f"{a + 1}-{b + 1}": _test(float(rows[a] - rows[b]), 2 * denominator / count, df2, 0.0, name, {})
        for a, b in combinations(range(modalities), 2)
    }
    return _joint(pairs, ms_t, denominator, modalities - 1, df2, name, extra)


def _nested(value: list[Floats], parts: list[Components], cov3: float, name: str, extra: dict[str, Any]) -> Estimate:
    """Groups of different readers of the same cases."""
    sizes = np.array([own.size for own in value])
    means = np.array([own.mean() for own in value])
    count, freedom = int(sizes.sum()), int(sizes.sum() - sizes.size)
    grand = float((sizes * means).sum() / count)
    ms_t = float((sizes * (means - grand) ** 2).sum() / (sizes.size - 1))
    difference = float(means[0] - means[1])
    weights = sizes * (sizes - 1)
    cov2 = float(sum(w * (p.cov2 or 0.0) for w, p in zip(weights, parts, strict=True)) / max(weights.sum(), 1))
    error = float(sum(n * p.error for n, p in zip(sizes, parts, strict=True)) / count)
    extra = extra | {"components": {"error": error, "cov2": cov2, "cov3": cov3}, "ms_groups": ms_t}
    if not freedom:
        reason = "no group has two readers, so the variation of readers within groups is unknown"
        return Estimate(difference if sizes.size == 2 else None, method=name, reason=reason, extra=extra)
    ms_r = float(sum(((own - own.mean()) ** 2).sum() for own in value) / freedom)
    with_cases = max(cov2 - cov3, 0.0)
    usual = (count - float((sizes**2).sum()) / count) / (sizes.size - 1)
    df2 = _satterthwaite(ms_r, usual * with_cases, freedom)
    pairs = {
        f"{a}-{b}": _test(
            float(means[i] - means[j]), ms_r * (1 / sizes[i] + 1 / sizes[j]) + 2 * with_cases, df2, 0.0, name, {}
        )
        for (i, a), (j, b) in combinations(enumerate(extra["groups"]), 2)
    }
    return _joint(pairs, ms_t, ms_r + usual * with_cases, sizes.size - 1, df2, name, extra)


def _joint(
    pairs: dict[str, Estimate], ms: float, denominator: float, df1: int, df2: float, name: str, extra: dict[str, Any]
) -> Estimate:
    """Return the difference if there is one, the joint test if there are several."""
    if denominator <= NO_SPREAD:
        first = next(iter(pairs.values()))
        return Estimate(first.value if df1 == 1 else None, method=name, reason=first.reason, extra=extra)
    from scipy.special import chdtrc, fdtrc

    chi_square = math.isinf(df2)
    statistic = ms / denominator * (df1 if chi_square else 1)
    p = float(chdtrc(df1, statistic) if chi_square else fdtrc(df1, df2, statistic))
    extra = extra | {"statistic": statistic, "df1": df1}
    df = None if chi_square else df2
    if df1 > 1:
        pairs_bare = {label: bare(pair) for label, pair in pairs.items()}
        return Estimate(statistic, p=p, df=df, method=name, extra=extra | {"pairs": pairs_bare})
    only = next(iter(pairs.values()))
    return Estimate(only.value, only.se, only.ci, p, name, df, extra=extra)


def _satterthwaite(ms: float, rest: float, df: int) -> float:
    return (ms + rest) ** 2 / (ms**2 / df) if ms > NO_SPREAD else math.inf


def _test(value: float, variance: float, df: float, null: float, name: str, extra: dict[str, Any]) -> Estimate:
    if variance <= NO_SPREAD:
        what = "zero, because the figures do not vary" if variance > -NO_SPREAD else f"negative ({variance:.3g})"
        se = 0.0 if variance > -NO_SPREAD else None
        return Estimate(value, se, method=name, reason=f"the estimated variance is {what}", extra=extra)
    se = math.sqrt(variance)
    if math.isinf(df):
        half, p = distributions.normal_quantile(0.95) * se, distributions.normal_p((value - null) / se)
    else:
        half, p = distributions.t_quantile(0.95, df) * se, distributions.t_p((value - null) / se, df)
    return Estimate(value, se, (value - half, value + half), p, name, None if math.isinf(df) else df, extra=extra)
