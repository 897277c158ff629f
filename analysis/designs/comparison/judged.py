"""The results for one criterion: which method was preferred, how strongly, and how well readers agree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from analysis.designs.common import clustered
from analysis.designs.comparison.trials import Numbers, Trials, alone_ahead
from analysis.statistics import (
    agreement,
    distributions,
    mixed,
    multiplicity,
    preference,
    proportions,
    reader_tests,
)
from analysis.statistics.estimate import Estimate, undefined

BOTH, CASES, READERS = "other readers, other cases", "other cases, these readers", "other readers, these cases"
NEITHER = "these answers, as if each were independent"
SAID = {"better": "better", "yes-no": "yes", "choice": "chosen"}  # the answer whose share is reported for each method


def criterion(trials: Trials, name: str, seed: int) -> dict[str, Any]:
    """Return all results for one criterion."""
    scores, kind = trials.scores(name), trials.criteria[name]
    listed = pairs(scores, trials.methods, kind, seed)
    wins, ties = preference.tally(scores.reshape(-1, len(trials.methods)))
    return {
        "kind": kind,
        "answers": [word for word, _ in trials.words(name)],
        "n": int((~np.isnan(scores)).all(axis=2).sum()),
        "preference": listed[0] if len(listed) == 1 else _against_all(trials.methods, scores),
        "pairs": listed,
        "methods": methods(trials, name, scores),
        "wins": wins,
        "ties": ties,
        "agreement": agreements(trials, name, scores),
    }


def outcomes(scores: Numbers, a: int, b: int) -> Numbers:
    """1 where the first method is ahead, 0 where behind, 0.5 where level: readers x cases, NaN where not answered."""
    return (np.sign(scores[:, :, a] - scores[:, :, b]) + 1) / 2


def model(credits: Numbers) -> Estimate:
    """Estimate the share of preferences without ties by a logistic model, averaged over random readers and cases.

    A chance of one half has log odds 0 however much readers and cases vary, so p is that of the intercept.
    """
    method = "logistic mixed model, readers and cases random, averaged over both, ties excluded"
    readers, cases = np.nonzero(~np.isnan(credits) & (credits != 0.5))
    if not readers.size:
        return undefined("every comparison was a tie", method)
    fitted = mixed.logistic(credits[readers, cases], {}, {"reader": readers, "case": cases})
    one = fitted.fixed["intercept"]
    if one.value is None or one.ci is None:
        return undefined(one.reason or "the model could not be fitted", method)
    spread = math.sqrt(sum((factor.value or 0.0) ** 2 for factor in fitted.random.values()))
    value, low, high = (mixed.averaged(odds, spread) for odds in (one.value, *one.ci))
    return Estimate(value, ci=(low, high), p=one.p, method=method, reason=fitted.reason)


def pairs(scores: Numbers, names: list[str], kind: str, seed: int) -> list[dict[str, Any]]:
    """Compare every pair of methods: counts, exact share, share with readers and cases random, and Wilcoxon tests."""
    found: list[dict[str, Any]] = []
    for a, b in combinations(range(len(names)), 2):
        credits = outcomes(scores, a, b)
        better, same, worse = (int((credits == credit).sum()) for credit in (1, 0.5, 0))
        exact = preference.sign_test(better, same, worse)
        gaps = scores[:, :, a] - scores[:, :, b] if kind == "scale" else 2 * credits - 1
        ways = [
            (clustered(credits), BOTH),
            (model(credits), BOTH),
            (clustered(credits, readers="fixed"), CASES),
            (clustered(credits, cases="fixed"), READERS),
            (exact, NEITHER),
        ]
        wilcoxon = {unit: _ranks(gaps, axis, unit, seed) for axis, unit in ((1, "reader"), (0, "case"))}
        line: dict[str, Any] = {
            "first": names[a],
            "second": names[b],
            "better": better,
            "same": same,
            "worse": worse,
            "p": None,
        }
        line |= exact.as_dict() | {"clustered": ways[0][0], "wilcoxon": wilcoxon}
        found.append(line | {"methods": [{"speaks_of": reach} | one.as_dict() for one, reach in ways]})
    corrected = multiplicity.adjust({"pairs": {str(i): line["clustered"].p for i, line in enumerate(found)}})
    for row in corrected:
        found[int(row.name)]["p_holm"] = row.holm
    return found


def _ranks(gaps: Numbers, axis: int, unit: str, seed: int) -> Estimate:
    """Apply Wilcoxon's signed-rank test to the mean differences of readers, or of cases."""
    there = ~np.isnan(gaps)
    counts = there.sum(axis=axis)
    means = np.where(there, gaps, 0).sum(axis=axis)[counts > 0] / counts[counts > 0]
    found = reader_tests.signed_rank(means, 0, seed)
    exact = "exact " if found.method.startswith("exact") else ""
    return replace(found, method=f"{exact}Wilcoxon signed-rank test, over {unit}s")


