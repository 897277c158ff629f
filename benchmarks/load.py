"""Fifty readers at once: `python benchmarks/load.py [--readers N] [--cases N] [--database URL]`.

The figure is the rate of answers that fifty simulated readers get out of one server process, over the rate one reader
gets from the same server: below 1, readers would hold each other up. The readers do not think between answers; people
take seconds for each, so that the rate also tells how many people one process carries.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import flask_migrate
import numpy as np

from generation import phantom
from quiz_app import create_app, simulation
from quiz_app.database import db
from quiz_app.models import Pool
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import lifecycle

SECONDS_A_CASE = 6  # what a person takes


def rate(app, pool: int, readers: int, cases: int) -> float:
    """Answers a second of `readers` at a study of `cases`; prints how long an answer takes to be acknowledged."""
    with app.app_context():
        study = lifecycle.create(
            f"{readers} readers", db.session.get(Pool, pool), settings={"cases": cases, "practice": 0}
        )
        lifecycle.open_study(study)
        slug = study.slug
        db.session.commit()
    began = time.perf_counter()
    outcomes = simulation.run(app, slug, readers)
    seconds = time.perf_counter() - began
    assert not any(outcome.refusal or outcome.retries for outcome in outcomes), "a server in trouble is not measured"
    waits = np.concatenate([outcome.answer_ms for outcome in outcomes])
    median, worst = np.percentile(waits, [50, 99])
    answered = len(waits) / seconds
    print(
        f"{readers:3} readers: {answered:6.1f} answers/s; acknowledged in {median:.0f} ms (median), {worst:.0f} (99 %)"
    )
    return answered


def main() -> None:
    """Draw a small pool, then one reader, then all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--database", help="SQLAlchemy address of an empty database (default: SQLite)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phantom.make_pool(Path(folder) / "pool", given.cases // 2, given.cases // 2, 0, 1)
        app = create_app(Settings.load({}, instance=Path(folder) / "instance", database_url=given.database))
        with app.app_context():
            flask_migrate.upgrade()
            pool = importing.import_folder(Path(folder) / "pool", app.config["SETTINGS"].images)
            db.session.commit()
            pool_id = pool.id
        one = rate(app, pool_id, 1, given.cases)
        many = rate(app, pool_id, given.readers, given.cases)
        print(f"{given.readers} readers to one: {many / one:.2f} times the answers")
        print(f"at {SECONDS_A_CASE} s a case one process carries about {many * SECONDS_A_CASE:.0f} people")


if __name__ == "__main__":
    main()
