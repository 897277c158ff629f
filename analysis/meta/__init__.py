"""`discern meta`: meta-analysis of your own studies together with published ones.

    python -m analysis.meta REPORT ... [--table FILE] [--no-published] --out DIR

Each study's mean accuracy (or AUC) is pooled with random effects for studies; if a study lacks data for this, the
report names it and what is missing, and nothing is estimated in its place.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.arguments import Parser, refuse
from analysis.meta import page, pooling, studies
from analysis.published import TABLE
from analysis.report.tables.table import RULES
from analysis.responses import ResponsesError


def combine(
    reports: Sequence[Path],
    tables: Sequence[Path] = (),
    published: bool = True,
    scale: str = "accuracy",
    rule: str = "half",
) -> dict[str, Any]:
    """Return the numbers of a meta-analysis, the content of meta.json.

    Args:
        reports: results.json of reports, or their folders.
        tables: tables of studies in the format of the shipped one.
        published: whether to include the shipped table of published studies.
        scale: `accuracy` or `auc`.
        rule: the rule for unsure answers for the accuracies of your own studies.

    Raises:
        ResponsesError: lists every problem in the input, by file and study.
    """
    found: list[studies.Study] = []
    faults: list[str] = []
    for path in reports:
        try:
            found.append(studies.from_results(path, scale, rule))
        except ResponsesError as bad:
            faults += bad.faults
    for path in tables:
        try:
            found += studies.from_table(path, scale, rule)
        except ResponsesError as bad:
            faults += bad.faults
    if faults:
        raise ResponsesError(faults)
    if published:
        found += studies.from_table(TABLE, scale, rule, shipped=True)
    return pooling.measure(studies.together(found), scale, rule)


def write(results: dict[str, Any], out: Path) -> Path:
    """Write meta.html, meta.json, tables and figures into the folder `out`; return the path of meta.html.

    Everything is first written next to `out`, so that a failure leaves no partial output.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        folder = Path(name)
        page.write(results, folder)
        out.mkdir(exist_ok=True)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target = out / path.relative_to(folder)
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
    return out / "meta.html"


def main(argv: list[str] | None = None, prog: str = "python -m analysis.meta") -> int:
    """Run the command line; return 0, or 2 with every problem on standard error."""
    parser = Parser(prog, description="Pool several studies in a meta-analysis, as a folder.")
    parser.add_argument("reports", nargs="*", type=Path, metavar="REPORT", help="a report folder or its results.json")
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a table of studies: study,year,scale,...",
    )
    parser.add_argument("--no-published", action="store_true", help="leave out the published studies")
    parser.add_argument("--scale", choices=studies.POOLABLE, default="accuracy", help="measure to pool (%(default)s)")
    parser.add_argument(
        "--unsure", choices=list(RULES), default="half", help="how unsure answers count in your reports (%(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    wanted = parser.parse_args(argv)
    try:
        results = combine(wanted.reports, wanted.table, not wanted.no_published, wanted.scale, wanted.unsure)
        print(write(results, wanted.out))
    except ResponsesError as bad:
        return refuse([f"{len(bad.faults)} problem(s); nothing was written.", *bad.faults])
    except OSError as error:
        return refuse([f"{error.filename or wanted.out}: {error.strerror or error}; nothing was written"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