def _against_all(names: list[str], scores: Numbers) -> dict[str, Any]:
    """Compare the first method by name with all others together; `pairs` has every single pair."""
    credits = np.mean([outcomes(scores, 0, b) for b in range(1, len(names))], axis=0)
    return {"first": names[0], "second": None} | first_ahead(scores) | {"clustered": clustered(credits)}


def first_ahead(scores: Numbers) -> dict[str, Any]:
    """Count how often the first method was ahead of all others (`better`), none was (`same`), or another was (`worse`).

    Each answer of one reader to one case counts once. `value` is better / (better + worse), with an exact test against
    `chance`, one divided by the number of methods; for two methods this is the sign test.
    """
    alone = alone_ahead(scores)
    better, decided = int(alone[:, 0].sum()), int(alone.sum())
    counts = {"better": better, "same": len(alone) - decided, "worse": decided - better}
    if scores.shape[-1] == 2:
        return counts | {"p": None} | preference.sign_test(**counts).as_dict()
    found = proportions.against_chance(better, decided, 1 / scores.shape[-1])
    if not decided:
        found = replace(found, reason="no method was ahead of all others in a comparison")
    return counts | {"p": None} | found.as_dict()


def methods(trials: Trials, name: str, scores: Numbers) -> dict[str, Any]:
    """Return each method's strength, the counts of each answer, and the share of the lead answer or the mean."""
    wins, ties = preference.tally(scores.reshape(-1, len(trials.methods)))
    fitted = preference.bradley_terry(wins, ties)
    wide = _strengths(scores, fitted)
    lead, found = SAID.get(trials.criteria[name]), {}
    for m, method in enumerate(trials.methods):
        own = scores[:, :, m]
        counts = {word: int((own == score).sum()) for word, score in trials.words(name)}
        one: dict[str, Any] = {"strength": None, "ci": None, "reason": fitted.reason, "method": fitted.method}
        if fitted.strength is not None and fitted.ci is not None and fitted.se is not None:
            one |= {"strength": fitted.strength[m], "se": fitted.se[m], "ci": fitted.ci[m], "reason": None}
        one |= {"clustered": wide[m], "counts": counts}
        if lead:
            one["share"] = proportions.interval(counts[lead], sum(counts.values()))
            credits = np.where(np.isnan(own), np.nan, (own == 1).astype(float))
            one["share_clustered"] = clustered(credits) if credits.size else undefined("there are no answers")
            one["share_clustered"] = replace(one["share_clustered"], p=None)
        else:
            one["mean"] = reader_tests.t_test(_means(own), 0)
            one["mean"] = replace(one["mean"], p=None, method="mean of the readers' means, t interval over readers")
        found[method] = one
    return found


def _means(scores: Numbers) -> Numbers:
    there = ~np.isnan(scores)
    kept = there.any(axis=1)
    return np.where(there, scores, 0).sum(axis=1)[kept] / there.sum(axis=1)[kept]


