"""The archive of a report: its numbers and everything needed to compute them, as one zip file.

    archive.json       kind, format, versions of the software, and length and SHA-256 of every member
    results.json       the report's numbers, with the settings of the analysis
    responses.csv ...  the readers' answers, in the format of `analysis.responses.stored`
    registration.json  the registration, if there is one

`python -m analysis.verify` recomputes the numbers from it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis import registration
from analysis.responses import Responses, ResponsesError, stored

KIND, FORMAT, NAME = "discern report archive", 1, "archive.zip"
LIST, RESULTS, REGISTRATION = "archive.json", "results.json", "registration.json"
KNOWN = {RESULTS, REGISTRATION, stored.ROWS, stored.ABOUT, stored.CONDITIONS, *stored.FRAMES.values()}
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip file, so that the same report gives the same archive
LARGEST = 2**30  # total size of all members, which are read into memory


@dataclass(frozen=True)
class Archived:
    """The content of an archive. `software`: versions that made it; `sums`: SHA-256 of every member."""

    results: dict[str, Any]
    responses: Responses
    registered: dict[str, Any] | None
    software: dict[str, str]
    sums: dict[str, str]


def pack(results: str, responses: Responses, registered: Mapping[str, Any] | None = None) -> bytes:
    """Return the archive of a report; `results` is the text of its results.json."""
    members = {RESULTS: results.encode(), **stored.pack(responses)}
    if registered:
        members[REGISTRATION] = (json.dumps(registered, indent=1, ensure_ascii=False) + "\n").encode()
    listed = {name: {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()} for name, text in members.items()}
    about = {"kind": KIND, "format": FORMAT, "software": json.loads(results)["software"], "members": listed}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {LIST: (json.dumps(about, indent=1) + "\n").encode(), **members}.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unpack(content: bytes, name: str, version: str | None = None) -> Archived:
    """Return the content of an archive.

    Args:
        content: content of the file.
        name: name of the archive in messages.
        version: version of Discern; if given, an archive made by another version is refused.

    Raises:
        ResponsesError: it is not the archive of a report, was edited, lacks a file, or was made by another version.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = archive.infolist()
            if sum(info.file_size for info in found) > LARGEST:
                raise ResponsesError([f"{name}: unpacks to more than {LARGEST // 2**20} MiB"])
            members = {info.filename: archive.read(info) for info in found}
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ResponsesError([f"{name}: cannot be read as a zip file: {error}"]) from None
    about, software = _about(members.pop(LIST, None), name)
    if version is not None and software.get("discern") != version:
        raise ResponsesError(
            [f"{name}: was made by Discern {software.get('discern')}, this is {version}; install that version, "
             "or add --other-version to compare anyway"]
        )  # fmt: skip
    told = about["members"]
    faults = [f"{name}: {member} is missing" for member in {RESULTS, stored.ROWS, stored.ABOUT} - members.keys()]
    faults += [
        f"{name}: {member} is missing" for member in told.keys() - members.keys() - {RESULTS, stored.ROWS, stored.ABOUT}
    ]
    faults += [f"{name}: {member} does not belong to an archive" for member in members.keys() - (told.keys() & KNOWN)]
    sums = {member: hashlib.sha256(text).hexdigest() for member, text in members.items()}
    faults += [
        f"{name}: {member} was edited (SHA-256 differs)"
        for member in sums
        if member in told and sums[member] != told[member]
    ]
    if faults:
        raise ResponsesError(sorted(faults))
    registered = members.get(REGISTRATION)
    try:
        results = json.loads(members[RESULTS])
    except ValueError as error:
        raise ResponsesError([f"{name}: {RESULTS} cannot be read: {error}"]) from None
    return Archived(
        results,
        stored.unpack(members),
        registration.loads(registered.decode("utf-8", "replace"), f"{name}: {REGISTRATION}") if registered else None,
        software,
        sums,
    )


def _about(text: bytes | None, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return archive.json with the checksum of each member, and the versions that made it."""
    try:
        about = json.loads(text or b"")
        kind, version, software = about["kind"], about["format"], dict(about["software"])
        about["members"] = {member: entry["sha256"] for member, entry in about["members"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ResponsesError(
            [f"{name}: has no readable {LIST}; expected the {NAME} of a report or the archive of a study"]
        ) from None
    if (kind, version) != (KIND, FORMAT):
        raise ResponsesError([f"{name}: got {kind!r} in format {version!r}, expected {KIND!r} in format {FORMAT}"])
    return about, software
