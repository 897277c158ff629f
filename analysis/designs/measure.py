"""All numbers of a study as one plain structure: the content of results.json, and the only source of the report.

An undefined quantity is null with a `reason`.
"""

from __future__ import annotations

from typing import Any

from analysis.designs import bayes, conditions, find, marks
from analysis.designs.common import Progress, Settings, plain, silent
from analysis.responses import Responses


def measure(responses: Responses, settings: Settings, progress: Progress = silent) -> dict[str, Any]:
    """Return the results of one study (results.json).

    Args:
        responses: the study's answers.
        settings: the settings of the analysis.
        progress: called with the share done (0 to 1) and the name of the next step.

    Raises:
        BayesError: `bayes` is set, but the study does not allow it or NumPyro is missing.
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
