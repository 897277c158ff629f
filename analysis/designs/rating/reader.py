"""The results of one reader, for `analysis.designs.measure`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import binormal, calibration, detection, roc, scoring
from analysis.statistics.scoring import RULES

Levels = NDArray[np.float64]
Truth = NDArray[np.int_]
CLASSES = (("synthetic", 1), ("real", 0))
# Prevalences for the predictive values: half synthetic, as in most pools, and rarer, as may be met in practice.
PREVALENCES = (0.5, 0.1, 0.01)


def reader(levels: Levels, truth: Truth, late: Levels, group: str, lead: str, margin: float) -> dict[str, Any]:
    """Return the figures of one reader.

    Args:
        levels: 1 to 5 per case, NaN where not answered.
        truth: 0 or 1 per case.
        late: 1 where answered after the deadline, 0 or NaN elsewhere.
        group: group of the reader; may be empty.
        lead: the rule for unsure answers in the main results.
        margin: margin of equivalence to chance.
    """
    counts = level_counts(levels, truth)
    hits, misses = sum(counts["synthetic"][3:]), sum(counts["synthetic"][:2])
    false_alarms, rejections = sum(counts["real"][3:]), sum(counts["real"][:2])
    found = detection.dprime(hits, misses, false_alarms, rejections)
    scores = {rule: scoring.score(levels, truth, rule) for rule in RULES}
    by_rule = {rule: score.measures() for rule, score in scores.items()}
    measures = {name: {rule: by_rule[rule][name] for rule in RULES} for name in by_rule[lead]}
    return {
        "group": group or None,
        "n": sum(counts["synthetic"]) + sum(counts["real"]),
        "confusion": scoring.categories(levels, truth),
        "levels": counts,
        # The estimate under the main rule comes first, followed by those under all rules.
        **{name: by_rule[lead][name].as_dict() | {"rule": lead} | rules for name, rules in measures.items()},
        "accuracy": measures["accuracy"],
        "accuracy_late_wrong": {
            rule: scoring.score(levels, truth, rule, late == 1, late_rule="wrong").accuracy() for rule in RULES
        },
        "predictive_values": [
            {
                "prevalence": prevalence,
                "positive": scores[lead].predictive_value(prevalence),
                "negative": scores[lead].predictive_value(prevalence, negative=True),
            }
            for prevalence in PREVALENCES
        ],
        "association": scoring.association(levels, truth),
        "equivalence": scores[lead].equivalence(margin),
        "auc": roc.auc(levels, truth),
        "binormal": binormal.fit(levels, truth),
        "roc": curve(levels, truth),
        "dprime": found.dprime,
        "criterion": found.criterion,
        "detection": {"value": found.dprime} | found.as_dict(),
        "calibration": calibration.brier(calibration.probabilities(levels), truth),
        "certainty": calibration.certainty_test(levels, truth),
    }


def level_counts(levels: Levels, truth: Truth) -> dict[str, list[int]]:
    """Count how often each level 1 to 5 was given to cases of each class; `levels` may be readers x cases."""
    return {
        name: [int(((levels == level) & (truth == value)).sum()) for level in range(1, 6)] for name, value in CLASSES
    }


def curve(levels: Levels, truth: Truth) -> dict[str, Any] | None:
    """The corners of the empirical ROC curve, from nothing called synthetic to everything; None without both classes.

    At the corner of threshold t, every level of t or more counts as called synthetic; 6 is above all levels.
    """
    points = roc.curve(levels, truth, range(1, 6))
    if not points.thresholds.size:
        return None
    return {
        "thresholds": list(range(6, 0, -1)),
        "fpr": points.false_alarm_rates.tolist(),
        "tpr": points.hit_rates.tolist(),
    }
