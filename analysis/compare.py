"""Compare two studies, or one study at two times: did the readers' figures change, and by how much?

    python -m analysis.compare before.csv after.csv [--same-cases] [--unsure RULE]

Examples are the same readers before and after a better generator, or an interim and the final state. Only readers who
took both are compared, each with themselves, so that differences between readers do not look like differences between
images.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from analysis.arguments import Parser, refuse
from analysis.designs import conditions
from analysis.designs.common import plain
from analysis.designs.rating.reader import Levels
from analysis.report.tables.table import RULES
from analysis.responses import RATED, Responses, ResponsesError, load_csv, natural
from analysis.statistics import mrmc, reader_tests, scoring
from analysis.statistics.estimate import undefined

PREFIXES = ("first", "second")


def compare(first: Responses, second: Responses, lead: str = "fractional", same_cases: bool = False) -> dict[str, Any]:
    """Compare mean AUC and mean accuracy of two studies (first minus second) over their common readers.

    By U-statistics with readers and cases random, which allow for cases of one study or of both (Gallas et al. 2009),
    and by paired tests over readers; each with its question.

    Args:
        first, second: two rating studies; if cases were read again, the first condition counts.
        lead: the rule for unsure answers in the accuracy.
        same_cases: cases with the same name are the same image. Otherwise cases of the two studies are different.

    Returns:
        `readers` in both, `left_out` in only one, `cases` of both; `figures`: for `auc` and `accuracy` each study's
        mean,
            their `difference`, and `over_readers`, the paired tests.

    Raises:
        ResponsesError: not rating studies, or a common case has different truths.
    """
    first, second = conditions.rest(first), conditions.rest(second)
    studies = dict(zip(PREFIXES, (first, second), strict=True))
    faults = [
        f"{which} study: design {one.design}, expected {' or '.join(RATED)}"
        for which, one in studies.items()
        if one.design not in RATED
    ]
    truths = [
        {
            name if same_cases else f"{which} {name}": int(is_synthetic)
            for name, is_synthetic in zip(one.case_names, one.truth, strict=True)
        }
        for which, one in studies.items()
    ]
    shared = truths[0].keys() & truths[1].keys()
    contrary = sorted((name for name in shared if truths[0][name] != truths[1][name]), key=natural)
    faults += [f"case {name!r} has a different truth in the second study" for name in contrary]
    if faults:
        raise ResponsesError(faults)
    common = [name for name in first.readers if name in second.readers]
    both = sorted(truths[0] | truths[1], key=natural)
    truth = np.array([(truths[0] | truths[1])[name] for name in both])
    levels = np.stack(
        [_spread(one, common, list(own), both) for one, own in zip(studies.values(), truths, strict=True)]
    )
    credits = np.array([[scoring.credits(row, truth, lead) for row in one] for one in levels]).reshape(levels.shape)
    found = {
        "readers": common,
        "left_out": {which: [name for name in one.readers if name not in common] for which, one in studies.items()},
        "cases": {"first": len(truths[0]), "second": len(truths[1]), "both": len(shared)},
        "unsure": lead,
        "figures": {"auc": _difference(levels, truth, "auc"), "accuracy": _difference(credits, truth, "accuracy")},
    }
    return plain(found)


def _spread(responses: Responses, readers: list[str], own: list[str], both: list[str]) -> Levels:
    """Return the levels of the common readers over the cases of both studies, NaN if a case was not shown."""
    matrix = np.full((len(readers), len(both)), np.nan)
    place = {name: i for i, name in enumerate(both)}
    rows = [responses.readers.index(name) for name in readers]
    matrix[:, [place[name] for name in own]] = responses.matrix("level")[rows]
    return matrix


def _difference(scores: Levels, truth: np.ndarray, endpoint: str) -> dict[str, Any]:
    """Return each study's mean, their difference by U-statistics, and the paired tests over readers."""
    if not scores.shape[1]:
        nobody = undefined("no reader took both studies")
        return {"first": nobody, "second": nobody, "difference": nobody, "over_readers": []}
    alone = [mrmc.ustatistics(one, truth, endpoint=endpoint) for one in scores]
    each = [
        mrmc.obuchowski_rockette(one, truth, readers="fixed", endpoint=endpoint).extra.get("per_reader", [])
        for one in scores
    ]
    tests = []
    if len(each[0]) == len(each[1]) == scores.shape[1]:
        gaps = np.subtract(*each)
        tests = [reader_tests.t_test(gaps, 0.0), reader_tests.signed_rank(gaps, 0.0)]
    return {
        "first": alone[0],
        "second": alone[1],
        "difference": mrmc.ustatistics(scores, truth, endpoint=endpoint),
        "over_readers": tests,
    }


def main(argv: list[str] | None = None, prog: str = "python -m analysis.compare") -> int:
    """Print the comparison as JSON; return 0, or 2 with every problem on standard error."""
    parser = Parser(prog, description="Compare two studies, or two exports of one study. Prints JSON.")
    parser.add_argument("first", type=Path, help="responses CSV of the first study, or the earlier export")
    parser.add_argument("second", type=Path, help="responses CSV of the second study, or the later export")
    parser.add_argument("--same-cases", action="store_true", help="cases with the same name are the same image")
    parser.add_argument(
        "--unsure", choices=list(RULES), default="fractional", help="how unsure answers count (%(default)s)"
    )
    wanted = parser.parse_args(argv)
    try:
        given = load_csv(wanted.first), load_csv(wanted.second)
        found = compare(*given, wanted.unsure, wanted.same_cases)
    except ResponsesError as bad:
        return refuse(bad.faults)
    for remark in dict.fromkeys(given[0].remarks + given[1].remarks):
        print(f"note: {remark}", file=sys.stderr)
    print(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
