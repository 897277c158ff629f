"""Prepare a corpus of radiographs: crop, resize, find near-duplicates, split without leakage, and list.

hr/IMAGE.png    1024 x 512 by Lanczos
lr/IMAGE.png    256 x 128 by area averaging of the hr image
manifest.csv    image,set,original,original_sha256,original_width,original_height,hr_sha256,lr_sha256,group,split,
                lossy,notes,header
corpus.json     settings and counts, the files that could not be used, and those that seem to contain text

`lossy`, `notes` and `header` come from reading the file (`radiographs.Reading`), as JSON. `group` is shared by
near-duplicates, and a group is on one side of the split, so that versions of one radiograph are never on both.
Interrupted work can be resumed: `done.jsonl` records finished images.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from generation import duplicates, pool, radiographs
from generation.arguments import bar, left_out, text_found, whole
from generation.errors import InputError
from generation.files import atomic, save_text, sha256
from generation.pool import Progress
from generation.radiographs import burned_in, guarded

COLUMNS = (
    "image", "set", "original", "original_sha256", "original_width", "original_height",
    "hr_sha256", "lr_sha256", "group", "split",
)  # fmt: skip
TOLD: dict[str, tuple[str, Callable[[Any], bool]]] = {  # not in a corpus made by an earlier version
    "lossy": ("true or false", lambda value: isinstance(value, bool)),
    "notes": ("a list of texts", lambda value: isinstance(value, list) and _are_texts(value)),
    "header": ("an object of texts", lambda value: isinstance(value, dict) and _are_texts(value.values())),
}
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Task:
    """One radiograph to prepare: its name in the corpus, its set, its file, and its margins to crop."""

    image: str
    set: str
    path: Path
    original: str  # the path within the source
    margins: radiographs.Margins
    frame: int | None = None  # of a file with several images, from 0


def plan(
    source: Path, margins: dict[str, radiographs.Margins] | radiographs.Margins, frames: str = "none"
) -> tuple[list[Task], list[str]]:
    """Return the radiographs below `source`, and remarks on sets that differ from the published ones.

    Folders in `source` with the name of a public set are that set; otherwise all images belong to a set named after the
    folder.
    """
    if not source.is_dir():
        raise InputError(
            f"{source}: there is no such folder; expected radiographs, or the folders {', '.join(radiographs.SETS)}"
        )
    public = {name: source / name for name in radiographs.SETS if (source / name).is_dir()}
    folders = public or {source.resolve().name: source}
    tasks, remarks = [], []
    for name, folder in folders.items():
        known = radiographs.SETS.get(name)
        paths = radiographs.find(folder, known.within if known else "")
        if known and len(paths) != known.count:
            remarks.append(f"{name}: {len(paths)} radiographs found, {known.count} published")
        cut = margins if isinstance(margins, radiographs.Margins) else margins.get(name, radiographs.Margins())
        tasks += [
            Task(f"{name}-{number:05d}", name, path, _original(path.relative_to(source), frame), cut, frame)
            for number, (path, frame) in enumerate(radiographs.expanded(paths, frames), start=1)
        ]
    if not tasks:
        raise InputError(f"{source}: contains no radiographs ({', '.join(radiographs.SUFFIXES)})")
    return tasks, remarks


def _original(path: Path, frame: int | None) -> str:
    return path.as_posix() if frame is None else f"{path.as_posix()}#{frame + 1}"


def prepare(
    source: str | Path,
    out: str | Path,
    margins: radiographs.Margins | dict[str, radiographs.Margins] | None = None,
    size: tuple[int, int] = radiographs.HIGH,
    parts: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    workers: int = -1,
    progress: Progress | None = None,
    frames: str = "none",
    distinct: bool = False,
) -> dict:
    """Prepare a corpus as described for the module, and return the content of corpus.json.

    parts: the shares of train, validation and test. workers: processes, -1 for one per core.
    frames: which images to use from a file with several: none (it is left out), first, middle or all.
    distinct: every image is a different radiograph, so near-duplicates are not looked for; the thresholds were set for
    panoramics, and frontal chest radiographs are more alike.
    Files that cannot be used are left out and listed under `unusable`; the returned value gives the reasons instead,
    which may quote a file and are not stored. Files that seem to contain burnt-in text within the margins are listed
    under `text`. Raises InputError if nothing can be used, or if `out` was started with other settings.
    """
    source, out = Path(source), Path(out)
    tasks, remarks = plan(source, margins or radiographs.Margins(), frames)
    settings = {
        "source": source.name,
        "size": list(size),
        "margins": {name: asdict(cut) for name, cut in sorted({task.set: task.margins for task in tasks}.items())},
    }
    earlier = _resume(out, settings)
    done = {task.image: earlier[task.image] for task in tasks if _finished(out, task, earlier.get(task.image))}
    todo = [task for task in tasks if task.image not in done]
    unusable: dict[str, str] = {}  # why, by file
    results = guarded.each(partial(_prepare, out=out, size=size), todo, workers)
    with (out / "done.jsonl").open("a", encoding="utf-8") as journal:
        for count, (task, record) in enumerate(zip(todo, results, strict=True), start=1):
            if isinstance(record, str | guarded.Failed):
                unusable[task.original] = str(record)
            else:
                done[record["image"]] = record
                journal.write(json.dumps(record) + "\n")
                journal.flush()
            if progress is not None:
                progress(len(tasks) - len(todo) + count, len(tasks))
    rows = [done[task.image] for task in tasks if task.image in done]
    if not rows:
        raise InputError(f"{source}: no radiograph could be used", sorted(unusable.values()))
    groups = np.arange(len(rows)) if distinct else duplicates.groups(_signatures(out, rows), workers)
    splits = split(groups, parts, seed)
    _write_manifest(out, rows, groups, splits)
    summary = {
        "format": 1, **settings, "seed": seed, "parts": list(parts), "images": len(rows),
        "distinct": int(groups.max()) + 1, "duplicates": "not searched" if distinct else "by hash and correlation",
        "sets": dict(Counter(row["set"] for row in rows)),
        "splits": {name: int((splits == name).sum()) for name in SPLITS},
        "lossy": sum(row["lossy"] for row in rows), "notes": dict(Counter(n for row in rows for n in row["notes"])),
        "header": counted([row["header"] for row in rows]), "remarks": remarks, "unusable": sorted(unusable),
        "text": [row["original"] for row in rows if row["text"]],
    }  # fmt: skip
    save_text(out / "corpus.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    return summary | {"unusable": sorted(unusable.values())}


def split(groups: np.ndarray, parts: Iterable[float], seed: int) -> np.ndarray:
    """`train`, `validation` or `test` for each image (n,), keeping groups together, in about the shares of `parts`."""
    shares = np.array(list(parts), dtype=float)
    if len(shares) != 3 or (shares < 0).any() or not shares.sum() > 0:
        raise ValueError(f"expected three shares that are not all zero, got {shares.tolist()}")
    sizes = np.bincount(groups)
    room = shares / shares.sum() * len(groups)
    chosen = np.empty(len(sizes), dtype=int)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(sizes))
    for group in sorted(order, key=lambda number: -sizes[number]):  # place large groups first, while there is room
        chosen[group] = int(np.argmax(room))
        room[chosen[group]] -= sizes[group]
    return np.array(SPLITS)[chosen[groups]]


def read_manifest(folder: str | Path) -> list[dict[str, str]]:
    """The rows of a prepared corpus. Raises InputError with every problem, by row (the header is row 1) and column."""
    path = Path(folder) / "manifest.csv"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream)
            absent = [column for column in COLUMNS if column not in (table.fieldnames or ())]
            if absent:
                raise InputError(f"{path}: missing column(s) {', '.join(absent)}")
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read; expected a folder made by `generation corpus`") from error
    faults = [f"row {number}: {fault}" for number, row in rows for fault in _row_faults(row)]
    if faults:
        raise InputError(f"{path}: the manifest cannot be used, {len(faults)} problem(s):", faults)
    return [row for _, row in rows]


def _row_faults(row: Mapping[str, str | None]) -> list[str]:
    faults = [f"{column} is empty" for column in COLUMNS if not row[column]]
    if row["split"] and row["split"] not in SPLITS:
        faults.append(f"split is {row['split']!r}, expected {', '.join(SPLITS)}")
    for name, (expected, fits) in TOLD.items():
        if not row.get(name):
            continue
        try:
            sound = fits(json.loads(row[name] or ""))
        except ValueError:
            sound = False
        faults += [] if sound else [f"{name} is {row[name]!r}, expected {expected} as JSON"]
    return faults


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def told(row: Mapping[str, str]) -> dict[str, Any]:
    """Return `lossy`, `notes` and `header` from a row of manifest.csv; None if unknown."""
    found = {name: json.loads(row[name]) if row.get(name) else None for name in TOLD}
    return found | {"notes": None if found["notes"] is None else tuple(found["notes"])}


def counted(headers: Iterable[Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """Count the images by header and its value."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for header in headers:
        for name, value in header.items():
            found[name][value] += 1
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def _prepare(task: Task, out: Path, size: tuple[int, int]) -> dict | str:
    """Prepare one radiograph; return the record for the journal, or what is wrong with the file."""
    try:
        read = radiographs.look(task.path, task.frame)
        original = read.image
        cut = radiographs.crop(original, task.margins)
        sharp = radiographs.high(cut, size)
    except InputError as error:
        return str(error)
    except ValueError as error:
        return f"{task.path}: {error}"
    sums = {}
    for name, image in (("hr", sharp), ("lr", radiographs.low(sharp))):
        data = pool.encode(np.asarray(image))
        sums[f"{name}_sha256"] = hashlib.sha256(data).hexdigest()
        with atomic(out / name / f"{task.image}.png") as part:
            part.write_bytes(data)
    return {
        "image": task.image,
        "set": task.set,
        "original": task.original,
        "original_sha256": sha256(task.path),
        "original_width": original.width,
        "original_height": original.height,
        **sums,
        "lossy": read.lossy,
        "notes": read.notes,
        "header": read.header,
        "modified": task.path.stat().st_mtime_ns,
        "text": bool(burned_in.find(np.asarray(cut))),
    }


