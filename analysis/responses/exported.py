"""The responses of a study exported by the desk: a zip file, or the folder it was unpacked to."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from analysis.responses import load_csv
from analysis.responses.images import images_of
from analysis.responses.marks import from_text, joined_with
from analysis.responses.readings import Responses
from analysis.responses.subgroups import with_declared
from analysis.responses.tabular import ResponsesError

Read = Callable[[str], str | None]  # the text of a file next to responses.csv, None if there is none


def is_export(path: str | Path) -> bool:
    """Return whether `path` can only be an export: a folder or a zip file."""
    return Path(path).is_dir() or Path(path).suffix.lower() == ".zip"


def load_export(path: str | Path) -> Responses:
    """Load responses.csv from an export, with conditions, marks, settings and facts about the pool.

    Raises:
        ResponsesError: `path` is not an export; or lists every problem in its responses or its manifest.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "responses.csv").is_file():
            raise ResponsesError([f"{path / 'responses.csv'}: there is no such file"])
        told = path / "conditions.csv"
        found = load_csv(path / "responses.csv", told if told.is_file() else None)

        def beside(name: str) -> str | None:
            return (path / name).read_text("utf-8") if (path / name).is_file() else None

        return _with_pool(found, path.name, beside)
    try:
        with zipfile.ZipFile(path) as archive, TemporaryDirectory() as folder:
            inside = [name for name in archive.namelist() if PurePosixPath(name).name == "responses.csv"]
            if len(inside) != 1:
                raise ResponsesError([f"{path.name}: expected one responses.csv in the zip file, found {len(inside)}"])
            other = str(PurePosixPath(inside[0]).with_name("conditions.csv"))
            conditions = archive.extract(other, folder) if other in archive.namelist() else None
            found = load_csv(archive.extract(inside[0], folder), conditions)

            def within(name: str) -> str | None:
                member = str(PurePosixPath(inside[0]).with_name(name))
                return archive.read(member).decode("utf-8") if member in archive.namelist() else None

            return _with_pool(replace(found, study=found.study | {"title": path.stem}), path.name, within)
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ResponsesError([f"{path.name}: cannot be read as a zip file: {error}"]) from error


def _with_pool(found: Responses, name: str, read: Read) -> Responses:
    """Add settings and pool if the export has them, and marks if there are any."""
    try:
        said: Any = json.loads(read("manifest.json") or "{}")
        pool = said.get("pool") if isinstance(said, dict) else None
        cases = list(csv.DictReader(io.StringIO(read("cases.csv") or "")))
        registration: Any = json.loads(read("registration.json") or "null")
        rules = csv.DictReader(io.StringIO(read("settings.csv") or ""))
        settings = {row["setting"]: json.loads(row["value"]) for row in rules}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise ResponsesError(
            [f"{name}: manifest.json, settings.csv, cases.csv or registration.json cannot be read: {error}"]
        ) from error
    if settings:
        found = with_declared(
            replace(found, study=found.study | {"settings": settings}), {str(case.get("case")): case for case in cases}
        )
    if registration:
        found = replace(found, study=found.study | {"registration": registration})
    if (marks := read("marks.csv")) is not None and (table := from_text(f"{name}: marks.csv", marks)).rows:
        known = read("faults.csv")
        faults = from_text(f"{name}: faults.csv", known) if known else None
        sizes = [(int(case["width"]), int(case["height"])) for case in cases if (case.get("width") or "").isdecimal()]
        found = joined_with(found, table, faults if faults and faults.rows else None, sizes[0] if sizes else None)
    if not isinstance(pool, dict):
        return found
    about = {"name": pool.get("name"), "sha256": pool.get("sha256"), "phantom": bool(pool.get("phantom"))}
    images = images_of(pool.get("flow"), cases, found.design, f"{name}: manifest.json: pool: flow")
    return replace(found, study=found.study | {"pool": about | ({"images": images} if images else {})})
