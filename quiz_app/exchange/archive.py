"""The archive of a study: all its rows and images, as one file that another installation can restore.

    archive.json      format, version of the tables, and the length and SHA-256 of every member
    tables/NAME.jsonl one row per line
    images/NAME.png   the blinded images of the pool
    report/archive.zip  the data and numbers of a report of the study, if there is one

An archive contains the truth, addresses and what readers said about themselves: the owner should keep it safe and not
pass it on.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quiz_app import background, log, storage
from quiz_app.database import Base, Instant, db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.models import (
    Answer,
    Case,
    Event,
    Fault,
    Hint,
    Mark,
    Pool,
    Reader,
    Researcher,
    Sitting,
    Study,
    Trial,
    TrialCase,
)  # fmt: skip
from quiz_app.pools.importing import free_slug
from quiz_app.storage import Store
from quiz_app.study.settings import settings_of

FORMAT = 1
# In the order in which rows can be restored.
MODELS: tuple[type[Base], ...] = (
    Pool, Case, Fault, Study, Hint, Reader, Sitting, Trial, TrialCase, Answer, Mark, Event,
)  # fmt: skip
LARGEST = 8 * 2**30  # ten thousand images and as many readers; anything larger is a zip bomb
LARGEST_TABLES = 2**30  # their rows are assembled in memory
LARGEST_LIST = 16 * 2**20  # the list of members
CHECKED, UNPACKED = 0.4, 0.9  # share of restoring that is done after each step
REPORT = "report/archive.zip"
MEMBER = re.compile(rf"tables/[a-z_]+\.jsonl|images/[0-9a-f]{{32}}\.png|{re.escape(REPORT)}")
VERSION = sa.text("SELECT version_num FROM alembic_version")
# Errors raised by rows that do not belong to a study.
ROWS_FAULTS = (LookupError, TypeError, ValueError, AttributeError, RecursionError, sa.exc.SQLAlchemyError)
Rows = dict[type[Base], list[dict[str, Any]]]


def _tell_nobody(_share: float, _what: str) -> None:
    pass


def write(
    session: Session,
    study: Study,
    store: Store,
    file: IO[bytes],
    report: Path | None = None,
    progress: background.Tell = _tell_nobody,
) -> None:
    """Write the archive of `study`, with its images from `store`, into `file`; `report` is the archive of its report.

    `progress` is called with the share written, 0 to 1, and a description of what is being written.
    """
    members = {}
    of_pool = sa.select(Case.stored).filter_by(pool_id=study.pool_id).order_by(Case.id)
    images = session.scalars(of_pool).all()
    steps = len(MODELS) + len(images)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for done, model in enumerate(MODELS):
            progress(done / steps, f"writing table {done + 1} of {len(MODELS)}")
            name = f"tables/{_table(model).name}.jsonl"
            members[name] = _add(archive, name, _lines(session, model, study))
        for done, stored in enumerate(images):
            progress((len(MODELS) + done) / steps, f"writing image {done + 1} of {len(images)}")
            members[f"images/{stored}"] = _add(archive, f"images/{stored}", iter([storage.read(store, stored)]))
        if report is not None:
            members[REPORT] = _add(archive, REPORT, iter([report.read_bytes()]))
        about = {"format": FORMAT, "study": study.slug, "tables": session.scalar(VERSION), "members": members}
        archive.writestr("archive.json", json.dumps(about, indent=1))


def _table(model: type[Base]) -> sa.Table:
    return model.__table__  # type: ignore[return-value]


def _add(archive: zipfile.ZipFile, name: str, pieces: Iterator[bytes]) -> dict[str, Any]:
    length, digest = 0, hashlib.sha256()
    with archive.open(name, "w", force_zip64=True) as member:
        for piece in pieces:
            member.write(piece)
            digest.update(piece)
            length += len(piece)
    return {"bytes": length, "sha256": digest.hexdigest()}


def _lines(session: Session, model: type[Base], study: Study) -> Iterator[bytes]:
    readers = sa.select(Reader.id).where(Reader.study_id == study.id)
    sittings = sa.select(Sitting.id).where(Sitting.reader_id.in_(readers))
    trials = sa.select(Trial.id).where(Trial.sitting_id.in_(sittings))
    shown = sa.select(TrialCase.id).where(TrialCase.trial_id.in_(trials))
    belongs: dict[type[Base], sa.ColumnElement[bool]] = {
        Pool: Pool.id == study.pool_id,
        Case: Case.pool_id == study.pool_id,
        Fault: Fault.case_id.in_(sa.select(Case.id).where(Case.pool_id == study.pool_id)),
        Study: Study.id == study.id,
        Hint: Hint.study_id == study.id,
        Reader: Reader.study_id == study.id,
        Sitting: Sitting.reader_id.in_(readers),
        Trial: Trial.sitting_id.in_(sittings),
        TrialCase: TrialCase.trial_id.in_(trials),
        Answer: Answer.trial_case_id.in_(shown),
        Mark: Mark.trial_case_id.in_(shown),
        Event: Event.study_id == study.id,
    }
    table = _table(model)
    query = sa.select(table).where(belongs[model]).order_by(*table.primary_key)
    for row in session.execute(query, execution_options={"yield_per": 1000}).mappings():
        yield json.dumps(dict(row), ensure_ascii=False, default=datetime.isoformat).encode() + b"\n"


def restore(
    path: Path,
    store: Store,
    *,
    owner: Researcher | None = None,
    actor: str = "",
    progress: background.Tell = _tell_nobody,
) -> Study:
    """Restore the study in the archive at `path`; its images are put into `store`. The caller commits or rolls back.

    A pool that already exists here is used unchanged. `progress` is called with the share done, 0 to 1, and a
    description of the current step. Raises InvalidInputError with every problem in the file, or if the study already
    exists here; then nothing has been kept.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            with reading() as session:  # readers can answer while the file is checked: nothing is written yet
                _assert_sound(session, archive, progress)
                rows = {model: _rows(archive, model) for model in MODELS}
                _assert_new(session, rows)
                wanted = _wanted(session, rows)
            with storage.putting(store) as staging:
                for done, name in enumerate(wanted):
                    share = CHECKED + (UNPACKED - CHECKED) * done / len(wanted)
                    progress(share, f"unpacking image {done + 1} of {len(wanted)}")
                    (staging / name).write_bytes(archive.read(f"images/{name}"))
                progress(UNPACKED, "restoring the answers")
                _assert_new(db.session(), rows)  # somebody else may have restored it in the meantime
                study = _insert(rows, owner)
                here = {case.stored for case in study.pool.cases}
                for name in set(wanted) - here:  # its pool was imported here in the meantime
                    (staging / name).unlink()
                background.settle()  # from here on, the images are put where readers get them
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidInputError([f"archive: cannot be read: {error}"]) from error
    except (InvalidInputError, sa.exc.OperationalError):
        raise
    except ROWS_FAULTS as error:
        what = str(error).splitlines()[0] if str(error) else ""
        raise InvalidInputError(
            [f"archive: its rows are not those of a study ({type(error).__name__}: {what})"]
        ) from error
    log.record("study-restored", study=study, actor=actor or (owner.name if owner else ""))
    return study


