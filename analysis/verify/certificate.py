"""The certificate of a verification, as JSON and as a page."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.designs.common import software
from analysis.report.document import TEMPLATES
from analysis.verify.comparison import TOLERANCE

if TYPE_CHECKING:
    from analysis.verify import Verified

FORMAT = 1


def certificate(found: Verified, at: datetime | None = None) -> dict[str, Any]:
    """Return the certificate of a verified archive; `at`: time, by default now."""
    told, archived = found.comparison, found.archived
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    registered = archived.registered
    return {
        "kind": "discern certificate",
        "format": FORMAT,
        "verified": not told.differences,
        "at": moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "study": {
            name: archived.results["study"].get(name) for name in ("title", "slug", "readers", "cases", "answers")
        }
        | {"design": archived.results["design"]},
        "archive": {"name": found.name, "sha256": found.sha256, "members": archived.sums},
        "registration": registered and {"sha256": registered["sha256"], "at": registered["registration"]["made"]["at"]},
        "tolerance": TOLERANCE,
        "numbers": told.numbers,
        "others": told.others,
        "largest_difference": told.largest,
        "differences": [asdict(one) for one in told.differences],
        "software": {
            "archived": archived.software,
            "here": software() | {"system": f"{platform.system()} {platform.machine()}"},
        },
    }


def page(told: Mapping[str, Any]) -> str:
    """Return the certificate as one self-contained page."""
    import jinja2
    from markupsafe import Markup

    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    css = Markup((TEMPLATES / "report.css").read_text("utf-8"))  # our own file
    return environment.get_template("certificate.html").render(told=told, css=css)


def write(told: Mapping[str, Any], out: Path) -> None:
    """Write certificate.json and certificate.html into the folder `out`, both or neither."""
    files = {
        "certificate.json": json.dumps(told, indent=1, ensure_ascii=False) + "\n",
        "certificate.html": page(told),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (out / f".{name}.part").write_text(text, encoding="utf-8")
    for name in files:
        (out / f".{name}.part").replace(out / name)
