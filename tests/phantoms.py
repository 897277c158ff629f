"""An instance with a pool of phantoms of full size, for photographs and benchmarks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask_migrate
import waitress
from flask import Flask

from generation.pool import read_table
from quiz_app import create_app
from quiz_app.database import db
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, readers, researchers

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Served:
    """An application that answers at `url`, and what its first researcher logs in with."""

    app: Flask
    url: str
    password: str


@contextmanager
def served(cases: int) -> Iterator[Served]:
    """A server on a new instance with `cases` phantoms; both are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        app = furnish(Path(folder) / "instance", cases)
        with app.app_context():
            password = researchers.ensure_first()
            db.session.remove()
        assert password
        server = waitress.create_server(app, host="127.0.0.1", port=0)
        threading.Thread(target=server.run, daemon=True).start()
        yield Served(app, f"http://127.0.0.1:{server.effective_port}", password)
        server.close()


def furnish(instance: Path, cases: int) -> Flask:
    """A new instance whose one pool has `cases` phantoms, half of each class, and two for practice."""
    instance.mkdir(parents=True)
    return _housed(instance, _drawn(instance / "drawn", cases // 2, cases // 2, practice=2))


def furnish_quartets(instance: Path, quartets: int) -> Flask:
    """A new instance whose one pool has `quartets` of four phantoms, none for practice."""
    instance.mkdir(parents=True)
    drawn = read_table(_drawn(instance / "drawn", quartets, 3 * quartets, practice=0))
    clinic, *sources = folders = [instance / name for name in ("clinic", "epoch-100", "epoch-200", "epoch-300")]
    for folder in folders:
        folder.mkdir()
    for truth, places in (("real", [clinic]), ("synthetic", sources)):
        for number, case in enumerate(case for case in drawn.scored if case.truth == truth):
            shutil.copy(drawn.path(case), places[number % len(places)])
    made, given = instance / "made", ["--real", str(clinic), "--synthetic", *map(str, sources)]
    _generation("pool", "--out", str(made), *given, "--quartets", str(quartets), "--practice", "0")
    return _housed(instance, made)


def _drawn(pool: Path, real: int, synthetic: int, practice: int) -> Path:
    count = ["--count", str(real), str(synthetic), "--practice", str(practice)]
    _generation("phantom", "--out", str(pool), *count)
    return pool


def _generation(*command: str) -> None:
    arguments = [sys.executable, "-m", "generation", *command]
    subprocess.run(arguments, check=True, cwd=ROOT, stdout=sys.stderr, stderr=subprocess.DEVNULL)


def _housed(instance: Path, pool: Path) -> Flask:
    app = create_app(Settings.load({}, instance=instance))
    with app.app_context():
        flask_migrate.upgrade()
        importing.import_folder(pool, app.config["SETTINGS"].images, "phantoms")
        db.session.commit()
        db.session.remove()
    return app


def invite(app: Flask, slug: str, title: str, settings: dict[str, Any], design: str = "") -> str:
    """The token of the one reader of a new study."""
    with app.app_context():
        pool = db.session.query(importing.Pool).one()
        study = lifecycle.create(title, pool, slug=slug, settings=settings, design=design, seed=2)
        lifecycle.open_study(study)
        _, token = readers.invite(study, "R1")
        db.session.commit()
        db.session.remove()
    return token
