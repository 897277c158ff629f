"""Verify that a report's numbers follow from its data: `python -m analysis.verify ARCHIVE` recomputes all of them.

ARCHIVE is the archive.zip of a report, or the archive of a study (`discern study archive`) that contains one. The
certificate says what was compared, with which versions, and lists every difference.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.arguments import Parser, refuse
from analysis.designs.common import Progress, Settings, silent, software
from analysis.report import archive, computed, document
from analysis.responses import ResponsesError
from analysis.statistics.bayes import BayesError
from analysis.verify import certificate, study
from analysis.verify.comparison import TOLERANCE, Comparison, compare

DIFFERENT = 3  # exit code


@dataclass(frozen=True)
class Verified:
    """A recomputed archive. `sums`: SHA-256 of its members; `software`: versions that made it."""

    name: str
    sha256: str
    comparison: Comparison
    archived: archive.Archived
    study: Mapping[str, Any] = field(default_factory=dict)


def verify(path: str | Path, other_version: bool = False, progress: Progress = silent) -> Verified:
    """Recompute the numbers of the archive at `path` and compare them.

    Args:
        path: the archive.zip of a report, or the archive of a study with one.
        other_version: also accept an archive made by another version of Discern.
        progress: called with the share done (0 to 1) and the name of the next step.

    Raises:
        ResponsesError: the archive was edited, lacks a file, or was made by another version.
    """
    path = Path(path)
    version = None if other_version else software()["discern"]
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        about, inner = study.report_in(path) if study.is_study(path) else ({}, path.read_bytes())
    except OSError as error:
        raise ResponsesError([f"{path}: cannot be read: {error.strerror}"]) from None
    found = archive.unpack(inner, f"{path.name}: {study.REPORT}" if about else path.name, version)
    if about:
        study.assert_same(path, found.responses)
    try:
        settings = Settings(**found.results["settings"])
    except (TypeError, ValueError, KeyError) as error:
        raise ResponsesError([f"{path.name}: results.json: settings: {error}"]) from None
    again = computed(found.responses, settings, found.registered, progress)
    return Verified(path.name, digest, compare(found.results, json.loads(document.dump(again))), found, about)


def main(argv: list[str] | None = None, prog: str = "python -m analysis.verify") -> int:
    """Run the command line; return 0, 3 if a number differs, or 2 with every problem on standard error."""
    parser = Parser(prog, description="Recompute every number of a report from its archive, and certify it.")
    parser.add_argument(
        "archive", type=Path, metavar="ARCHIVE", help="archive.zip of a report, or the archive of a study"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for certificate.json and .html (NAME-certificate beside ARCHIVE)",
    )
    parser.add_argument("--other-version", action="store_true", help="verify even if another version made it")
    arguments = parser.parse_args(argv)
    out = arguments.out or arguments.archive.with_name(f"{arguments.archive.stem}-certificate")
    try:
        found = verify(arguments.archive, arguments.other_version)
        certificate.write(certificate.certificate(found), out)
    except (ResponsesError, BayesError) as bad:
        return refuse(bad.faults)
    except OSError as error:
        return refuse([f"{error.filename or out}: {error.strerror or error}; no certificate was written"])
    told = found.comparison
    for one in told.differences:
        print(f"{one.path}: archived {one.archived}, computed {one.computed}", file=sys.stderr)
    if told.differences:
        print(f"{len(told.differences)} of {told.numbers + told.others} entries differ: {out / 'certificate.html'}")
        return DIFFERENT
    print(f"All {told.numbers} numbers agree within {TOLERANCE:g}: {out / 'certificate.html'}")
    return 0
