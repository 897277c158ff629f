"""The crossed bootstrap of readers and cases, and its exact limit.

Question: would other readers do as well on other cases? As in `statistics.mrmc`, but without a model of how figures
vary. Its variance is slightly too large, and its percentile interval ignores degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arrays import Floats, as_floats, one_of
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.readings import ENDPOINTS, ONE_READER, Readings, as_readings, check_groups, judged_enough
from analysis.statistics.scoring import credits
from analysis.statistics.ustat import ustatistics

CHUNK = 500  # replicates at a time; part of what a seed means
FEW_LEVELS = 16
SLACK = 1e-9  # statistics that differ by rounding are ties

Statistic = Callable[[Floats, Floats], tuple[Floats, Floats]]


def crossed_bootstrap(
    levels: ArrayLike,
    truth: ArrayLike,
    statistic: str = "auc",
    replicates: int = 10_000,
    seed: int = 0,
    *,
    rule: str | None = "fractional",
    groups: Sequence[str | None] | None = None,
    null: float | None = None,
) -> Estimate:
    """Percentile interval of the readers' mean figure, resampling readers, synthetic and real cases with replacement.

    `levels`: readers x cases, NaN = not read; for statistic "auc" any scores; for "accuracy" (and "sensitivity",
    "specificity") levels 1 to 5 that are scored by `rule` (see `statistics.scoring`), or the credits themselves if rule
    is None. All readers of a replicate share one draw of cases (crossed). With `groups` (one label per reader), readers
    are drawn within their group, and the figure is the first named group's mean minus the other's. p is twice the
    smaller tail of the replicates beyond `null` (.5; 0 between groups), never below `smallest_p`. Readers with fewer
    than two cases of a class are left out and counted; a reader without a class in a replicate is left out of its mean,
    and replicates without readers are counted in `undefined_replicates`. With one reader (in a group) there is only a
    value and a reason. Efron and Tibshirani 1993, chapter 13; Gallas et al. 2009 for its limit, see `crossed_limit`.

    The draws are multinomial case weights. One matrix product of weights and one-hot levels counts each reader's levels
    in all replicates; another, of one-hot levels and a tie kernel, counts what each level beats.

    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> estimate = crossed_bootstrap(scores, [0, 0, 0, 0, 1, 1, 1, 1], replicates=2000)
    >>> round(estimate.value, 3), [round(limit, 2) for limit in estimate.ci]
    (0.885, [0.59, 1.0])
    """
    one_of(statistic, ENDPOINTS, "statistic")
    if np.ndim(levels) != 2:
        raise ValueError(f"levels: expected readers x cases, got {np.ndim(levels)} dimension(s)")
    if statistic != "auc" and rule is not None:
        levels = [credits(row, truth, rule) for row in as_floats(levels, "levels", 2)]
    readings = as_readings(levels, truth, statistic)
    if replicates < 2:
        raise ValueError(f"replicates: expected 2 or more, got {replicates}")
    name = "crossed bootstrap, readers and cases resampled, percentile interval"
    statistics = _area(readings) if statistic == "auc" else _mean_credit(readings, statistic)
    sizes = [int(side.sum()) for side in (readings.synthetic, ~readings.synthetic)]
    usable = judged_enough(readings, statistic)[0]
    members, named = _members(groups, usable)
    extra: dict[str, Any] = {
        "replicates": replicates,
        "seed": seed,
        "readers": sum(own.size for own in members),
        "left_out": int((~usable).sum()),
        "missing": int(np.isnan(readings.scores).sum()),
    }
    if statistic != "auc" and rule is not None:
        extra["rule"] = rule
    if groups is not None:
        extra["groups"] = named
        if len(members) != 2:
            return undefined(f"expected two groups of readers with a figure, got {len(members)}", name, **extra)
    if not extra["readers"]:
        return undefined("no reader has a figure: a class was read too little, or not at all", name, **extra)
    if null is None:
        null = 0.5 if groups is None else 0.0
    value = float(_replicate(statistics, [np.ones((1, size)) for size in sizes], members, None)[0])
    if min(own.size for own in members) < 2:
        reason = (
            ONE_READER if groups is None else "a group has only one reader, so the variation between readers is unknown"
        )
        return Estimate(value, method=name, reason=reason, extra=extra)
    return _concluded(statistics, sizes, members, value, null, name, extra)


def paired_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    truth: ArrayLike,
    statistic: str = "auc",
    replicates: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Percentile interval of the readers' mean difference (first - second) under two conditions.

    `first`, `second`: readers x cases, the same readers and cases, NaN = not read; for every statistic but "auc" the
    entries are credits. Readers, synthetic and real cases are drawn as in `crossed_bootstrap`, with the same draw for
    both conditions, so that shared variation cancels. Readers with fewer than two cases of a class under a
    condition are left out and counted. p is against 0.

    >>> first = [[1, 2, 2, 1, 4, 4, 5, 5], [1, 3, 2, 2, 4, 3, 4, 5], [1, 1, 2, 2, 4, 3, 5, 5]]
    >>> second = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [2, 3, 4, 1, 4, 1, 3, 2]]
    >>> estimate = paired_bootstrap(first, second, [0, 0, 0, 0, 1, 1, 1, 1], replicates=2000)
    >>> round(estimate.value, 3), [round(limit, 2) for limit in estimate.ci]
    (0.26, [0.0, 0.65])
    """
    one_of(statistic, ENDPOINTS, "statistic")
    both = [as_floats(side, name, 2) for side, name in ((first, "first"), (second, "second"))]
    if both[0].shape != both[1].shape:
        raise ValueError(f"second: expected {both[0].shape} readers x cases as in first, got {both[1].shape}")
    if replicates < 2:
        raise ValueError(f"replicates: expected 2 or more, got {replicates}")
    readings = as_readings(np.stack(both), truth, statistic)
    make = _area if statistic == "auc" else partial(_mean_credit, statistic=statistic)
    one, other = (make(Readings(side[None], readings.synthetic)) for side in readings.scores)

    def apart(synthetic: Floats, real: Floats) -> tuple[Floats, Floats]:
        gap = _figures(one, [synthetic, real]) - _figures(other, [synthetic, real])
        return gap, np.ones(gap.shape)

    difference: Statistic = apart
    unread = np.isnan(readings.scores)
    if statistic != "auc" and (unread[0] == unread[1]).all():  # means of the same cases: half the work
        gaps = readings.scores[0] - readings.scores[1]
        difference = _mean_credit(Readings(gaps[None], readings.synthetic), statistic)
    name = "crossed bootstrap, readers and cases resampled in pairs, percentile interval"
    sizes = [int(side.sum()) for side in (readings.synthetic, ~readings.synthetic)]
    usable = judged_enough(readings, statistic).all(axis=0)
    extra = {"replicates": replicates, "seed": seed, "readers": int(usable.sum()), "left_out": int((~usable).sum())}
    if not usable.any():
        return undefined("no reader has a figure under both conditions", name, **extra)
    members = [np.flatnonzero(usable)]
    value = float(_replicate(difference, [np.ones((1, size)) for size in sizes], members, None)[0])
    if extra["readers"] < 2:
        return Estimate(value, method=name, reason=ONE_READER, extra=extra)
    return _concluded(difference, sizes, members, value, 0.0, name, extra)


