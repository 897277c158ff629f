"""The responses of a study from a database: the `responses` view, and facts about the study from other tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.responses import conditions
from analysis.responses.checks import COLUMNS, checked
from analysis.responses.images import images_of
from analysis.responses.marks import from_rows, joined_with
from analysis.responses.readings import Responses, as_responses
from analysis.responses.subgroups import with_declared
from analysis.responses.tabular import ResponsesError, Table, refuse


def load_database(url: str, study: str) -> Responses:
    """Load the rows of `study` (its slug) from the `responses` view of a database, and its entry in the `study` table.

    Raises:
        ResponsesError: there is no such database, view or study, or rows are invalid.
    """
    import pandas as pd
    import sqlalchemy as sa

    try:
        parsed = sa.make_url(url)
        where = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).is_file():
            raise ResponsesError([f"{where}: there is no such file"])
        engine = sa.create_engine(parsed, poolclass=sa.NullPool)  # no connection stays open after an error
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            if not inspector.has_table("responses"):
                raise ResponsesError([f"{where}: this database has no `responses` view"])
            present = [column["name"] for column in inspector.get_columns("responses")]
            refuse([f"{where}: the view `responses` has no column {c!r}" for c in COLUMNS if c not in present])
            view = sa.table("responses", *(sa.column(name) for name in COLUMNS))
            rows = connection.execute(sa.select(view).where(view.c.study == study)).all()
            about = _study_table(connection, inspector, study)
            marks, faults, told = (
                _view(connection, inspector, name, study) for name in ("marks", "faults", "conditions")
            )
            known = connection.execute(sa.select(view.c.study).distinct()).scalars().all()
    except sa.exc.SQLAlchemyError as error:
        raise ResponsesError([f"{url.split('://')[0]} database: {_first_line(error)}"]) from None
    if not rows and not about:
        listed = ", ".join(sorted(map(str, known))) or "none"
        raise ResponsesError([f"{where}: there is no study {study!r}; studies with responses: {listed}"])
    refuse([] if rows else [f"{where}: study {study!r} has no responses yet"])
    table = pd.DataFrame([[_text(entry) for entry in row] for row in rows], columns=pd.Index(COLUMNS))
    table = table.sort_values(["reader", "trial", "case"], kind="stable", ignore_index=True)
    checksum = hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
    places = [f"study {study}, reader {r}, trial {t}" for r, t in zip(table["reader"], table["trial"], strict=True)]
    table = checked(table, places, f"study {study}", conditions.checked(told) if told else None)
    loaded = as_responses(table, {"kind": "database", "files": {"responses view": checksum}}, title=study)
    labels = about.pop("labels", {})
    loaded = with_declared(replace(loaded, study=loaded.study | about), labels)
    return joined_with(loaded, marks, faults, about.get("size")) if marks and marks.rows else loaded


def _view(connection: Any, inspector: Any, name: str, study: str) -> Table | None:
    """Return the rows of a study in another view; None if the database is too old to have it."""
    import sqlalchemy as sa

    if not inspector.has_table(name):
        return None
    columns = [column["name"] for column in inspector.get_columns(name)]
    view = sa.table(name, *(sa.column(column) for column in columns))
    rows = connection.execute(sa.select(view).where(view.c.study == study)).mappings().all()
    table = from_rows(f"view {name} of study {study}", columns, [dict(row) for row in rows])
    return table if rows else None


def _study_table(connection: Any, inspector: Any, slug: str) -> dict[str, Any]:
    """Return facts about a study other than its responses, as far as the tables have them.

    Title, state, version, settings and dates; `pool` (name, checksum, phantom, and `images` from `images_of`);
    `labels`, the further columns of each case; `flow`, the numbers of readers who were invited, consented, began and
    finished; `years` of experience by reader.
    """
    import sqlalchemy as sa

    wanted = {
        "study": (
            "id",
            "slug",
            "title",
            "design",
            "state",
            "version",
            "settings",
            "opened_at",
            "closed_at",
            "unblinded_at",
            "pool_id",
            "registration",
        ),
        "pool": ("id", "name", "sha256", "manifest"),
        "case": ("pool_id", "name", "truth", "group", "excluded", "width", "height", "labels"),
        "reader": ("id", "study_id", "pseudonym", "years", "consented_at", "is_preview"),
        "sitting": ("reader_id", "finished_at"),
    }

    def rows(table: str, column: str, values: Iterable[Any]) -> list[dict[str, Any]]:
        if not inspector.has_table(table):
            return []
        present = {one["name"] for one in inspector.get_columns(table)}
        columns: list[Any] = [sa.column(name) for name in wanted[table] if name in present]
        query = sa.select(*columns).select_from(sa.table(table, *columns)).where(sa.column(column).in_(list(values)))
        return [dict(row) for row in connection.execute(query).mappings()]

    study = next(iter(rows("study", "slug", [slug])), None)
    if study is None:
        return {}
    about = {name: study.get(name) for name in ("title", "state", "version")}
    about |= {name: _text(study.get(name)) or None for name in ("opened_at", "closed_at", "unblinded_at")}
    about["settings"] = _mapping(study.get("settings"))
    about["registration"] = _mapping(study.get("registration")) or None
    for pool in rows("pool", "id", [study.get("pool_id")]):
        manifest = _mapping(pool.get("manifest"))
        told = {name: pool.get(name) for name in ("name", "sha256")} | {"phantom": bool(manifest.get("phantom"))}
        cases, where = rows("case", "pool_id", [pool["id"]]), f"pool {pool.get('name')}: flow"
        sizes = [(one["width"], one["height"]) for one in cases if one.get("width") and one.get("height")]
        about |= {"size": sizes[0]} if sizes else {}
        about["labels"] = {one.get("name"): _mapping(one.get("labels")) for one in cases}
        images = images_of(manifest.get("flow"), cases, str(study.get("design")), where)
        about["pool"] = told | ({"images": images} if images else {})
    # A researcher's own preview does not count as an invited reader.
    readers = [reader for reader in rows("reader", "study_id", [study.get("id")]) if not reader.get("is_preview")]
    if readers:
        sittings = rows("sitting", "reader_id", [reader["id"] for reader in readers])
        about["flow"] = {
            "invited": len(readers),
            "consented": sum(bool(reader.get("consented_at")) for reader in readers),
            "began": len({sitting["reader_id"] for sitting in sittings}),
            "finished": len({sitting["reader_id"] for sitting in sittings if sitting.get("finished_at")}),
        }
        about["years"] = {r["pseudonym"]: r["years"] for r in readers if r.get("years") is not None}
    about |= _looks(connection, inspector, study.get("id"))
    return {name: entry for name, entry in about.items() if entry is not None}


def _looks(connection: Any, inspector: Any, study: Any) -> dict[str, Any]:
    """Return the looks in the study's log: the plan when the study was last opened, and the looks taken."""
    import sqlalchemy as sa

    if not inspector.has_table("event"):
        return {}
    event = sa.table("event", *(sa.column(name) for name in ("id", "study_id", "kind", "details")))
    query = sa.select(event.c.kind, event.c.details).where(event.c.study_id == study).order_by(event.c.id)
    lines = connection.execute(query.where(event.c.kind.in_(("looks-planned", "look-taken")))).all()
    plans = [_mapping(details) for kind, details in lines if kind == "looks-planned"]
    taken = [_mapping(details) for kind, details in lines if kind == "look-taken"]
    return {"looks": plans[-1], "looks_taken": taken} if plans else {}


def _mapping(entry: Any) -> dict[str, Any]:
    """Return a JSON column, which PostgreSQL returns parsed and SQLite as text."""
    return json.loads(entry) if isinstance(entry, str) and entry else entry or {}


def _text(entry: Any) -> str:
    """Return a database value as text for the CSV; times in ISO format."""
    if entry is None:
        return ""
    return entry.isoformat() if hasattr(entry, "isoformat") else str(entry)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
