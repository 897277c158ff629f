"""All numbers of a study as one plain structure: what results.json holds, and nothing else is reported from.

A quantity that is not defined stands as null with a `reason`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.designs import rating
from analysis.designs.common import Progress, Settings, heading, plain, silent
from analysis.responses import Responses

Measure = Callable[[Responses, Settings, Progress], dict[str, Any]]
DESIGNS: dict[str, Measure] = {"rating": rating.measure, "staircase": rating.measure}


def measure(responses: Responses, settings: Settings, progress: Progress = silent) -> dict[str, Any]:
    """The results of one study (results.json).

    Args:
        responses: the study's answers.
        settings: what was decided beforehand.
        progress: called with the share done (0 to 1) and what comes next.
    """
    return plain(DESIGNS.get(responses.design, other_design)(responses, settings, progress))


def other_design(responses: Responses, settings: Settings, progress: Progress = silent) -> dict[str, Any]:
    """What is said of a study whose design this report does not measure: who took part, and that the rest is out."""
    reason = (
        f"The design of this study is {responses.design}. Its measures are not part of this report, which is made for "
        "single images judged real or synthetic; the flow below and the answers in results.xlsx are what is left."
    )
    results = heading(responses, settings)
    results["study"] |= {"answers": len(responses.scored), "expected": None}
    return results | {
        "left_out": reason,
        "readers": {name: {"group": responses.groups[name] or None} for name in responses.readers},
        "flow": {"known": len(responses.cases), "not_asked": len(results["study"]["not_asked"])},
    }
