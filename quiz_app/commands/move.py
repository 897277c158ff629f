"""discern db move: from SQLite to PostgreSQL."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.exchange import moving


@click.command()
@click.option("--to", "url", required=True, help="The empty database: postgresql+psycopg://USER:PASSWORD@HOST/NAME")
@as_json
@with_appcontext
@plainly
def move(url: str, as_json: bool) -> None:
    """Move everything from the SQLite database to a PostgreSQL database.

    Studies may be open and in progress. Afterwards, set DISCERN_DATABASE_URL to the new address and restart the server:
    readers continue where they were. Keep the instance folder, which contains the images and the secret key. The SQLite
    file is kept, but can no longer be written to.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    tables = moving.move(app, url)
    lines = [f"{name}\t{rows} rows\tsha256 {digest}" for name, (rows, digest) in tables.items()]
    what = {name: {"rows": rows, "sha256": digest} for name, (rows, digest) in tables.items()}
    tell("\n".join(lines), what, as_json)
    click.echo(
        "Moved and checked. Now set DISCERN_DATABASE_URL to the new address and restart the server.", err=as_json
    )