def _wanted(session: Session, rows: Rows) -> list[str]:
    """The images to unpack: all, or only the missing ones if the pool already exists here under other names."""
    pool = session.scalar(sa.select(Pool.id).filter_by(sha256=rows[Pool][0]["sha256"]))
    stored = [row["stored"] for row in rows[Case]]
    if pool is None:
        return stored
    here = set(session.scalars(sa.select(Case.stored).filter_by(pool_id=pool)))
    return [name for name in stored if name in here]


def _assert_sound(session: Session, archive: zipfile.ZipFile, progress: background.Tell) -> None:
    """Check that every member is there with its length and checksum, and that there are no others."""
    try:
        if archive.getinfo("archive.json").file_size > LARGEST_LIST:
            raise ValueError
        about = json.loads(archive.read("archive.json"))
        told: dict[str, dict[str, Any]] = about["members"]
        sums = {name: (member["bytes"], member["sha256"]) for name, member in told.items()}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise InvalidInputError(
            ["archive: has no readable archive.json; expected an archive made by `study archive`"]
        ) from None
    here = session.scalar(VERSION)
    if about.get("format") != FORMAT or about.get("tables") != here:
        raise InvalidInputError([f"archive: its tables have version {about.get('tables')}; this database has {here}"])
    found = {info.filename: info for info in archive.infolist() if info.filename != "archive.json"}
    if sum(info.file_size for info in found.values()) > LARGEST:
        raise InvalidInputError([f"archive: unpacks to more than {LARGEST // 2**30} GiB"])
    if sum(info.file_size for name, info in found.items() if not name.startswith("images/")) > LARGEST_TABLES:
        raise InvalidInputError([f"archive: its tables unpack to more than {LARGEST_TABLES // 2**30} GiB"])
    tables = {f"tables/{_table(model).name}.jsonl" for model in MODELS}
    faults = [f"{name}: missing" for name in (tables | told.keys()) - found.keys()]
    faults += [f"{name}: does not belong to an archive" for name in found.keys() - told.keys()]
    faults += [f"{name}: is not a valid name in an archive" for name in found if not MEMBER.fullmatch(name)]
    for done, name in enumerate(both := sorted(found.keys() & told.keys())):
        progress(CHECKED * done / len(both), f"checking file {done + 1} of {len(both)}")
        if (found[name].file_size, _sum(archive, name)) != sums[name]:
            faults.append(f"{name}: differs from what was archived")
    if faults:
        raise InvalidInputError(sorted(faults))


