"""The planned looks at a study before its end, from the file that `discern plan --looks --out` wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from analysis.responses.readings import Responses
from analysis.responses.tabular import ResponsesError, checksum
from analysis.statistics import stopping


def with_looks(responses: Responses, path: str | Path) -> Responses:
    """The same responses of a study that was planned with these looks. Raises ResponsesError for another file."""
    name = Path(path).name
    if responses.design != "rating":
        raise ResponsesError(
            [f"{name}: looks are planned for ratings, and this is a study of the design {responses.design}"]
        )
    try:
        given = json.loads(Path(path).read_text("utf-8"))
        stopping.from_dict(given)
    except (OSError, ValueError) as error:
        raise ResponsesError([f"{name}: expected the looks.json of `discern plan --looks --out` ({error})"]) from None
    files = {**responses.origin.get("files", {}), name: checksum(path)}
    return replace(responses, study=responses.study | {"looks": given}, origin=responses.origin | {"files": files})
