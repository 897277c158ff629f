"""discern responses: export."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import reading
from quiz_app.exchange import conditions_csv, responses_csv
from quiz_app.study import lifecycle

group = AppGroup("responses", help="Export the answers.")


@group.command("export")
@click.option("--study", "slug", required=True, help="Slug of the study.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="CSV file to write.")
@as_json
@plainly
def export_(slug: str, out: Path, as_json: bool) -> None:
    """Export the answers of a study as CSV, with NAME.dictionary.csv, which explains the columns, beside it.

    A study with conditions or hints also gets NAME.conditions.csv: the condition under which each trial was read.
    """
    lifecycle.find(slug)
    part = out.with_name(out.name + ".part")
    beside = {"dictionary": out.with_name(f"{out.stem}.dictionary.csv")}
    with reading() as session, part.open("w", encoding="utf-8", newline="") as file:
        rows = sum(1 for line in responses_csv.lines(session, slug) if file.write(line)) - 1
        meanings = [*responses_csv.dictionary()]
        if conditions_csv.count(session, slug):
            beside["conditions"] = out.with_name(f"{out.stem}.conditions.csv")
            beside["conditions"].write_text("".join(conditions_csv.lines(session, slug)), "utf-8")
            meanings += conditions_csv.dictionary()
    beside["dictionary"].write_text("".join(meanings), "utf-8")
    part.replace(out)
    tell(f"{out}: {rows} rows", {"study": slug, "file": out, **beside, "rows": rows}, as_json)
