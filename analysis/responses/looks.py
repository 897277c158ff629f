"""The planned looks at a study before its end, from the file that `discern plan --looks --out` wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from analysis.responses.readings import Responses
from analysis.responses.tabular import ResponsesError, checksum
from analysis.statistics import stopping


def with_looks(responses: Responses, path: str | Path) -> Responses:
    """The same responses of a study that was planned with these looks, after numbers of readers.

    Raises ResponsesError for another file, for another design, and for looks after numbers of cases: every reader has
    an order of their own, so that what a look at the first cases saw is not known.
    """
    name = Path(path).name
    if responses.design != "rating":
        raise ResponsesError(
            [f"{name}: looks are planned for ratings, and this is a study of the design {responses.design}"]
        )
    try:
        given = json.loads(Path(path).read_text("utf-8"))
        planned = stopping.from_dict(given)
    except (OSError, ValueError) as error:
        raise ResponsesError([f"{name}: expected the looks.json of `discern plan --looks --out` ({error})"]) from None
    if len(set(planned.cases)) > 1:
        at = ", ".join(map(str, planned.cases))
        raise ResponsesError(
            [f"{name}: its looks are after {at} cases; a report takes looks after numbers of readers at the same cases"]
        )
    files = {**responses.origin.get("files", {}), name: checksum(path)}
    return replace(responses, study=responses.study | {"looks": given}, origin=responses.origin | {"files": files})
