"""The registration as it is kept: JSON whose parts have checksums, so that an edited one is known, and what was edited.

{"kind": "discern registration", "format": 1, "registration": {PART: ...}, "sums": {PART: SHA-256},
 "sha256": of the sums}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.designs.common import plain, software
from analysis.registration import written
from analysis.registration.form import Form
from analysis.responses import ResponsesError

KIND, FORMAT = "discern registration", 1
DESIGNS = {"quartet": "quartet", "threshold": "staircase"}  # of an end point; all others are of ratings
PARTS = ("made", "study", "estimand", "design", "pool", "plan", "sample", "analysis", "exclusions", "procedure")
# What the report always does, so that it need not be said in every form.
LEFT_OUT = (
    "Practice trials, second answers to a repeated case, and sittings that a reader began anew are left out.",
    "Late answers are counted as they were given. Unanswered cases are missing, not wrong.",
)


def make(form: Form, sample: Mapping[str, Any], at: datetime | None = None) -> dict[str, Any]:
    """The registration of a study.

    Args:
        form: what the researchers said.
        sample: what was planned: `endpoint`, `value` (as assumed), `null`, `margin`, `alpha`, `target`, `readers`,
            `cases`, `power`, `half_width`, `method`, `model`, and whatever else the planning found.
        at: when; now by default.

    Raises:
        ResponsesError: with every contradiction between form, plan, pool and numbers.
    """
    faults = []
    design = form.plan["design"] if form.plan else DESIGNS.get(sample["endpoint"], "rating")
    if (wanted := DESIGNS.get(sample["endpoint"], "rating")) != design and not (
        wanted == "rating" and design == "staircase"
    ):
        faults.append(f"plan: a study of the design {design}; the end point {sample['endpoint']} asks for {wanted}")
    margin = sample.get("margin")
    if margin is not None and form.margin_given and margin != form.analysis.margin:
        faults.append(f"analysis: margin {form.analysis.margin:g}, but the study was planned with --margin {margin:g}")
    listed = form.plan["settings"].get("subgroups") if form.plan else ()
    planned = tuple(listed) if isinstance(listed, list) else ()
    if form.plan and form.subgroups and set(form.subgroups) != set(planned):
        told = ", ".join(planned) or "none"
        faults.append(f"subgroups: {', '.join(form.subgroups)}, but the settings of the plan have {told}")
    subgroups = list(form.subgroups or planned)
    room = form.pool["cases"] if form.pool else None
    if room is not None and design != "quartet" and sample["cases"] > room:
        faults.append(f"pool: has {room} cases that are not for practice; {sample['cases']} are planned")
    if faults:
        raise ResponsesError(faults)
    analysis = asdict(form.analysis) | ({"margin": margin} if margin is not None else {})
    analysis |= {"subgroups": subgroups} if subgroups else {}
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    parts: dict[str, Any] = {
        "made": {"at": moment.isoformat(timespec="seconds").replace("+00:00", "Z"), "software": software()},
        "study": {
            "title": form.title,
            "authors": list(form.authors),
            "description": form.description,
            "question": form.question,
            "hypotheses": list(form.hypotheses) or [written.hypothesis(sample)],
        },
        "estimand": {name: sample.get(name) for name in ("endpoint", "null", "margin", "alpha")},
        "design": {"name": design, "readers": sample["readers"], "cases": sample["cases"]},
        "pool": dict(form.pool) if form.pool else None,
        "plan": dict(form.plan) if form.plan else None,
        "sample": dict(sample),
        "analysis": analysis,
        "exclusions": [*LEFT_OUT, *form.exclusions],
        "procedure": {
            name: getattr(form, name) for name in ("existing_data", "recruitment", "stopping", "exploratory", "other")
        },
    }
    parts = plain(parts)
    sums = {name: _sum(parts[name]) for name in PARTS}
    return {"kind": KIND, "format": FORMAT, "registration": parts, "sums": sums, "sha256": _sum(sums)}


def _sum(entry: Any) -> str:
    """SHA-256 of a part: of its JSON with sorted keys and no blanks."""
    text = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write(registration: Mapping[str, Any], out: Path) -> list[Path]:
    """Write registration.json, .md and .pdf into the folder `out`; returns their paths."""
    files = {
        "registration.json": (json.dumps(registration, indent=1, ensure_ascii=False) + "\n").encode(),
        "registration.md": written.markdown(registration).encode(),
        "registration.pdf": written.pdf(registration),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    return [out / name for name in files]


def load(path: str | Path) -> dict[str, Any]:
    """The registration in the JSON file at `path`; its sums are checked.

    Raises:
        ResponsesError: for what is no registration, and for one that was edited, with the parts that were.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResponsesError([f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    return loads(text, path.name)


def loads(text: str, name: str = "registration") -> dict[str, Any]:
    """The same from the text of such a file, called `name` in messages."""
    try:
        given = json.loads(text)
        kind, version = given["kind"], given["format"]
        parts, sums, whole = dict(given["registration"]), dict(given["sums"]), given["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        expected = "registration.json, as `discern plan --register` writes it, is expected"
        raise ResponsesError([f"{name}: not a registration; {expected}"]) from None
    if kind != KIND or version != FORMAT:
        raise ResponsesError([f"{name}: {kind!r} of format {version!r}; {KIND!r} of format {FORMAT} is expected"])
    try:
        edited = [part for part in PARTS if part not in parts or _sum(parts[part]) != sums.get(part)]
    except ValueError:
        edited = ["a number that JSON does not know"]
    edited += sorted((parts.keys() | sums.keys()) - set(PARTS))
    if edited:
        raise ResponsesError([f"{name}: was edited after it was made: {', '.join(edited)} (SHA-256 differs)"])
    if whole != _sum(sums):
        raise ResponsesError([f"{name}: was edited after it was made: its own SHA-256 is not that of its parts"])
    return {"kind": kind, "format": version, "registration": parts, "sums": sums, "sha256": whole}
