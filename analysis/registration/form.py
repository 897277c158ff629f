"""The registration form: a TOML file with what only the researchers know, checked together with the pool and the plan.

title = "Can endodontists tell PanoDiff-SR from real panoramic radiographs?"
question = "Do endodontists tell synthetic panoramic radiographs from real ones better than chance?"
pool = "pool"              # the pool folder, next to this file or by its full path
plan = "study.toml"        # as `discern study plan` writes it
[analysis]                 # the options of `discern report`
unsure = "fractional"
"""

from __future__ import annotations

import csv
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from analysis.designs.common import Settings
from analysis.responses import ResponsesError

LISTS = ("authors", "hypotheses", "exclusions", "subgroups")
TEXTS = {
    "title": "Title of the study.",
    "question": "The research question, in one sentence.",
    "description": "Background and aim, in one paragraph.",
    "existing_data": "Which data already exist.",
    "recruitment": "How readers are recruited, and who may take part.",
    "stopping": "When data collection ends.",
    "exploratory": "What will be explored without a hypothesis.",
    "other": "Anything else to be recorded.",
}
NEEDED = ("title", "question")
FOLDERS = ("pool", "plan")


@dataclass(frozen=True)
class Form:
    """A completed form; `pool` and `plan` describe the named files and are None if the form names none.

    `pool`: name, sha256 of cases.csv, cases without practice. `plan`: sha256 of the file, design, seed, settings.
    """

    title: str
    question: str
    description: str = ""
    existing_data: str = ""
    recruitment: str = ""
    stopping: str = ""
    exploratory: str = ""
    other: str = ""
    authors: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()  # columns of the pool's cases.csv that define subgroups
    pool: Mapping[str, Any] | None = None
    plan: Mapping[str, Any] | None = None
    analysis: Settings = field(default_factory=Settings)
    margin_given: bool = False


def read_form(path: Path) -> Form:
    """Read the form in the TOML file at `path`.

    Raises:
        ResponsesError: lists every problem in the file, and in the pool and the plan that it names, by field.
    """
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ResponsesError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ResponsesError([f"{path.name}: not a TOML file: {error}"]) from None
    faults: list[str] = []
    known = [*TEXTS, *LISTS, *FOLDERS]
    faults += [
        f"{name}: unknown entry; expected one of {', '.join(known)}, [analysis]"
        for name in given
        if name not in (*known, "analysis")
    ]
    faults += [f"{name}: is missing. {TEXTS[name]}" for name in NEEDED if not given.get(name)]
    for name in (*TEXTS, *FOLDERS):
        if not isinstance(given.get(name, ""), str):
            faults.append(f"{name}: {given[name]!r} is not text in quotes")
    for name in LISTS:
        entry = given.get(name, [])
        if not isinstance(entry, list) or not all(isinstance(one, str) for one in entry):
            faults.append(f'{name}: {entry!r} is not a list of texts such as ["one", "another"]')
    analysis = _settings(given.get("analysis", {}), faults)
    listed = given.get("subgroups", [])
    subgroups = listed if isinstance(listed, list) and all(isinstance(one, str) for one in listed) else []
    pool = _pool(path.parent / given["pool"], subgroups, faults) if isinstance(given.get("pool"), str) else None
    plan = _plan(path.parent / given["plan"], faults) if isinstance(given.get("plan"), str) else None
    if pool and plan and plan["pool_sha256"] not in (None, pool["sha256"]):
        faults.append(f"plan: {given['plan']} was made for a different pool than {given['pool']} (pool_sha256 differs)")
    if faults or analysis is None:
        raise ResponsesError([f"{path.name}: {fault}" for fault in faults])
    said = {name: given[name].strip() for name in TEXTS if name in given}
    said |= {name: tuple(one.strip() for one in given[name]) for name in LISTS if name in given}
    return Form(**said, pool=pool, plan=plan, analysis=analysis, margin_given="margin" in given.get("analysis", {}))


def _settings(given: Any, faults: list[str]) -> Settings | None:
    if not isinstance(given, dict):
        faults.append("analysis: expected a table [analysis]")
        return None
    usual = {entry.name: entry.default for entry in fields(Settings)}
    wrong = [
        f"analysis: {name} is not a setting; expected one of {', '.join(usual)}" for name in given if name not in usual
    ]
    for name in given.keys() & usual.keys():
        if isinstance(given[name], bool) != isinstance(usual[name], bool) or not isinstance(
            given[name], (int, float) if isinstance(usual[name], float) else type(usual[name])
        ):
            wrong.append(f"analysis: {name} {given[name]!r}; expected {type(usual[name]).__name__}")
    faults += wrong
    if wrong:
        return None
    try:
        return Settings(**given)
    except ValueError as fault:
        faults.append(f"analysis: {fault}")
        return None


def _pool(folder: Path, subgroups: list[str], faults: list[str]) -> dict[str, Any] | None:
    """Return the registered facts of a pool folder; not the number of images per class, which readers could look up."""
    try:
        manifest = json.loads((folder / "pool.json").read_text("utf-8"))
        text = (folder / "cases.csv").read_bytes()
        rows = csv.DictReader(text.decode("utf-8-sig").splitlines())
        groups = [row["group"] for row in rows]
    except (OSError, ValueError, KeyError) as error:
        faults.append(f"pool: {folder} is not a pool folder ({type(error).__name__}: {error})")
        return None
    faults += [
        f"subgroups: cases.csv in {folder.name} has no column {column!r}"
        for column in subgroups
        if column not in (rows.fieldnames or ())
    ]
    scored = sum(group != "practice" for group in groups)
    return {"name": str(manifest.get("name", "")), "sha256": hashlib.sha256(text).hexdigest(), "cases": scored}


def _plan(path: Path, faults: list[str]) -> dict[str, Any] | None:
    try:
        text = path.read_bytes()
        given = tomllib.loads(text.decode("utf-8"))
    except OSError as error:
        faults.append(f"plan: {path} cannot be read: {error.strerror}")
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"plan: {path.name} is not a TOML file: {error}")
        return None
    if not isinstance(given.get("design"), str) or not isinstance(given.get("settings"), dict):
        faults.append(f"plan: {path.name} has no design or no [settings]; use a file written by `discern study plan`")
        return None
    if dated := [name for name, value in given["settings"].items() if not isinstance(value, str | int | float | list)]:
        faults.append(f"plan: {path.name}: settings: {', '.join(dated)}: expected text, a number or a list")
        return None
    sha256 = hashlib.sha256(text).hexdigest()
    kept = {name: given.get(name) for name in ("design", "seed", "pool_sha256", "settings")}
    return {"file": path.name, "sha256": sha256, **kept}
