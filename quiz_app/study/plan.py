"""The plan of a study as a TOML file: written from an existing study, read to create one, the same both ways."""

from __future__ import annotations

import json
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import Field, fields
from typing import Any

import sqlalchemy as sa

from quiz_app.database import db
from quiz_app.designs import DESIGNS, PRESETS, Design, design_of
from quiz_app.errors import InvalidInputError
from quiz_app.models import Pool, Researcher, Study
from quiz_app.settings import Settings
from quiz_app.study import hints, lifecycle
from quiz_app.study.settings import SECTIONS, StudySettings

FORMAT = 1
# The entries above [settings], with type and meaning.
HEAD: dict[str, tuple[type, str]] = {
    "format": (int, "Version of this file format."),
    "title": (str, "What readers and researchers call the study."),
    "slug": (str, "Short name for addresses and exports."),
    "design": (str, "What a trial is."),
    "seed": (int, "Seed of all orders: the same pool, seed and pseudonyms give the same orders."),
    "pool": (str, "Short name of the pool."),
    "pool_sha256": (str, "Checksum of the pool's cases.csv, which contains the checksums of the images."),
    "hints_sha256": (
        str,
        "Checksum of the hints. The plan does not contain the hints themselves; use the same hint file.",
    ),
    "preset": (str, "Preset that supplies the settings not given in the file."),
}


def dump(study: Study) -> str:
    """The plan of `study`: everything needed to create it, with a comment that explains each entry."""
    head = {
        "format": FORMAT,
        "title": study.title,
        "slug": study.slug,
        "design": study.design,
        "seed": study.seed,
        "pool": study.pool.slug,
        "pool_sha256": study.pool.sha256,
    }
    if study.hints:
        head["hints_sha256"] = hints.digest(study)
    lines = ["# A Discern study. Create it with: discern study create --file THIS", ""]
    for name, value in head.items():
        lines += [f"# {HEAD[name][1]}", f"{name} = {_toml(value)}"]
    lines += ["", "[settings]"]
    values = study.rules.as_dict()
    for section, entries in by_section(study.rules).items():
        lines += ["", f"## {section}"]
        for entry in entries:
            lines += [*textwrap.wrap(meaning(entry), 110, initial_indent="# ", subsequent_indent="# ")]
            lines += [f"{entry.name} = {_toml(values[entry.name])}"]
    return "\n".join(lines) + "\n"


def make(
    text: str,
    *,
    pool: str = "",
    slug: str = "",
    title: str = "",
    seed: int | None = None,
    owner: Researcher | None = None,
) -> Study:
    """A draft made from the plan in `text`; arguments override the plan. The caller commits or rolls back.

    Raises InvalidInputError with every problem by field, including a pool that is missing or is not the plan's pool.
    """
    given = load(text)
    faults: list[str] = []
    found = _pool(given, pool, faults)
    try:
        study = lifecycle.create(
            title or given.get("title", ""),
            found,
            slug=slug or given.get("slug", ""),
            preset=given.get("preset", ""),
            settings=given["settings"],
            design=given.get("design", ""),
            seed=given.get("seed") if seed is None else seed,
            owner=owner,
        )
    except InvalidInputError as faulty:
        faults += [fault for fault in faulty.faults if not (faults and fault.startswith("pool:"))]
        raise InvalidInputError(faults) from None
    if faults:
        raise InvalidInputError(faults)
    return study


