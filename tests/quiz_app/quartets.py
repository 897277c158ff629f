"""A pool of quartets, imported: for tests of the design."""

from __future__ import annotations

import numpy as np

import generation.pool as pool
from quiz_app.database import db
from quiz_app.models import Pool
from quiz_app.pools import importing
from quiz_app.study import lifecycle, readers

SOURCES = ("ckpt-a", "ckpt-b", "ckpt-c")


def entries(count: int, practice: int = 0, sources=SOURCES, seed: int = 3):
    """`count` quartets and `practice` more, of noise, 64 x 32, in a random order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    kinds = [
        (truth, source, pool.PRACTICE if number >= count else f"q{number + 1:03d}")
        for number in range(count + practice)
        for truth, source in (("real", "clinic"), *(("synthetic", source) for source in sources))
    ]
    for index in rng.permutation(len(kinds)):
        truth, source, group = kinds[index]
        yield pool.Entry(truth, source, pool.encode(rng.integers(0, 256, (32, 64), dtype=np.uint8)), group)


def imported(app, tmp_path, given, slug: str = "quartets") -> Pool:
    """The pool with these entries, in the database."""
    folder = tmp_path / slug
    pool.write(folder, given, name=slug, seed=1, width=64, height=32, how={"real": "noise", "synthetic": "noise"})
    made = importing.import_folder(folder, app.config["SETTINGS"].images, slug)
    db.session.commit()
    return made


def opened(pool_: Pool, slug: str = "find-it", **settings):
    """An open study of quartets on this pool."""
    settings = {"groups": [], "ask_years": False, "break_every": 0, "practice": 0} | settings
    study = lifecycle.create("Quartets", pool_, slug=slug, seed=1, preset="quartets", settings=settings)
    lifecycle.open_study(study)
    db.session.commit()
    return study


def invited(study, app, taker, pseudonym: str = "R1"):
    """A taker before its first scored quartet."""
    _, token = readers.invite(study, pseudonym)
    db.session.commit()
    return taker(token).enter()
