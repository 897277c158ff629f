"""discern db upgrade and discern db check: back up before every migration, and check that nothing is missing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate.cli import db as migrations

from quiz_app import backups, log
from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import db, reading, versions
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import proof
from quiz_app.models import Study

_upgrade = migrations.commands["upgrade"]  # Flask-Migrate's own


@with_appcontext
@plainly
def _upgrade_safely(no_backup: bool, sql: bool, **given: Any) -> None:
    found, wanted = versions()
    file = None
    if not (no_backup or sql) and found not in (None, wanted):
        file = backups.before_migration(current_app.config["SETTINGS"].instance, str(found))
        click.echo(f"Backed up to {file}")
    assert _upgrade.callback is not None
    _upgrade.callback(sql=sql, **given)
    if file is not None:
        log.record("backed-up", actor="command line", file=str(file))
        db.session.commit()


upgrade = click.Command(
    "upgrade",
    callback=_upgrade_safely,
    params=[
        *_upgrade.params,
        click.Option(
            ["--no-backup"], is_flag=True, help="Skip the backup; use this only if you have made one by other means."
        ),
    ],
    help="Back up the database to the folder 'backups' of the instance, then upgrade it to this version of Discern.",
)


@click.command()
@click.argument("slug", metavar="STUDY", required=False)
@as_json
@with_appcontext
@plainly
def check(slug: str | None, as_json: bool) -> None:
    """Check that nothing is missing from STUDY, or from any study. The exit code is 1 if something is.

    Every trial of every sitting must be there once and in order, every answered trial must have its answer, and every
    image its file. The checksum is that of the exported responses; a restored backup has the same one.
    """
    with reading() as session:
        query = sa.select(Study).order_by(Study.slug)
        studies = session.scalars(query.filter_by(slug=slug) if slug else query).all()
        if slug and not studies:
            raise InvalidInputError([f"study: there is no study {slug!r}; list them with: discern study list"])
        faults = proof.of_database(session)
        proofs = [proof.of_study(session, study, current_app.config["SETTINGS"].images) for study in studies]
    lines = [
        f"{one.study}: {one.readers} readers, {one.finished} finished; {one.trials} trials, {one.answered} answered "
        f"with {one.answers} rows; {'complete' if not one.faults else 'NOT COMPLETE'}\n  responses sha256 {one.sha256}"
        for one in proofs
    ]
    tell("\n".join(lines), {"faults": faults, "studies": [asdict(one) for one in proofs]}, as_json)
    if faults := faults + [f"{one.study}: {fault}" for one in proofs for fault in one.faults]:
        raise InvalidInputError(faults)