def load(text: str) -> dict[str, Any]:
    """The entries of a plan; its settings are not checked yet. Raises InvalidInputError if the file is not a plan."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError([f"file: not a TOML file: {error}"]) from None
    faults = [
        f"{name}: unknown entry; expected one of {', '.join(HEAD)}, [settings]"
        for name in given
        if name not in {*HEAD, "settings"}
    ]
    for name, (kind, _) in HEAD.items():
        if name in given and type(given[name]) is not kind:
            faults.append(f"{name}: {given[name]!r} is not a {'whole number' if kind is int else 'text'}")
    if given.get("format") != FORMAT:
        faults.append(f"format: {given.get('format')!r} is not {FORMAT}")
    if type(seed := given.get("seed", 0)) is int and not 0 <= seed < 2**31:
        faults.append(f"seed: {seed} is not between 0 and {2**31 - 1}")
    if not isinstance(given.setdefault("settings", {}), dict):
        faults.append("settings: expected a table [settings]")
    if faults:
        raise InvalidInputError(faults)
    return given


def _pool(given: dict[str, Any], slug: str, faults: list[str]) -> Pool | None:
    """The pool with the given name; if a checksum is given, it must match."""
    slug, sha256 = slug or given.get("pool", ""), given.get("pool_sha256")
    pool = db.session.scalar(sa.select(Pool).filter_by(slug=slug))
    if sha256 and (pool is None or pool.sha256 != sha256):
        # Another installation may have the same pool under a different name.
        same = db.session.scalar(sa.select(Pool).filter_by(sha256=sha256))
        if same is None and pool is not None:
            faults.append(f"pool_sha256: pool {slug!r} is not the plan's pool; its cases differ")
        pool = same or pool
    if pool is None:
        faults.append(f"pool: there is no pool {slug!r}; import one with: discern pool import FOLDER")
    return pool


def meaning(entry: Field[Any]) -> str:
    """The help of a setting, with its bounds or choices."""
    rules = entry.metadata
    words = [rules["help"]]
    if rules["low"] is not None:
        words.append(f"{rules['low']:g} to {rules['high']:g}.")
    words += [f"{choice}: {what}." for choice, what in rules.get("choices", {}).items()]
    return " ".join(words)


def by_section(rules: StudySettings) -> dict[str, list[Field[Any]]]:
    """The settings by section of the form, in order, without empty sections."""
    found: dict[str, list[Field[Any]]] = {section: [] for section in SECTIONS}
    for entry in rules.entries().values():
        found[entry.metadata["section"]].append(entry)
    return {section: entries for section, entries in found.items() if entries}


def _toml(value: Any) -> str:
    """Plain values as TOML; JSON's strings, numbers and lists are TOML's too."""
    return json.dumps(value, ensure_ascii=False).replace(
        "\x7f", "\\u007F"
    )  # the only character that JSON allows and TOML forbids


def handbook() -> Iterator[str]:
    """docs/reference/settings.md, line by line, generated from the settings themselves."""
    yield "# Settings\n"
    yield "Generated by `discern study settings`; a test fails if this page does not match the code.\n"
    yield "## The application"
    yield "In `settings.toml` in the instance folder, or in the environment as `DISCERN_` and the name in capitals.\n"
    yield "| setting | default | meaning |\n|---|---|---|"
    for entry in fields(Settings):
        default = "`instance`" if entry.name == "instance" else _shown(entry.default)
        yield f"| `{entry.name}` | {default} | {entry.metadata['help']} |"
    yield "\n## A study"
    yield (
        "On the settings page of a draft, or in a file for `study create --file`; `study plan` writes this file for\n"
        "any study. The settings of a study with answers are locked.\n"
    )
    for section, entries in by_section(StudySettings()).items():
        yield f"### {section}\n\n| setting | default | meaning |\n|---|---|---|"
        for entry in entries:
            yield f"| `{entry.name}` | {_shown(entry.default)} | {meaning(entry)} |"
        yield ""
    for design in DESIGNS.values():
        yield from _own(design)
    yield "### Presets\n\n| preset | design | meaning | different from the design's defaults |\n|---|---|---|---|"
    for name, (what, rules) in PRESETS.items():
        plain = type(rules)().as_dict()
        other = [f"`{key}` {_shown(value)}" for key, value in rules.as_dict().items() if value != plain[key]]
        yield f"| `{name}` | {design_of(name)} | {what} | {', '.join(other) or '–'} |"
    yield "\n### Head of the file\n\n| entry | meaning |\n|---|---|"
    for name, (_, what) in HEAD.items():
        yield f"| `{name}` | {what} |"


def _own(design: Design) -> Iterator[str]:
    """The settings that only this design has, or that differ from the usual ones."""
    usual, own = StudySettings.entries(), design.settings.entries()
    other = [entry for name, entry in own.items() if name not in usual or entry.metadata != usual[name].metadata]
    if not other:
        return
    yield f"### In the design `{design.name}`\n\n| setting | default | meaning |\n|---|---|---|"
    for entry in other:
        yield f"| `{entry.name}` | {_shown(entry.default)} | {meaning(entry)} |"
    if unused := [f"`{name}`" for name in usual if name not in own]:
        yield ""
        yield from textwrap.wrap(f"These settings do not apply: {', '.join(unused)}.", 120)
    yield ""


def _shown(value: Any) -> str:
    return f"`{_toml(value)}`" if value != "" else "empty"