def _resume(out: Path, settings: dict) -> dict[str, dict]:
    """Return the records of an earlier run into `out`, if it had the same settings; create the folders."""
    begun = out / "done.jsonl"
    try:
        if begun.exists():
            text = begun.read_text(encoding="utf-8")
            if not text.endswith("\n"):  # interrupted within a line: start a new one
                save_text(begun, text + "\n")
            first, *lines = text.splitlines()
            if json.loads(first) != settings:
                raise InputError(f"{out}: was started with other settings: {first}; choose a new folder")
            return {record["image"]: record for record in map(_whole_line, lines) if record}
        if out.exists() and any(out.iterdir()):
            raise InputError(f"{out}: already exists and is not empty; give a new folder for the corpus")
        for name in ("hr", "lr"):
            (out / name).mkdir(parents=True)
        save_text(begun, json.dumps(settings) + "\n")
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from error
    return {}


def _whole_line(line: str) -> dict | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:  # the run was interrupted while writing this line
        return None


def _finished(out: Path, task: Task, record: dict | None) -> bool:
    return (
        record is not None
        and record.keys() >= {*TOLD, "text"}
        and record["original"] == task.original
        and record["modified"] == task.path.stat().st_mtime_ns
        and all((out / name / f"{task.image}.png").exists() for name in ("hr", "lr"))
    )


