"""A design that is not measured: who took part, and that the rest is left out."""

from __future__ import annotations

from typing import Any

from analysis.designs.common import Progress, Settings, heading
from analysis.designs.design import Design
from analysis.responses import Responses


def measure(responses: Responses, settings: Settings, progress: Progress) -> dict[str, Any]:
    """What is said of such a study; arguments as in `analysis.designs.measure.measure`."""
    reason = (
        f"The design of this study is {responses.design}. Its measures are not part of this report; the flow below and "
        "the answers in results.xlsx are what is left."
    )
    results = heading(responses, settings)
    results["study"] |= {"answers": len(responses.scored), "expected": None}
    return results | {
        "left_out": reason,
        "readers": {name: {"group": responses.groups[name] or None} for name in responses.readers},
        "flow": {"known": len(responses.cases), "not_asked": len(results["study"]["not_asked"])},
    }


DESIGN = Design("other", measure, tables="analysis.report.tables.other", templates="other", passages=())
