"""All readers together, for `analysis.designs.measure`: means over readers and cases, agreement, groups, tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.designs.common import test_line
from analysis.designs.rating.reader import Levels, Truth, level_counts
from analysis.statistics import (
    agreement,
    calibration,
    consistency,
    few_readers,
    mrmc,
    multiplicity,
    proportions,
    reader_tests,
    resampling,
    scoring,
)
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.groups import compare as compare_two
from analysis.statistics.groups import experience as correlate
from analysis.statistics.scoring import RULES

BOTH, CASES, READERS = "other readers and other cases", "other cases, these readers", "other readers, these cases"


def all_credits(levels: Levels, truth: Truth) -> dict[str, Levels]:
    """Return the credit of every answer under each rule for unsure answers: readers x cases."""
    return {rule: np.array([scoring.credits(row, truth, rule) for row in levels]) for rule in RULES}


def overall(levels: Levels, truth: Truth, lead: str, bootstrap: int, seed: int) -> dict[str, Any]:
    """Return mean accuracy and AUC over readers by every method, each with what it generalises to."""
    credits = all_credits(levels, truth)
    by_hillis = {rule: mrmc.obuchowski_rockette(credits[rule], truth, endpoint="accuracy") for rule in RULES}
    accuracy = {rule: _cut(few_readers.leading(found)) for rule, found in by_hillis.items()}
    area = mrmc.obuchowski_rockette(levels, truth)
    auc = _cut(few_readers.leading(area))
    methods: list[dict[str, Any]] = []
    for name, scores, first, usual in (
        ("auc", levels, auc, area),
        ("accuracy", credits[lead], accuracy[lead], by_hillis[lead]),
    ):
        # For means of credits, all three methods give the same covariances.
        others = ("delong", "unbiased") if name == "auc" else ()
        second = [one for one in (usual, few_readers.welch(usual)) if one.method != first.method]
        found = [
            (first, BOTH),
            *((one, BOTH) for one in second[:1]),
            *((mrmc.obuchowski_rockette(scores, truth, other), BOTH) for other in others),
            (mrmc.ustatistics(scores, truth, endpoint=name), BOTH),
            (resampling.crossed_limit(scores, truth, endpoint=name), BOTH),
            (resampling.crossed_bootstrap(levels, truth, name, bootstrap, seed, rule=lead), BOTH),
            (mrmc.obuchowski_rockette(scores, truth, readers="fixed", endpoint=name), CASES),
            (mrmc.obuchowski_rockette(scores, truth, cases="fixed", endpoint=name), READERS),
        ]
        methods += [{"figure": name, "speaks_of": reach, **_cut(estimate).as_dict()} for estimate, reach in found]
    return {
        "accuracy": accuracy,
        "accuracy_span": _span(accuracy),
        "auc": auc,
        "methods": methods,
        "levels": level_counts(levels, truth),
        "calibration": calibration.brier(calibration.probabilities(levels.ravel()), np.tile(truth, len(levels))),
        "certainty": calibration.certainty_test(levels.ravel(), np.tile(truth, len(levels))),
    }


def agreements(levels: Levels, truth: Truth, names: list[str], labels: list[str]) -> dict[str, Any]:
    """Agreement of all readers over five, three and two levels, by class, group and certainty, and for each pair."""
    ratings, five = levels.T, range(1, 6)
    pairs = consistency.cohen_kappa_pairs(ratings, names, "linear", five)
    grouped = np.array([bool(label) for label in labels], dtype=bool)
    nested: dict[str, dict[str, Estimate]] = {}
    for (a, b), kappa in pairs.pairs.items():
        nested.setdefault(a, {})[b] = kappa
    return {
        "fleiss_kappa": consistency.by_scheme(ratings),
        "gwet_ac1": consistency.by_scheme(ratings, agreement.gwet_ac1),
        "gwet_ac2": agreement.gwet_ac2(ratings, five),
        "by_class": consistency.by_class(ratings, truth),
        "by_group": consistency.by_group(ratings[:, grouped], [label for label in labels if label]),
        "by_certainty": consistency.by_certainty(ratings),
        "krippendorff_alpha": {
            level: agreement.krippendorff_alpha(ratings, level) for level in ("nominal", "ordinal", "interval")
        },
        "percent_agreement": agreement.percent_agreement(ratings),
        "cohen_kappa_pairs": nested,
        "cohen_kappa_mean": pairs.mean,
    }


def groups(levels: Levels, truth: Truth, labels: list[str], lead: str, bootstrap: int, seed: int) -> dict[str, Any]:
    """Return the results of each group of readers and, if there are two, their difference by every method."""
    credits = all_credits(levels, truth)
    members = {}
    for name in sorted(set(labels) - {""}):
        own = [i for i, label in enumerate(labels) if label == name]
        members[name] = {
            "n": len(own),
            "accuracy": {
                rule: _cut(
                    few_readers.leading(mrmc.obuchowski_rockette(credits[rule][own], truth, endpoint="accuracy"))
                )
                for rule in RULES
            },
            "auc": _cut(few_readers.leading(mrmc.obuchowski_rockette(levels[own], truth))),
        }
    if len(members) != 2:
        reason = f"a difference needs two groups of readers, and there are {len(members)}"
        return {"members": members, "difference": undefined(reason), "comparisons": []}
    names = [label or None for label in labels]
    comparisons = [
        {"figure": figure, **estimate.as_dict()}
        for figure, scores in (("auc", levels), ("accuracy", credits[lead]))
        for found in compare_two(scores, truth, names, endpoint=figure, replicates=bootstrap, seed=seed).values()
        for estimate in found
    ]
    first, second = list(dict.fromkeys(label for label in labels if label))
    difference = next(one for one in comparisons if one["method"].startswith("nested Obuchowski-Rockette"))
    difference |= {"first": first, "second": second}
    return {"members": members, "difference": difference, "comparisons": comparisons}


def experience(
    readers: Mapping[str, Any], means: Mapping[str, Any], years: Mapping[str, float], lead: str, seed: int
) -> list[dict[str, Any]]:
    """Correlate accuracy and AUC with the readers' years of experience; empty if no reader's are known."""
    if not years:
        return []
    known = [years.get(name, math.nan) for name in readers]
    figures = {
        "accuracy": _kept((reader["accuracy"][lead] for reader in readers.values()), means["accuracy"][lead]),
        "auc": _kept((reader["auc"] for reader in readers.values()), means["auc"]),
    }
    return [
        {"figure": figure, **estimate.as_dict()}
        for figure, values in figures.items()
        for estimate in correlate(values, known, seed=seed)
    ]


def tests(
    readers: Mapping[str, Any], means: Mapping[str, Any], lead: str, margin: float, seed: int
) -> list[dict[str, Any]]:
    """Return the tests against chance, each with its question; those of single readers are corrected for their number.

    `means` is the result of `overall`; readers left out of its means are left out here too.
    """
    mean = means["accuracy"][lead]
    accuracy = _kept((reader["accuracy"][lead] for reader in readers.values()), mean)
    auc = _kept((reader["auc"] for reader in readers.values()), means["auc"])
    hits, false_alarms = (
        _kept((reader[rate]["excluded"] for reader in readers.values()), means["auc"])
        for rate in ("sensitivity", "false_positive_rate")
    )
    chance, more = (
        "would other readers be better than chance, on these cases?",
        "call synthetic cases synthetic more often",
    )
    equal = f"would other readers be within {margin:g} of chance, on"
    found = [
        test_line(f"mean {name}", question, estimate)
        | {"readers": int(np.isfinite(values).sum()), "readers_left_out": int(np.isnan(values).sum())}
        for name, question, values, estimates in (
            ("accuracy", chance, accuracy, _over_readers(accuracy, 0.5, seed)),
            ("AUC", chance, auc, _over_readers(auc, 0.5, seed)),
            (
                "sensitivity minus (1 − specificity), unsure answers excluded",
                f"would other readers {more} than real ones?",
                hits - false_alarms,
                _over_readers(hits - false_alarms, 0, seed),
            ),
            (
                "accuracy, equivalence",
                f"{equal} these cases?",
                accuracy,
                [proportions.mean_equivalence(accuracy, 0.5, margin)],
            ),
            ("accuracy, equivalence", f"{equal} other cases?", accuracy, [mrmc.equivalence(mean, 0.5, margin)]),
        )
        for estimate in estimates
    ]
    each = {
        f"AUC of {name}": test_line(
            f"AUC of {name}", "would this reader be better than chance, on other cases?", reader["auc"]
        )
        for name, reader in readers.items()
    }
    corrected = multiplicity.adjust({"each reader's AUC": {name: test["p"] for name, test in each.items()}})
    return found + [
        each[row.name] | {"family": row.family, "holm": row.holm, "benjamini_hochberg": row.benjamini_hochberg}
        for row in corrected
    ]


def _over_readers(values: Levels, null: float, seed: int) -> list[Estimate]:
    return [
        reader_tests.t_test(values, null),
        reader_tests.signed_rank(values, null, seed),
        reader_tests.sign_flip(values, null, seed),
    ]


def _kept(estimates: Iterable[Estimate], mean: Estimate) -> Levels:
    """Return the readers' figures, NaN for readers left out of `mean` because they judged too few cases."""
    values = np.array([math.nan if one.value is None else one.value for one in estimates])
    values[[left["reader"] for left in mean.extra.get("left_out", [])]] = math.nan
    return values


def _cut(estimate: Estimate) -> Estimate:
    """Keep the interval of a mean within 0 and 1; a t interval of few readers may extend beyond."""
    if estimate.ci is None:
        return estimate
    return replace(estimate, ci=(max(0.0, estimate.ci[0]), min(1.0, estimate.ci[1])))


def _span(accuracy: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return the lowest and the highest accuracy over the rules for unsure answers."""
    defined = [(estimate.value, rule) for rule, estimate in accuracy.items() if estimate.value is not None]
    if not defined:
        return {"low": None, "high": None}
    (low, low_rule), (high, high_rule) = min(defined), max(defined)
    return {"low": {"value": low, "rule": low_rule}, "high": {"value": high, "rule": high_rule}}