def _concluded(
    statistics: Statistic,
    sizes: list[int],
    members: list[NDArray[np.intp]],
    value: float,
    null: float,
    name: str,
    extra: dict[str, Any],
) -> Estimate:
    """Draw the replicates that `extra` asks for, and add interval and p."""
    rng, replicates = np.random.default_rng(extra["seed"]), extra["replicates"]
    draws = np.empty(replicates)
    for start in range(0, replicates, CHUNK):
        size = min(CHUNK, replicates - start)
        weights = [_multiplicities(rng, size, cases) for cases in sizes]
        draws[start : start + size] = _replicate(statistics, weights, members, rng)
    defined = draws[np.isfinite(draws)]
    extra["undefined_replicates"] = int(replicates - defined.size)
    if defined.size < 2:
        return undefined("the figure is undefined in these replicates", name, **extra)
    if np.ptp(defined) < SLACK:
        return Estimate(value, 0.0, method=name, reason="all replicates are equal, so nothing varies", extra=extra)
    beyond = min((defined <= null + SLACK).sum(), (defined >= null - SLACK).sum())
    smallest = 2 / (defined.size + 1)
    low, high = np.quantile(defined, (0.025, 0.975))
    return Estimate(
        value,
        float(defined.std(ddof=1)),
        (float(low), float(high)),
        float(min(1.0, (beyond + 1) * smallest)),
        f"{name}, p against {null:g}",
        extra=extra | {"smallest_p": smallest},
    )


class Ranking(NamedTuple):
    """The ranking of kinds of synthetic images, one entry per kind. Undefined replicates count in no share."""

    best: Floats  # share of replicates in which it came first
    ranks: Floats  # kinds x places: share of replicates in which it took this place
    ci: Floats  # kinds x 2: percentile limits of its figure
    undefined: int


