"""discern responses: export."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import reading
from quiz_app.exchange import responses_csv
from quiz_app.study import lifecycle

group = AppGroup("responses", help="Hand over the answers.")


@group.command("export")
@click.option("--study", "slug", required=True, help="Slug of the study.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="CSV file to write.")
@as_json
@plainly
def export_(slug: str, out: Path, as_json: bool) -> None:
    """Write the answers of a study to a CSV, and beside it NAME.dictionary.csv with the meaning of its columns."""
    lifecycle.find(slug)
    part = out.with_name(out.name + ".part")
    with reading() as session, part.open("w", encoding="utf-8", newline="") as file:
        rows = sum(1 for line in responses_csv.lines(session, slug) if file.write(line)) - 1
    dictionary = out.with_name(f"{out.stem}.dictionary.csv")
    dictionary.write_text("".join(responses_csv.dictionary()), "utf-8")
    part.replace(out)
    tell(f"{out}: {rows} rows", {"study": slug, "file": out, "dictionary": dictionary, "rows": rows}, as_json)
