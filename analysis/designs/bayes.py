"""The Bayesian analysis of a rating study (`--bayes`); the computation is in `analysis.statistics.bayes`."""

from __future__ import annotations

import math
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from analysis.designs.common import Settings
from analysis.responses import Responses
from analysis.statistics import bayes
from analysis.statistics.bayes import predictive, sampling
from analysis.statistics.bayes.quantities import NAME
from analysis.statistics.estimate import Estimate
from analysis.statistics.scoring import RULES


def check(responses: Responses) -> None:
    """Raise BayesError with every reason why the study has no Bayesian analysis; compute nothing."""
    if responses.design != "rating":
        raise bayes.BayesError(
            [f"design: the Bayesian model is for rating studies with one image per trial, this is a {responses.design}"]
        )
    bayes.check_installed()
    bayes.prepare(responses.matrix("level"), responses.truth, names=responses.readers)


def measure(responses: Responses, settings: Settings) -> dict[str, Any]:
    """Return `bayes` for results.json; numbers are null with a `reason` if the sampler did not converge."""
    names = responses.readers
    labels = [responses.groups[name] or None for name in names]
    posterior = bayes.fit(responses.matrix("level"), responses.truth, labels, names, seed=settings.seed)
    groups, fault = sampling.group_names(labels), posterior.diagnostics.fault
    found: dict[str, Any] = {
        "method": NAME,
        "spread_median": math.exp(posterior.priors.delta_sd[0]),
        "reason": fault,
        "diagnostics": asdict(posterior.diagnostics) | {"software": f"NumPyro {version('numpyro')}"},
        "priors": asdict(posterior.priors),
        "levels": list(posterior.data.levels),
        "groups": groups,
    }
    if fault:
        return found
    reaches = {
        "these_readers": posterior.readers,
        "new_readers": posterior.new_readers,
        "new_reader": posterior.new_reader,
    }
    for name, ask in reaches.items():
        found[name] = _figures(ask, settings.margin)
    found["readers"] = {
        name: {"group": label}
        | _figures(lambda figure, margin, number=number: posterior.reader(number, figure, margin), settings.margin)
        for number, (name, label) in enumerate(zip(names, labels, strict=True))
    }
    if len(groups) == 2:
        first, second = ([number for number, label in enumerate(labels) if label == group] for group in groups)
        found["group_difference"] = posterior.group_difference(first, second)
    found |= {"parameters": posterior.parameters(), "bayes_factor": posterior.bayes_factor()}
    return found | {"predictive": predictive.check(posterior)}


def _figures(ask: Any, margin: float) -> dict[str, Estimate | dict[str, Estimate]]:
    """Compute d', both areas under the curve, and accuracy under each rule."""
    return {
        **{figure: ask(figure, margin) for figure in ("dprime", "auc", "smooth_auc")},
        "accuracy": {rule: ask(rule, margin) for rule in RULES},
    }
