"""A pool of very many tiny images, so that work on it takes long enough to be cancelled on the way."""

from __future__ import annotations

import os

import sqlalchemy as sa

from quiz_app.database import db
from quiz_app.models import Case, Pool
from quiz_app.storage import Store


def crowd(pool: Pool, store: Store, count: int = 5000) -> None:
    """Add `count` cases, each with a file of its own in `store`, to `pool`. Commits."""
    first = pool.cases[0]
    columns = {column.name: getattr(first, column.name) for column in Case.__table__.columns if column.name != "id"}
    names = [f"{number:032x}.png" for number in range(count)]
    for name in names:
        os.link(store / first.stored, store / name)
    db.session.execute(sa.insert(Case), [columns | {"name": f"more-{name}", "stored": name} for name in names])
    db.session.commit()
