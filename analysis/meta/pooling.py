"""The numbers of a meta-analysis as one plain structure, meta.json; the only source of the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from analysis.designs.common import plain, software
from analysis.meta.studies import Study
from analysis.responses import ResponsesError
from analysis.statistics import meta
from analysis.statistics.estimate import Estimate, undefined


def measure(studies: Sequence[Study], scale: str, rule: str) -> dict[str, Any]:
    """Pool several studies.

    Args:
        studies: from `analysis.meta.studies`.
        scale: `accuracy` or `auc`.
        rule: the rule for unsure answers in your own studies.

    Returns:
        `studies`, `pooled` (mean, interval, prediction as shares; `logit` has them on the logit scale), `without` (the
            mean without each study), `asymmetry`, `regression` on year, modality and kind, `pair` of sensitivity and
            specificity.

    Raises:
        ResponsesError: fewer than two studies can be pooled.
    """
    used = [one for one in studies if one.effect is not None]
    if len(used) < 2:
        why = [f"{one.name}: {one.reason}" for one in studies if one.effect is None]
        first = "only one study can be pooled; at least two are needed" if used else "no study can be pooled"
        raise ResponsesError([first, *why])
    y, v = np.array([one.effect for one in used]), np.array([one.variance for one in used])
    logit = meta.pool(y, v)
    weights = dict(zip((one.name for one in used), logit.weights, strict=True))
    found = {
        "format": 1,
        "kind": "meta",
        "scale": scale,
        "settings": {"unsure": rule},
        "software": software(),
        "counts": {
            "studies": len(studies),
            "pooled": len(used),
            "own": sum(one.own for one in studies),
            "by_answers": sum(one.variance_from == "numbers of answers" for one in used),
        },
        "studies": [_line(one, weights.get(one.name)) for one in studies],
        "pooled": _as_share(logit) | {"logit": logit},
        "without": [
            {"study": one.name} | _as_share(meta.pool(np.delete(y, i), np.delete(v, i))) for i, one in enumerate(used)
        ]
        if len(used) > 2
        else [],
        "asymmetry": meta.asymmetry(y, v),
        "regression": {name: _regression(used, name) for name in COVARIATES},
        "pair": _pair(studies),
    }
    return plain(found)


def _line(one: Study, weight: float | None) -> dict[str, Any]:
    reach = 1.959964 * math.sqrt(one.variance) if one.variance else None
    ci = (
        (_expit(one.effect - reach), _expit(one.effect + reach))
        if reach is not None and one.effect is not None
        else None
    )
    return asdict(one) | {"ci": ci, "weight": weight}


def _as_share(logit: Estimate) -> dict[str, Any]:
    """Convert a mean of logits and its limits to shares."""
    if logit.value is None:
        return {"value": None, "ci": None, "prediction": None, "reason": logit.reason}
    prediction = logit.extra.get("prediction")
    return {
        "value": _expit(logit.value),
        "ci": [_expit(one) for one in logit.ci or ()],
        "prediction": [_expit(one) for one in prediction] if prediction else None,
        "p_against_chance": logit.p,
    }


def _expit(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


Values = Callable[[Sequence[Study]], tuple[list[str], list[list[float]]]]


def _years(used: Sequence[Study]) -> tuple[list[str], list[list[float]]]:
    return ["ten years later"], [[((one.year or 0) - 2020) / 10] for one in used]


def _words(name: str) -> Values:
    """Return indicators of each word except the most frequent one, which is the reference."""

    def indicators(used: Sequence[Study]) -> tuple[list[str], list[list[float]]]:
        given = [getattr(one, name) for one in used]
        usual = max(sorted(set(given)), key=given.count)
        others = [word for word in sorted(set(given)) if word != usual]
        return [f"{word}, not {usual}" for word in others], [
            [float(word == other) for other in others] for word in given
        ]

    return indicators


COVARIATES: dict[str, Values] = {"year": _years, "modality": _words("modality"), "kind": _words("kind")}


def _regression(used: Sequence[Study], name: str) -> Estimate:
    """The regression on one property, over the studies that have it; words used by only one study are left out."""
    known = [one for one in used if getattr(one, name)]
    if name != "year":
        words = [getattr(one, name) for one in known]
        known = [one for one in known if words.count(getattr(one, name)) > 1]
        if len({getattr(one, name) for one in known}) < 2:
            return undefined("fewer than two kinds have at least two studies each", k=len(known))
    names, table = COVARIATES[name](known)
    if len(known) < 4:
        return undefined("fewer than four studies report it", k=len(known))
    effects, variances = np.array([[one.effect, one.variance] for one in known], dtype=float).T
    return meta.regress(effects, variances, table, names)


def _pair(studies: Sequence[Study]) -> Estimate:
    counts = np.array([one.counts for one in studies if one.counts is not None]).reshape(-1, 4)
    return meta.bivariate(*counts.T)
