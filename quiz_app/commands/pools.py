"""discern pool: import, list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup
from tqdm import tqdm

from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import db
from quiz_app.models import Pool
from quiz_app.pools import importing

group = AppGroup("pool", help="Import and list pools.")


@group.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--slug", default="", help="Short name; made from the pool's name if not given.")
@as_json
@plainly
def import_(folder: Path, slug: str, as_json: bool) -> None:
    """Check the pool in FOLDER and import it; its images are re-encoded. If anything is wrong, nothing is imported."""
    with tqdm(unit="image", disable=None, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        store = current_app.config["SETTINGS"].images
        pool = importing.import_folder(folder, store, slug, actor="command line", progress=progress)
        db.session.commit()
    tell(f"{pool.slug}: {len(pool.cases)} cases of {pool.width} x {pool.height}", _about(pool), as_json)


def _about(pool: Pool) -> dict[str, Any]:
    return {
        "pool": pool.slug,
        "name": pool.name,
        "cases": len(pool.cases),
        "width": pool.width,
        "height": pool.height,
    }


@group.command("list")
@as_json
@plainly
def list_(as_json: bool) -> None:
    """List every pool: slug, cases, name."""
    pools = [_about(pool) for pool in db.session.scalars(sa.select(Pool).order_by(Pool.id))]
    tell("\n".join(f"{one['pool']}\t{one['cases']} cases\t{one['name']}" for one in pools), pools, as_json)