def ranking(
    scores: ArrayLike,
    cells: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    statistic: str = "auc",
    replicates: int = 10_000,
    seed: int = 0,
) -> Ranking:
    """How often each kind of synthetic image is the most convincing one in the crossed bootstrap.

    `scores`: readers x cases, NaN = not read; `cells`: for each kind, flags of its synthetic cases and of its
    real reference cases, which kinds share fully or not at all (`sources.Cell`). Statistic "auc": the lowest mean AUC
    is first; "sensitivity": the highest mean credit, so pass credits for being fooled. A replicate draws the readers
    once, the cases of every kind, and shared real cases once for all kinds that share them; tied kinds share their
    places. The shares refer to resampled studies like this one; they are not probabilities that a kind *is* the best:
    among equals they are near 1 / kinds. Raises ValueError for fewer than two kinds.

    >>> scores = [[1, 2, 3, 2, 1, 2, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 3, 2, 2, 1, 1, 4, 5]]
    >>> flags = [[n in part for n in range(8)] for part in ((4, 5), (6, 7), (0, 1, 2, 3))]
    >>> first, second, real = (np.array(one) for one in flags)
    >>> ranking(scores, [(first, real), (second, real)], replicates=500).best.tolist()
    [1.0, 0.0]
    """
    one_of(statistic, ("auc", "sensitivity"), "statistic")
    if len(cells) < 2:
        raise ValueError(f"cells: expected two or more kinds, got {len(cells)}")
    array = as_floats(scores, "scores", 2)
    rng = np.random.default_rng(seed)
    statistics = []
    for synthetic, real in cells:
        used = synthetic | real
        own = as_readings(array[:, used], synthetic[used], statistic)
        statistics.append(_area(own) if statistic == "auc" else _mean_credit(own, statistic))
    draws = np.empty((replicates, len(cells)))
    for start in range(0, replicates, CHUNK):
        size = min(CHUNK, replicates - start)
        readers = _multiplicities(rng, size, len(array))
        shared: dict[bytes, Floats] = {}
        each = []
        for (synthetic, real), of_cell in zip(cells, statistics, strict=True):
            if real.tobytes() not in shared:
                shared[real.tobytes()] = _multiplicities(rng, size, int(real.sum()))
            weights = _multiplicities(rng, size, int(synthetic.sum()))
            each.append(_figures(of_cell, [weights, shared[real.tobytes()]]))
        figure = np.stack(each, axis=2)
        counts = readers * np.isfinite(figure).all(axis=2)
        total, drawn = (counts[..., None] * np.nan_to_num(figure)).sum(axis=1), counts.sum(axis=1)[:, None]
        draws[start : start + size] = np.divide(total, drawn, out=np.full(total.shape, np.nan), where=drawn > 0)
    defined = draws[np.isfinite(draws).all(axis=1)]
    if not len(defined):
        nothing = np.full((len(cells), len(cells)), np.nan)
        return Ranking(nothing[0], nothing, nothing[:, :2], replicates)
    low = defined if statistic == "auc" else -defined
    before = (low[:, None, :] < low[:, :, None] - SLACK).sum(axis=2)
    tied = (np.abs(low[:, None, :] - low[:, :, None]) <= SLACK).sum(axis=2)
    places = np.arange(len(cells))
    at = (before[..., None] <= places) & (places < (before + tied)[..., None])
    ranks = (at / tied[..., None]).mean(axis=0)
    limits = np.quantile(defined, (0.025, 0.975), axis=0).T
    return Ranking(ranks[:, 0], ranks, limits, replicates - len(defined))


def crossed_limit(scores: ArrayLike, truth: ArrayLike, *, endpoint: str = "auc", null: float = 0.5) -> Estimate:
    """The limit of the crossed bootstrap's standard error for many replicates, without random numbers.

    The variance of the reader-averaged figure with the empirical distribution of readers and cases in place of the
    populations (Gallas, Bandos, Samuelson and Wagner 2009, Commun Stat 38:2586). Exact if every reader read every
    case. `ci` and p use t with the BDG degrees of freedom. Arguments as in `ustat.ustatistics`, one modality.

    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> truth = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> round(crossed_limit(scores, truth).se, 3), round(crossed_bootstrap(scores, truth, replicates=20_000).se, 3)
    (0.108, 0.109)
    """
    if np.ndim(scores) != 2:
        raise ValueError(f"scores: expected readers x cases, got {np.ndim(scores)} dimension(s)")
    found = ustatistics(scores, truth, endpoint=endpoint, estimator="mle", null=null)
    name = f"limit of the crossed bootstrap, readers and cases random, t interval, against {null:g}"
    if found.value is not None and found.extra["readers"] < 2:
        return Estimate(found.value, method=name, reason=ONE_READER, extra=found.extra)
    return replace(found, method=name)


