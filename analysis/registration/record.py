"""The stored registration: JSON with a checksum for each part, which shows whether it was edited and where.

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
DESIGNS = {"quartet": "quartet", "threshold": "staircase"}  # by end point; all others are rating studies
PARTS = ("made", "study", "estimand", "design", "pool", "plan", "sample", "analysis", "exclusions", "procedure")
# What the report always does; forms need not repeat it.
LEFT_OUT = (
    "Practice trials, second answers to repeated cases, and sittings that a reader restarted are excluded.",
    "Late answers count as given. Unanswered cases are treated as missing, not as incorrect.",
)


def make(form: Form, sample: Mapping[str, Any], at: datetime | None = None) -> dict[str, Any]:
    """Create the registration of a study.

    Args:
        form: the form that the researchers completed.
        sample: the planned numbers: `endpoint`, `value` (as assumed), `null`, `margin`, `alpha`, `target`, `readers`,
            `cases`, `power`, `half_width`, `method`, `model`, and other results of the planning.
        at: time of registration; by default, now.

    Raises:
        ResponsesError: lists every contradiction between form, plan, pool and numbers.
    """
    faults = []
    design = form.plan["design"] if form.plan else DESIGNS.get(sample["endpoint"], "rating")
    if (wanted := DESIGNS.get(sample["endpoint"], "rating")) != design and not (
        wanted == "rating" and design == "staircase"
    ):
        faults.append(f"plan: the study has the design {design}, but the end point {sample['endpoint']} needs {wanted}")
    margin = sample.get("margin")
    if margin is not None and form.margin_given and margin != form.analysis.margin:
        faults.append(f"analysis: margin {form.analysis.margin:g}, but the study was planned with --margin {margin:g}")
    listed = form.plan["settings"].get("subgroups") if form.plan else ()
    planned = tuple(listed) if isinstance(listed, list) else ()
    if form.plan and form.subgroups and set(form.subgroups) != set(planned):
        told = ", ".join(planned) or "none"
        faults.append(f"subgroups: {', '.join(form.subgroups)}, but the plan's settings have {told}")
    subgroups = list(form.subgroups or planned)
    room = form.pool["cases"] if form.pool else None
    if room is not None and design != "quartet" and sample["cases"] > room:
        faults.append(f"pool: has {room} cases (practice cases not counted), but {sample['cases']} are planned")
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
    """Return the SHA-256 of a part, taken from its JSON with sorted keys and no spaces."""
    text = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write(registration: Mapping[str, Any], out: Path) -> list[Path]:
    """Write registration.json, .md and .pdf into the folder `out`; return their paths."""
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
    """Load the registration in the JSON file at `path` and verify its checksums.

    Raises:
        ResponsesError: the file is not a registration, or was edited; names the edited parts.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResponsesError([f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    return loads(text, path.name)


def loads(text: str, name: str = "registration") -> dict[str, Any]:
    """Load a registration from the text of such a file; messages call it `name`."""
    try:
        given = json.loads(text)
        kind, version = given["kind"], given["format"]
        parts, sums, whole = dict(given["registration"]), dict(given["sums"]), given["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        expected = "expected registration.json as written by `discern plan --register`"
        raise ResponsesError([f"{name}: not a registration; {expected}"]) from None
    if kind != KIND or version != FORMAT:
        raise ResponsesError([f"{name}: got {kind!r} in format {version!r}, expected {KIND!r} in format {FORMAT}"])
    try:
        edited = [part for part in PARTS if part not in parts or _sum(parts[part]) != sums.get(part)]
    except ValueError:
        edited = ["a number that is not valid JSON"]
    edited += sorted((parts.keys() | sums.keys()) - set(PARTS))
    if edited:
        raise ResponsesError([f"{name}: was edited after it was created: {', '.join(edited)} (SHA-256 differs)"])
    if whole != _sum(sums):
        raise ResponsesError([f"{name}: was edited after it was created: its own SHA-256 does not match its parts"])
    return {"kind": kind, "format": version, "registration": parts, "sums": sums, "sha256": whole}
