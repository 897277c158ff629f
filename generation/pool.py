"""The pool folder: the cases of a study and facts about them, in one portable folder.

    pool.json   {"format": 1, "name", "created", "seed", "width", "height", "phantom",
                 "counts": {"real", "synthetic", "practice"}, "how": {"real", "synthetic"}, "flow": see `flow`}
    cases.csv   case,file,truth,source,group,sha256,width,height, and any further columns, such as device or finding
    images/     one image per case; the names do not reveal the truth
    faults.json known faults of synthetic images, if any: see `known_faults`

Cases in the group `practice` are for the reader's warm-up and never scored; they are counted separately from the real
and the synthetic cases. Any other group links the cases of one quartet or comparison; it is empty for single cases.
`phantom` means that the images are drawn, not radiographs.

This module has few imports on purpose, because the quiz imports it.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from generation import flow as flows
from generation import known_faults
from generation.errors import InputError
from generation.known_faults import KnownFault
from generation.radiographs import guarded

FORMAT = 1
TRUTHS = ("real", "synthetic")
PRACTICE = "practice"
COLUMNS = ("case", "file", "truth", "source", "group", "sha256", "width", "height")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Case:
    """One image with its truth, a row of cases.csv. `file` is relative to the pool folder, with forward slashes."""

    case: str
    file: str
    truth: str
    source: str
    group: str
    sha256: str
    width: int
    height: int
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)  # further columns of cases.csv; none is empty

    @property
    def practice(self) -> bool:
        """Return whether the case is only for the warm-up."""
        return self.group == PRACTICE


@dataclass(frozen=True)
class Pool:
    """A pool folder that has passed every check of `read`."""

    folder: Path
    manifest: dict[str, Any]
    cases: tuple[Case, ...]
    faults: Mapping[str, tuple[KnownFault, ...]] = field(default_factory=dict)  # known faults by case

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def width(self) -> int:
        return self.manifest["width"]

    @property
    def height(self) -> int:
        return self.manifest["height"]

    @property
    def phantom(self) -> bool:
        """Return whether the images are drawn phantoms, which must be stated wherever they are shown."""
        return bool(self.manifest.get("phantom", False))

    @property
    def scored(self) -> tuple[Case, ...]:
        """Return the scored cases, in the order of cases.csv."""
        return tuple(case for case in self.cases if not case.practice)

    @property
    def practice(self) -> tuple[Case, ...]:
        """Return the practice cases, in the order of cases.csv."""
        return tuple(case for case in self.cases if case.practice)

    def path(self, case: Case) -> Path:
        return self.folder / case.file


@dataclass(frozen=True)
class Entry:
    """An image to be added to a pool: its truth, its origin, and its encoded bytes."""

    truth: str
    source: str
    data: bytes
    group: str = ""
    suffix: str = ".png"
    origin: str = ""  # the file it was made from
    faults: tuple[KnownFault, ...] = ()


def counts(cases: Iterable[Case]) -> dict[str, int]:
    """Return counts of scored cases by truth, and of practice cases, for pool.json."""
    tally = Counter(PRACTICE if case.practice else case.truth for case in cases)
    return {name: tally[name] for name in (*TRUTHS, PRACTICE)}


def case_name(number: int) -> str:
    """Return the name of the case with this number, from 1."""
    return f"case-{number:04d}"


def encode(pixels: np.ndarray) -> bytes:
    """Encode a grey image, uint8 (height, width), as PNG without metadata; all pool images use this encoder."""
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise TypeError(f"expected uint8 (height, width), got {pixels.dtype} {pixels.shape}")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def read(folder: str | Path, progress: Progress | None = None) -> Pool:
    """Read a pool folder and verify all of it: manifest, table, checksums, and that every image decodes.

    progress: called as progress(images verified, total images).

    Raises InputError with every problem, each with its file and row (the header of cases.csv is row 1).
    """
    folder = Path(folder)
    manifest, rows, known, faults = _read_tables(folder)
    tables_whole = not faults
    expected = (manifest.get("width"), manifest.get("height"))
    checks = guarded.each(partial(_image_faults, folder, expected), [case for _, case in rows])
    for done, ((row, case), found) in enumerate(zip(rows, checks, strict=True), start=1):
        found = [f"{case.file}: {found.why}"] if isinstance(found, guarded.Failed) else found
        faults += [f"cases.csv, row {row}: {fault}" for fault in found]
        if progress is not None:
            progress(done, len(rows))

    cases = tuple(case for _, case in rows)
    if "counts" in manifest and tables_whole and manifest["counts"] != counts(cases):
        faults.append(f"pool.json: counts say {manifest['counts']}, cases.csv has {counts(cases)}")
    _refuse(folder, faults)
    return Pool(folder, manifest, cases, known)


def read_table(folder: str | Path) -> Pool:
    """Read a pool's manifest, table and known faults, but no images, for callers that read images themselves.

    Raises InputError with every problem in these files.
    """
    folder = Path(folder)
    manifest, rows, known, faults = _read_tables(folder)
    _refuse(folder, faults)
    return Pool(folder, manifest, tuple(case for _, case in rows), known)


def _read_tables(
    folder: Path,
) -> tuple[dict[str, Any], list[tuple[int, Case]], dict[str, tuple[KnownFault, ...]], list[str]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; expected a pool folder with pool.json and cases.csv")
    manifest, faults = _read_manifest(folder / "pool.json")
    rows, table_faults = _read_table(folder / "cases.csv")
    known, known_faulty = known_faults.read(folder, {case.case: case.truth for _, case in rows})
    return manifest, rows, known, faults + table_faults + known_faulty


def _refuse(folder: Path, faults: list[str]) -> None:
    if faults:
        raise InputError(f"{folder}: the pool cannot be used, {len(faults)} problem(s):", faults)


def write(
    folder: str | Path,
    entries: Iterable[Entry],
    *,
    name: str,
    seed: int,
    width: int,
    height: int,
    how: dict[str, Any],
    phantom: bool = False,
    left_out: Sequence[dict[str, str]] = (),
    flow: Mapping[str, Any] | None = None,
) -> Pool:
    """Write a pool folder completely or not at all; `folder` must not exist, or be empty.

    Entries are numbered in their order: shuffle them first, so that names reveal nothing.
    how: for `real` and for `synthetic`, what the images are and how they were made.
    left_out: files that could not be used and were left out knowingly: `truth`, `sha256` and `why`, but no name and no
    text
        from a file.
    flow: numbers of images given, left out and used, from `flow.counted`.
    Origins of entries are written to origins.csv (case,origin), known faults to faults.json. The same entries give the
    same bytes; `created` is today's date, or that of SOURCE_DATE_EPOCH if set.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: already exists and is not empty; give a new folder for the pool")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        (building / "images").mkdir()
        cases, origins = [], []
        known: dict[str, tuple[KnownFault, ...]] = {}
        for number, entry in enumerate(entries, start=1):
            case = case_name(number)
            file = f"images/{case}{entry.suffix}"
            (building / file).write_bytes(entry.data)
            checksum = hashlib.sha256(entry.data).hexdigest()
            cases.append(Case(case, file, entry.truth, entry.source, entry.group, checksum, width, height))
            origins += [(case, entry.origin)] if entry.origin else []
            known |= {case: entry.faults} if entry.faults else {}
        _write_table(building / "cases.csv", COLUMNS, ([getattr(case, column) for column in COLUMNS] for case in cases))
        if origins:
            _write_table(building / "origins.csv", ("case", "origin"), origins)
        if known:
            known_faults.write(building, known)
        manifest = {
            "format": FORMAT,
            "name": name,
            "created": today(),
            "seed": seed,
            "width": width,
            "height": height,
            "phantom": phantom,
            "counts": counts(cases),
            "how": how,
            **({"flow": flow} if flow else {}),
            **({"left_out": list(left_out)} if left_out else {}),
        }
        (building / "pool.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        building.chmod(0o755)  # mkdtemp creates a private folder
        building.replace(folder)
    except BaseException as error:
        shutil.rmtree(building, ignore_errors=True)
        if isinstance(error, OSError):
            raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
        raise
    return Pool(folder, manifest, tuple(cases), known)


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def today() -> str:
    """Return the date (UTC) as YYYY-MM-DD, or that of SOURCE_DATE_EPOCH if set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch else datetime.datetime.now(datetime.UTC)
    return moment.date().isoformat()


def _read_manifest(path: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, ["pool.json: missing"]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        return {}, [f"pool.json: not readable as JSON ({error})"]
    if not isinstance(manifest, dict):
        return {}, ["pool.json: expected an object"]
    faults = []
    if manifest.get("format") != FORMAT:
        faults.append(f"pool.json: format is {manifest.get('format')!r}, expected {FORMAT}")
    if not isinstance(manifest.get("name"), str) or not manifest["name"].strip():
        faults.append("pool.json: name is missing or empty")
    for side in ("width", "height"):
        if not _is_size(manifest.get(side)):
            faults.append(f"pool.json: {side} is {manifest.get(side)!r}, expected a whole number of pixels")
    if "flow" in manifest:
        faults += [f"pool.json: {fault}" for fault in flows.faults(manifest["flow"])]
    return manifest, faults


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _read_table(path: Path) -> tuple[list[tuple[int, Case]], list[str]]:
    """Return the readable rows, each with its number in the file, and the problems of the table."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return [], ["cases.csv: missing"]
    except (OSError, UnicodeDecodeError) as error:
        return [], [f"cases.csv: not readable as UTF-8 ({error})"]
    table = csv.DictReader(io.StringIO(text, newline=""))
    header = [name.strip() for name in table.fieldnames or ()]
    absent = [column for column in COLUMNS if column not in header]
    if absent:
        return [], [f"cases.csv, row 1: missing column(s) {', '.join(absent)}; expected {','.join(COLUMNS)}"]
    if twice := [name for name, count in Counter(header).items() if name and count > 1]:
        return [], [f"cases.csv, row 1: column(s) {', '.join(twice)} occur twice"]
    table.fieldnames = header
    try:
        records = [(table.line_num, record) for record in table]
    except csv.Error as error:
        return [], [f"cases.csv, row {table.line_num}: not readable as CSV ({error})"]
    rows: list[tuple[int, Case]] = []
    faults: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for row, record in records:
        fields = {column: _stripped(record[column]) for column in COLUMNS}
        sizes = {side: int(fields[side]) if fields[side].isdecimal() else 0 for side in ("width", "height")}
        problems = [f"{column} is empty" for column in ("case", "file", "sha256") if not fields[column]]
        if fields["truth"] not in TRUTHS:
            problems.append(f"unknown truth {fields['truth']!r}, expected real or synthetic")
        problems += [
            f"{side} is {fields[side]!r}, expected a whole number of pixels" for side in sizes if sizes[side] < 1
        ]
        for column in ("case", "file", "sha256"):
            first = seen.setdefault((column, fields[column].lower()), row)
            if fields[column] and first != row:
                what = "the same image" if column == "sha256" else f"{column} {fields[column]!r}"
                problems.append(f"{what} is already in row {first}")
        if _leaves(fields["file"]):
            problems.append(f"file {fields['file']!r} is outside the pool folder")
        faults += [f"cases.csv, row {row}: {problem}" for problem in problems]
        if fields["file"] and not _leaves(fields["file"]):
            labels = {
                name: value for name in header if name not in ("", *COLUMNS) and (value := _stripped(record[name]))
            }
            rows.append((row, Case(**{**fields, **sizes}, labels=labels)))  # type: ignore[arg-type]
    if not rows and not faults:
        faults.append("cases.csv: has no cases")
    return rows, faults


def _stripped(entry: str | None) -> str:
    return (entry or "").strip()


def _leaves(file: str) -> bool:
    """Return whether a path in cases.csv points outside the pool folder."""
    return PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts or "\\" in file or ":" in file


def _image_faults(folder: Path, expected: tuple[Any, Any], case: Case) -> list[str]:
    path = folder / case.file
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [f"{case.file}: no such file"]
    except OSError as error:
        return [f"{case.file}: not readable ({error.strerror})"]
    faults = []
    if case.sha256 and hashlib.sha256(data).hexdigest() != case.sha256.lower():
        faults.append(f"{case.file}: its checksum does not match the table, so the file has changed")
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = image.size
            for where, sides in (("pool.json", expected), ("the table", (case.width, case.height))):
                if all(map(_is_size, sides)) and size != sides:
                    faults.append(f"{case.file}: is {size[0]} x {size[1]}, {where} says {sides[0]} x {sides[1]}")
            if not faults:
                image.load()
    except Exception as error:  # a corrupt file can make a decoder raise anything
        faults.append(f"{case.file}: not readable as an image ({error})")
    return faults
