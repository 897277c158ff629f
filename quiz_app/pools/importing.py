"""Import a pool folder: check all of it, re-encode its images, pad them to one length, and record the import."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import sqlalchemy as sa
from PIL import Image

import generation.pool
from generation.errors import InputError
from quiz_app import clock, log
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Case, Fault, Pool, Study
from quiz_app.pools import images
from quiz_app.storage import Store, putting

Progress = Callable[[int, int], None]


def slugified(name: str) -> str:
    """`name` in a form that can be part of an address: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]


def free_slug(name: str, model: type) -> str:
    """The slug of `name`, followed by a number if it is already used by a row of `model`."""
    stem = slugified(name) or model.__name__.lower()
    taken = set(db.session.scalars(sa.select(model.slug)))  # type: ignore[attr-defined]
    numbered = (f"{stem[:74]}-{number}" for number in range(2, len(taken) + 3))
    return stem if stem not in taken else next(slug for slug in numbered if slug not in taken)


def import_folder(
    folder: Path, store: Store, slug: str = "", *, actor: str = "", progress: Progress | None = None
) -> Pool:
    """Import the pool folder at `folder`; its blinded images are put into `store`. The caller commits.

    Raises InvalidInputError with every problem in the folder, each with its file and row, or if the store does not
    accept images; then nothing has been kept.
    """
    try:
        given = generation.pool.read(folder)
    except InputError as error:
        raise InvalidInputError([error.what, *error.faults]) from error
    if slug and (slug != slugified(slug) or db.session.scalar(sa.select(Pool).filter_by(slug=slug))):
        raise InvalidInputError([f"slug: {slug!r} is in use or not valid; use lower-case letters, digits and dashes"])
    names = [f"{secrets.token_hex(16)}.png" for _ in given.cases]
    length = _store([given.path(case) for case in given.cases], store, names, progress)
    pool = Pool(
        slug=slug or free_slug(given.name, Pool),
        name=given.name,
        width=given.width,
        height=given.height,
        manifest=given.manifest,
        sha256=hashlib.sha256((folder / "cases.csv").read_bytes()).hexdigest(),
        served_bytes=length,
        created_at=clock.now(),
        cases=[
            Case(
                name=case.case,
                file=case.file,
                truth=case.truth,
                source=case.source,
                group=case.group,
                sha256=case.sha256,
                width=case.width,
                height=case.height,
                stored=name,
                labels=dict(case.labels),
                faults=[Fault(**asdict(fault)) for fault in given.faults.get(case.case, ())],
            )
            for case, name in zip(given.cases, names, strict=True)
        ],
    )
    db.session.add(pool)
    log.record("pool-imported", actor=actor, pool=pool.slug, cases=len(pool.cases), sha256=pool.sha256)
    return pool


def exclude(case: Case, reason: str, *, actor: str = "") -> None:
    """Leave a case out of all future studies or, with an empty reason, include it again; both are recorded.

    Raises InvalidInputError once a study on the pool has been opened: its cases are then locked.
    """
    studies = db.session.scalars(sa.select(Study).filter_by(pool_id=case.pool_id)).all()
    faults = [
        f"study: {study.slug} is {study.state} on this pool; its cases are locked"
        for study in studies
        if study.opened_at
    ]
    if not reason.strip() and case.excluded is None:
        faults.append("reason: please give one; it is recorded in the log")
    if faults:
        raise InvalidInputError(faults)
    case.excluded = reason.strip()[:500] or None
    log.record("case-excluded" if case.excluded else "case-taken-in", actor=actor, case=case.name, reason=case.excluded)


def _store(sources: list[Path], store: Store, names: list[str], progress: Progress | None) -> int:
    """Re-encode `sources` into `store` under `names`, padded to the same length, which is returned."""
    with putting(store) as staging:

        def encode(pair: tuple[Path, str]) -> int:
            with Image.open(pair[0]) as image:
                return (staging / pair[1]).write_bytes(images.encoded(image))

        def fill_up(name: str) -> None:
            (staging / name).write_bytes(images.padded((staging / name).read_bytes(), length))

        with ThreadPoolExecutor() as threads:  # Pillow releases the interpreter lock while it encodes
            lengths = []
            try:
                for done, size in enumerate(threads.map(encode, zip(sources, names, strict=True)), start=1):
                    lengths.append(size)
                    if progress is not None:
                        progress(done, len(sources))
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)  # cancelling does not wait for the rest
                raise
            length = images.common_length(lengths)
            list(threads.map(fill_up, names))
    return length
