"""The planned interim looks of a study, from the file written by `discern plan --looks --out`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from analysis.responses.readings import Responses
from analysis.responses.tabular import ResponsesError, checksum
from analysis.statistics import stopping


def with_looks(responses: Responses, path: str | Path) -> Responses:
    """Add these planned looks, which must be after numbers of readers, to the responses.

    Raises ResponsesError for a wrong file, a wrong design, and looks after numbers of cases: every reader has their own
    order, so it is unknown what a look at the first cases saw.
    """
    name = Path(path).name
    if responses.design != "rating":
        raise ResponsesError(
            [f"{name}: looks are for rating studies, and this study has the design {responses.design}"]
        )
    try:
        given = json.loads(Path(path).read_text("utf-8"))
        planned = stopping.from_dict(given)
    except (OSError, ValueError) as error:
        raise ResponsesError([f"{name}: expected the looks.json of `discern plan --looks --out` ({error})"]) from None
    if len(set(planned.cases)) > 1:
        at = ", ".join(map(str, planned.cases))
        raise ResponsesError(
            [f"{name}: its looks are after {at} cases; a report needs looks after numbers of readers, same cases"]
        )
    files = {**responses.origin.get("files", {}), name: checksum(path)}
    return replace(responses, study=responses.study | {"looks": given}, origin=responses.origin | {"files": files})