def _strengths(scores: Numbers, fitted: preference.Strengths) -> list[Estimate]:
    """Return the strengths with standard errors that treat readers and cases as clusters.

    The variance is the sum of the jackknife variances over readers and over cases, minus the model's own (Cameron,
    Gelbach and Miller 2011, J Bus Econ Stat 29:238), and never less than the latter; the interval uses t with one
    degree of freedom fewer than the smaller number of readers or cases.
    """
    method = f"{fitted.method}, readers and cases as clusters (jackknife)"
    count = scores.shape[2]
    if fitted.strength is None or fitted.se is None:
        return [undefined(fitted.reason or "the model could not be fitted", method)] * count
    variances = []
    for axis in (0, 1):
        units = [i for i in range(scores.shape[axis]) if not np.isnan(np.take(scores, i, axis)).all()]
        left = [_without(scores, axis, i) for i in units]
        if len(units) < 2 or any(one is None for one in left):
            reason = "the strengths are not finite when one reader or case is left out, or there is only one"
            return [Estimate(float(value), method=method, reason=reason) for value in fitted.strength]
        spread = np.array(left, dtype=float)
        variances.append((len(units) - 1) / len(units) * ((spread - spread.mean(axis=0)) ** 2).sum(axis=0))
    variance = np.maximum(variances[0] + variances[1] - fitted.se**2, fitted.se**2)
    df = min(scores.shape[0], scores.shape[1]) - 1
    half = distributions.t_quantile(0.95, df) * np.sqrt(variance)
    return [
        Estimate(float(value), float(math.sqrt(v)), (float(value - h), float(value + h)), method=method, df=df)
        for value, v, h in zip(fitted.strength, variance, half, strict=True)
    ]


def _without(scores: Numbers, axis: int, unit: int) -> Numbers | None:
    kept = np.delete(scores, unit, axis).reshape(-1, scores.shape[2])
    return preference.bradley_terry(*preference.tally(kept)).strength


def agreements(trials: Trials, name: str, scores: Numbers) -> dict[str, Any]:
    """Compute Gwet's, Fleiss' and Krippendorff's coefficients for the answers, and the share of pairs that agree.

    For a scale they are alpha (reported first) and AC2, which give partial credit to neighbouring answers. The subjects
    are images; they are cases if one image is chosen, or one image's answer follows from the other's.
    """
    kind = trials.criteria[name]
    if kind == "choice":
        subjects = np.where(np.isnan(scores).all(axis=2), np.nan, np.argmax(scores == 1, axis=2)).T
        categories = list(range(len(trials.methods)))
    else:
        chosen = scores[:, :, :1] if trials.mirrored(name) else scores
        subjects = chosen.reshape(len(trials.readers), -1).T
        categories = [int(score) for _, score in trials.words(name)]
    if len(trials.readers) < 2 or np.isnan(subjects).all():
        nothing = undefined("agreement needs at least two readers").as_dict()
        return {coefficient: nothing for coefficient, _ in _coefficients(kind)} | {"subjects": 0}
    found: dict[str, Any] = {"subjects": len(subjects)}
    for coefficient, function in _coefficients(kind):
        found[coefficient] = function(subjects, categories)
    return found


def _coefficients(kind: str) -> Iterator[tuple[str, Any]]:
    if kind == "scale":
        yield "gwet_ac2", agreement.gwet_ac2
    else:
        yield "gwet_ac1", agreement.gwet_ac1
        yield "fleiss_kappa", agreement.fleiss_kappa
    level = "ordinal" if kind in ("scale", "better") else "nominal"
    yield "krippendorff_alpha", lambda ratings, _: agreement.krippendorff_alpha(ratings, level)
    yield "percent_agreement", lambda ratings, _: agreement.percent_agreement(ratings)
