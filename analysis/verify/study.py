"""Check the archive of a study (`discern study archive`): its members are intact, and its report uses its own answers.

The archive has the study's tables and the report's responses; the readers' answers must be the same in both.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.report.archive import LARGEST
from analysis.responses import Responses, ResponsesError, as_cell

REPORT, LIST = "report/archive.zip", "archive.json"
SAID = (
    *("reader", "trial", "case", "truth", "criterion"),
    *("answer", "certainty", "level", "chosen", "realism", "value"),
)
LARGEST_LIST = 16 * 2**20  # of the list of members
LARGEST_TABLES = 2**30  # total size of the tables, which are read into memory
UNREADABLE = (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, KeyError, ValueError)


def is_study(path: Path) -> bool:
    """Return whether this is the archive of a study, which lists tables as members. Raises OSError."""
    try:
        return "tables" in _about(path)
    except (*UNREADABLE, TypeError):
        return False


def _about(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(LIST).file_size > LARGEST_LIST:
            raise ValueError(f"{LIST} is too long")
        return json.loads(archive.read(LIST))


def report_in(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the study's entry in archive.json, and the archive of its report; all checksums are verified.

    Raises:
        ResponsesError: a member is missing or was edited, or there is no report.
    """
    about, faults, name = _about(path), [], path.name
    try:
        told = {member: entry["sha256"] for member, entry in about["members"].items()}
        with zipfile.ZipFile(path) as archive:
            there = set(archive.namelist()) - {LIST}
            faults += [f"{name}: {member} is missing" for member in told.keys() - there]
            faults += [f"{name}: {member} does not belong to an archive" for member in there - told.keys()]
            for member in sorted(there & told.keys()):
                with archive.open(member) as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != told[member]:  # type: ignore[arg-type]
                        faults.append(f"{name}: {member} was edited (SHA-256 differs)")
            if REPORT not in there and REPORT not in told:
                faults.append(f"{name}: contains no report; make one on the desk, then archive the study again")
            elif REPORT in there and archive.getinfo(REPORT).file_size > LARGEST:
                faults.append(f"{name}: {REPORT} unpacks to more than {LARGEST // 2**20} MiB")
            inner = b"" if faults else archive.read(REPORT)
    except (*UNREADABLE, TypeError, AttributeError) as error:
        raise ResponsesError([f"{name}: cannot be read: {error}"]) from None
    if faults:
        raise ResponsesError(sorted(faults))
    return about, inner


def assert_same(path: Path, responses: Responses) -> None:
    """Raise ResponsesError unless the report's responses are the answers in the study's tables."""
    try:
        with zipfile.ZipFile(path) as archive:
            stored = sorted(_answers(archive))
    except (*UNREADABLE, TypeError) as error:
        raise ResponsesError([f"{path.name}: its tables cannot be read ({type(error).__name__}: {error})"]) from None
    rows = responses.table.assign(truth=responses.table["truth"].map({0: "real", 1: "synthetic"}))
    reported = sorted(tuple(map(as_cell, row)) for row in rows[list(SAID)].itertuples(index=False))
    if stored != reported:
        other = sorted(set(stored) ^ set(reported))[:3]
        where = "; ".join(f"reader {reader}, trial {trial}, case {case}" for reader, trial, case, *_ in other)
        told = f"the report has {len(reported)} answers, the tables have {len(stored)}; they differ in {where}"
        raise ResponsesError([f"{path.name}: {told}"])


def _answers(archive: zipfile.ZipFile) -> Iterator[tuple[str, ...]]:
    """Yield the answers with the columns of SAID, without previews."""
    if sum(info.file_size for info in archive.infolist() if info.filename.startswith("tables/")) > LARGEST_TABLES:
        raise ValueError(f"they unpack to more than {LARGEST_TABLES // 2**30} GiB")

    def table(name: str) -> dict[Any, dict[str, Any]]:
        lines = archive.read(f"tables/{name}.jsonl").split(b"\n")
        return {row["id"]: row for row in map(json.loads, filter(None, lines))}

    readers, sittings, trials = table("reader"), table("sitting"), table("trial")
    cases, shown = table("case"), table("trial_case")
    for answer in table("answer").values():
        place = shown[answer["trial_case_id"]]
        trial, case = trials[place["trial_id"]], cases[place["case_id"]]
        reader = readers[sittings[trial["sitting_id"]]["reader_id"]]
        if not reader["is_preview"]:
            known = {"reader": reader["pseudonym"], "trial": trial["token"], "case": case["name"]}
            known["truth"] = case["truth"]
            yield tuple(as_cell(known.get(column, answer.get(column))).strip() for column in SAID)