def _members(
    groups: Sequence[str | None] | None, usable: NDArray[np.bool_]
) -> tuple[list[NDArray[np.intp]], list[str]]:
    """The readers with a figure, all together or group by group, and the names of the groups."""
    if groups is None:
        return [np.flatnonzero(usable)], []
    labels = np.array(check_groups(groups, usable.size), dtype=object)
    members = {
        label: np.flatnonzero(usable & (labels == label)) for label in dict.fromkeys(labels) if label is not None
    }
    members = {label: own for label, own in members.items() if own.size}
    return list(members.values()), list(members)


def _multiplicities(rng: np.random.Generator, replicates: int, size: int) -> Floats:
    """How often each of `size` things is drawn in `size` draws with replacement: replicates x size."""
    draws = rng.integers(max(size, 1), size=(replicates, size)) + np.arange(replicates)[:, None] * size
    return np.bincount(draws.ravel(), minlength=replicates * size).reshape(replicates, size).astype(np.float32)


def _figures(statistic: Statistic, weights: list[Floats]) -> Floats:
    """Every reader's figure under case weights, replicates x readers; NaN where undefined."""
    numerator, denominator = statistic(*weights)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)


def _replicate(
    statistic: Statistic, weights: list[Floats], members: list[NDArray[np.intp]], rng: np.random.Generator | None
) -> Floats:
    """The mean figure (or the difference of two groups) of every replicate; NaN where no reader has one."""
    figure = _figures(statistic, weights)
    means = []
    for own in members:
        counts = np.ones((len(figure), own.size)) if rng is None else _multiplicities(rng, len(figure), own.size)
        counts = counts * np.isfinite(figure[:, own])
        total, drawn = (counts * np.nan_to_num(figure[:, own])).sum(axis=1), counts.sum(axis=1)
        means.append(np.divide(total, drawn, out=np.full(total.shape, np.nan), where=drawn > 0))
    return means[0] if len(means) == 1 else means[0] - means[1]


def _area(readings: Readings) -> Statistic:
    """Return numerators and denominators of every reader's AUC under case weights (replicates x synthetic, x real)."""
    scores = readings.scores[0]
    above, below = scores[:, readings.synthetic], scores[:, ~readings.synthetic]
    levels = np.unique(scores[~np.isnan(scores)])
    readers = len(scores)
    counted = [(~np.isnan(side)).astype(np.float32).T for side in (above, below)]
    if len(levels) <= FEW_LEVELS:
        hot = (above[..., None] == levels).astype(np.float32)
        # The tie kernel: a score beats a real case below it (1) and ties with one at its level (1/2).
        beaten = (below[..., None] < levels).astype(np.float32) + (below[..., None] == levels).astype(np.float32) / 2
        hot, beaten = (side.transpose(1, 0, 2).reshape(side.shape[1], readers * len(levels)) for side in (hot, beaten))

        def by_levels(first: Floats, second: Floats) -> tuple[Floats, Floats]:
            shape = len(first), readers, len(levels)
            first, second = first.astype(np.float32, copy=False), second.astype(np.float32, copy=False)
            # Multiples of one half below 2^23 are exact in float32 (1,000,000 pairs of cases and more).
            area = np.einsum("brl,brl->br", (first @ hot).reshape(shape), (second @ beaten).reshape(shape))
            return area.astype(float), ((first @ counted[0]) * (second @ counted[1])).astype(float)

        return by_levels

    def by_pairs(first: Floats, second: Floats) -> tuple[Floats, Floats]:
        numerator = np.empty((len(first), readers))
        for reader in range(readers):
            high, low = above[reader][:, None], below[reader][None, :]
            success = 0.5 * (high > low) + 0.5 * (high >= low)
            numerator[:, reader] = ((first @ success) * second).sum(axis=1)
        return numerator, (first @ counted[0]) * (second @ counted[1])

    return by_pairs


def _mean_credit(readings: Readings, statistic: str) -> Statistic:
    """Return the same for a mean of credits."""
    use = {"sensitivity": (1.0, 0.0), "specificity": (0.0, 1.0)}.get(statistic, (1.0, 1.0))
    sides = [readings.scores[0][:, side].T for side in (readings.synthetic, ~readings.synthetic)]
    credit = [np.nan_to_num(side) * weight for side, weight in zip(sides, use, strict=True)]
    counted = [~np.isnan(side) * weight for side, weight in zip(sides, use, strict=True)]

    def mean(first: Floats, second: Floats) -> tuple[Floats, Floats]:
        return first @ credit[0] + second @ credit[1], first @ counted[0] + second @ counted[1]

    return mean
