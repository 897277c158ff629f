"""A pool of ratings with practice, imported, and a study that shows it by staircases: for tests of the design."""

from __future__ import annotations

import numpy as np

import generation.pool as pool
from quiz_app.database import db
from quiz_app.models import Pool
from quiz_app.study import lifecycle


def entries(count: int, practice: int = 0, seed: int = 5):
    """`count` cases, half of them synthetic, and `practice` more, of noise, 64 x 32, in a random order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    kinds = [
        (("real", "synthetic")[number % 2], "" if number < count else pool.PRACTICE)
        for number in range(count + practice)
    ]
    for index in rng.permutation(len(kinds)):
        truth, group = kinds[index]
        yield pool.Entry(truth, "", pool.encode(rng.integers(0, 256, (32, 64), dtype=np.uint8)), group)


def opened(pool_: Pool, slug: str = "how-long", **settings):
    """An open staircase on this pool."""
    settings = {"groups": [], "ask_years": False, "break_every": 0, "practice": 0, "interval_ms": 100} | settings
    study = lifecycle.create("How long", pool_, slug=slug, seed=1, preset="staircase", settings=settings)
    lifecycle.open_study(study)
    db.session.commit()
    return study