def _signatures(out: Path, rows: list[dict]) -> list[duplicates.Signature]:
    def signature(row: dict) -> duplicates.Signature:
        with Image.open(out / "lr" / f"{row['image']}.png") as image:
            return duplicates.signature(image)

    return Parallel(n_jobs=-1, prefer="threads")(delayed(signature)(row) for row in rows)


def _write_manifest(out: Path, rows: list[dict], groups: np.ndarray, splits: np.ndarray) -> None:
    with atomic(out / "manifest.csv") as part, part.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, (*COLUMNS, *TOLD), extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        for row, group, part in zip(rows, groups, splits, strict=True):
            told = {name: json.dumps(row[name], ensure_ascii=False) for name in TOLD}
            table.writerow({**row, **told, "group": f"g{group + 1:05d}", "split": part})


def add_frames(parser: argparse.ArgumentParser) -> None:
    """Add the option that selects images from files with several."""
    parser.add_argument(
        "--frames",
        choices=radiographs.FRAMES,
        default="none",
        help="which image to use from a file with several (default none: leave the file out and name it)",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(radiographs.SETS)
    parser.add_argument(
        "--source", type=Path, required=True, metavar="DIR", help=f"folder of radiographs, or of the folders {names}"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the corpus; run again to resume"
    )
    parser.add_argument(
        "--margins",
        type=radiographs.parse_margins,
        default="none",
        metavar="WHICH",
        help="margins to cut: none (default), TOP,LEFT,BOTTOM,RIGHT in px, or as PanoDiff-SR cut the public data sets: "
        "first (each set differently), journal (all alike)",
    )
    parser.add_argument("--size", type=whole(4), nargs=2, default=radiographs.HIGH, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument(
        "--split", type=whole(0), nargs=3, default=(80, 10, 10), metavar=("TRAIN", "VALIDATION", "TEST")
    )
    parser.add_argument(
        "--distinct", action="store_true", help="do not look for near-duplicates: all radiographs differ"
    )
    add_frames(parser)
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="seed of the split (default 0)")
    parser.add_argument("--workers", type=whole(1), default=-1, metavar="N", help="processes (default: one per core)")


def run(args: argparse.Namespace) -> int:
    if any(side % 4 for side in args.size) or not any(args.split):
        raise InputError("--size needs multiples of 4, --split three shares that are not all 0")
    with bar("radiographs prepared") as progress:
        summary = prepare(
            args.source,
            args.out,
            args.margins,
            tuple(args.size),
            args.split,
            args.seed,
            args.workers,
            progress,
            args.frames,
            args.distinct,
        )
    for remark in summary["remarks"]:
        print(f"note: {remark}")
    print(f"{args.out}: {summary['images']} images of {summary['distinct']} distinct radiographs; {summary['splits']}")
    text_found(summary["text"], "images")
    return left_out(summary["unusable"])
