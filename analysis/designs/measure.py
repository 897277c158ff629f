"""All numbers of a study as one plain structure: what results.json holds, and nothing else is reported from.

A quantity that is not defined stands as null with a `reason`.
"""

from __future__ import annotations

from typing import Any

from analysis.designs import bayes, conditions, find, marks
from analysis.designs.common import Progress, Settings, plain, silent
from analysis.responses import Responses


def measure(responses: Responses, settings: Settings, progress: Progress = silent) -> dict[str, Any]:
    """The results of one study (results.json).

    Args:
        responses: the study's answers.
        settings: what was decided beforehand.
        progress: called with the share done (0 to 1) and what comes next.

    Raises:
        BayesError: a Bayesian answer is asked for that the study does not allow, or NumPyro is missing.
    """
    if settings.bayes:
        bayes.check(responses)  # before anything that takes time
    whole, responses = responses, conditions.rest(responses)
    results = find(responses.design).measure(responses, settings, progress)
    if compared := conditions.measure(whole, settings):
        progress(1.0, "conditions")
        results["conditions"] = compared
    if responses.marks is not None:
        results["marks"] = marks.measure(responses, responses.marks, settings.seed)
    if settings.bayes:
        progress(1.0, "Bayesian model")
        results["bayes"] = bayes.measure(responses, settings)
    return plain(results)
