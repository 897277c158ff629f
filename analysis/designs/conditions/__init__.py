"""The effects of conditions: readers read cases under two to four conditions, or each reader under one of them.

The statistics are in `analysis.statistics`; this package calls them and arranges the results.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.designs.common import Settings
from analysis.designs.conditions import course, pairs
from analysis.designs.conditions.readings import Readings, readings_of
from analysis.designs.rating.panel import all_credits
from analysis.responses import Responses
from analysis.responses import conditions as told
from analysis.statistics import calibration


def rest(responses: Responses) -> Responses:
    """Return the answers for all other measures: if cases were read again, only those under the first condition.

    The first condition is the reference for the others; a mean over conditions would describe no actual reading.
    """
    names = told.names(responses)
    return told.within(responses, names[0]) if len(names) > 1 and told.read_again(responses) else responses


def measure(responses: Responses, settings: Settings) -> dict[str, Any] | None:
    """Return `conditions` for results.json; None for a study without conditions."""
    names = told.names(responses)
    if not names:
        return None
    by_name = {name: int((responses.scored["condition"] == name).sum()) for name in names}
    again = told.read_again(responses)
    found: dict[str, Any] = {"names": names, "answers": by_name, "rest": names[0] if again else None}
    if len(names) < 2:
        return found | {"reason": "a difference needs two conditions, and the study has only one"}
    if responses.design != "rating":
        return found | {
            "reason": f"conditions are compared in rating studies only, and this one is a {responses.design}"
        }
    cube = readings_of(responses, names)
    if cube.read.any(axis=1).sum() < 2:
        return found | {"reason": "a difference needs two conditions, and there are answers under fewer"}
    within = cube.within
    found |= {
        "by": "within" if within else "between",
        "cases": ("same" if again else "split") if within else None,
        "interval": pairs.standing(cube),
        "sequences": _counts(list(told.sequences(responses).values())),
    }
    rule = settings.unsure
    credits = np.stack([all_credits(levels, cube.truth)[rule] for levels in cube.levels])
    stated = np.stack([_probabilities(levels) for levels in cube.levels])
    losses = np.asarray((stated - cube.truth) ** 2, dtype=np.float64)
    scores: dict[str, pairs.Cube] = {"auc": cube.levels, "accuracy": credits, "brier": losses}
    found["figures"] = pairs.alone(cube, scores)
    found["differences"] = pairs.differences(cube, scores, settings.bootstrap, settings.seed)
    found["joint"] = pairs.joint(cube, scores)
    found["crossover"] = pairs.crossover(cube, scores) if within else None
    found["readers"] = pairs.readers(cube, scores, told.sequences(responses))
    found["groups"] = pairs.groups(cube, scores)
    found["hints"] = pairs.hints(cube, credits, course.hints_of(responses))
    found["times"] = course.times(responses, names)
    found["model"] = course.model(responses, names)
    return found


def _probabilities(levels: Any) -> Any:
    return np.array([calibration.probabilities(row) for row in levels])


def _counts(labels: list[str]) -> dict[str, int]:
    return {label: labels.count(label) for label in sorted(set(labels))}


__all__ = ["Readings", "measure", "rest"]
