"""An instance with a pool of phantoms of full size, for photographs and benchmarks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import flask_migrate
from flask import Flask

from quiz_app import create_app
from quiz_app.database import db
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, readers

ROOT = Path(__file__).resolve().parent.parent


def furnish(instance: Path, cases: int) -> Flask:
    """A new instance whose one pool has `cases` phantoms, half of each class, and two for practice."""
    pool, half = instance / "drawn", str(cases // 2)
    instance.mkdir(parents=True)
    phantom = [sys.executable, "-m", "generation", "phantom", "--out", str(pool), "--count", half, half]
    subprocess.run([*phantom, "--practice", "2"], check=True, cwd=ROOT, stdout=sys.stderr, stderr=subprocess.DEVNULL)
    app = create_app(Settings.load({}, instance=instance))
    with app.app_context():
        flask_migrate.upgrade()
        importing.import_folder(pool, app.config["SETTINGS"].images, "phantoms")
        db.session.commit()
        db.session.remove()
    return app


def invite(app: Flask, slug: str, title: str, settings: dict[str, Any]) -> str:
    """The token of the one reader of a new study."""
    with app.app_context():
        pool = db.session.query(importing.Pool).one()
        study = lifecycle.create(title, pool, slug=slug, settings=settings, seed=2)
        lifecycle.open_study(study)
        _, token = readers.invite(study, "R1")
        db.session.commit()
        db.session.remove()
    return token