def _sum(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as member:
        return hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]


def _rows(archive: zipfile.ZipFile, model: type[Base]) -> list[dict[str, Any]]:
    table = _table(model)
    moments = [column.name for column in table.c if isinstance(column.type, Instant)]
    rows = []
    with archive.open(f"tables/{table.name}.jsonl") as lines:
        for line in lines:
            row = json.loads(line)
            rows.append(row | {name: datetime.fromisoformat(row[name]) for name in moments if row[name]})
    return rows


def _assert_new(session: Session, rows: Rows) -> None:
    slug = rows[Study][0]["slug"]
    tokens = [row["token_hash"] for row in rows[Reader]]
    faults = []
    if session.scalar(sa.select(Study.id).filter_by(slug=slug)):
        faults.append(f"study: a study called {slug!r} already exists here")
    if tokens and session.scalar(sa.select(sa.func.count()).where(Reader.token_hash.in_(tokens[:500]))):
        faults.append("study: its readers already exist here")
    settings_of(rows[Study][0]["design"]).from_dict(rows[Study][0]["settings"])
    if faults:
        raise InvalidInputError(faults)


def _insert(rows: Rows, owner: Researcher | None) -> Study:
    """Insert the rows with new numbers, each after the rows to which it refers."""
    numbers: dict[str, dict[Any, Any]] = {"researcher": {}}
    pool = db.session.scalar(sa.select(Pool).filter_by(sha256=rows[Pool][0]["sha256"]))
    if pool is not None:
        here = {case.name: case.id for case in pool.cases}
        numbers["pool"] = {rows[Pool][0]["id"]: pool.id}
        numbers["case"] = {row["id"]: here[row["name"]] for row in rows[Case]}
        numbers["fault"] = {}
    else:
        rows[Pool][0]["slug"] = free_slug(rows[Pool][0]["slug"], Pool)
    for model in MODELS:
        table = _table(model)
        if table.name not in numbers:
            numbers[table.name] = _insert_table(table, rows[model], numbers)
    study = db.session.get_one(Study, numbers["study"][rows[Study][0]["id"]])
    study.owner = owner
    return study


def _insert_table(table: sa.Table, rows: list[dict[str, Any]], numbers: dict[str, dict[Any, Any]]) -> dict[Any, Any]:
    pointing = {
        column.name: next(iter(column.foreign_keys)).column.table.name for column in table.c if column.foreign_keys
    }
    counted = table.autoincrement_column is not None
    put = []
    for row in rows:
        moved = {name: numbers[pointing[name]].get(value) if name in pointing else value for name, value in row.items()}
        put.append({name: value for name, value in moved.items() if not (counted and name == "id")})
    if not put:
        return {}
    if not counted:
        db.session.execute(sa.insert(table), put)
        return {}
    given = db.session.execute(sa.insert(table).returning(table.c.id, sort_by_parameter_order=True), put)
    return dict(zip((row["id"] for row in rows), given.scalars(), strict=True))
