"""flask pool: import, list."""

from __future__ import annotations

from pathlib import Path

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup
from tqdm import tqdm

from quiz_app.commands.console import plainly
from quiz_app.database import db
from quiz_app.models import Pool
from quiz_app.pools import importing

group = AppGroup("pool", help="Import and list pools.")


@group.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--slug", default="", help="Short name; made from the pool's name if not given.")
@plainly
def import_(folder: Path, slug: str) -> None:
    """Check the pool in FOLDER and take it over, images re-encoded; all of it or nothing."""
    with tqdm(unit="image", disable=None, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        store = current_app.config["SETTINGS"].images
        pool = importing.import_folder(folder, store, slug, actor="command line", progress=progress)
        db.session.commit()
    click.echo(f"{pool.slug}: {len(pool.cases)} cases of {pool.width} x {pool.height}")


@group.command("list")
def list_() -> None:
    """Every pool: slug, cases, name."""
    for pool in db.session.scalars(sa.select(Pool).order_by(Pool.id)):
        click.echo(f"{pool.slug}\t{len(pool.cases)} cases\t{pool.name}")
