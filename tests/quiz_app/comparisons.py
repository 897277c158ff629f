"""A pool of comparisons, imported: for tests of the design."""

from __future__ import annotations

import numpy as np

import generation.pool as pool
from quiz_app.database import db
from quiz_app.study import lifecycle
from tests.quiz_app.quartets import imported, invited

__all__ = ["entries", "imported", "invited", "opened"]


def entries(count: int, practice: int = 0, methods=("model-a", "model-b"), reference: bool = False, seed: int = 3):
    """`count` cases and `practice` more, each by every method, of noise, 64 x 32, in a random order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    kinds = [
        ("real" if source == "reference" else "synthetic", source, f"c{n + 1:03d}" if n < count else pool.PRACTICE)
        for n in range(count + practice)
        for source in (*methods, *(["reference"] if reference else []))
    ]
    for index in rng.permutation(len(kinds)):
        truth, source, group = kinds[index]
        yield pool.Entry(truth, source, pool.encode(rng.integers(0, 256, (32, 64), dtype=np.uint8)), group)


def opened(pool_, slug: str = "compare-it", preset: str = "comparisons", **settings):
    """An open study of comparisons on this pool."""
    settings = {"groups": [], "ask_years": False, "break_every": 0, "practice": 0} | settings
    study = lifecycle.create("Comparisons", pool_, slug=slug, seed=1, preset=preset, settings=settings)
    lifecycle.open_study(study)
    db.session.commit()
    return study
