"""flask reader: invite, revoke."""

from __future__ import annotations

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup

from quiz_app.commands.console import plainly
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.models import Reader
from quiz_app.study import lifecycle, readers

group = AppGroup("reader", help="Invite readers and withdraw their links.")


@group.command()
@click.option("--study", "slug", required=True, help="Slug of the study.")
@click.option("--group", "reader_group", help="The reader's group; asked of the reader if not given.")
@click.argument("pseudonyms", nargs=-1, required=True)
@plainly
def invite(slug: str, reader_group: str | None, pseudonyms: tuple[str, ...]) -> None:
    """Invite one reader for each of PSEUDONYMS and print their personal links, which are shown only now."""
    study = lifecycle.find(slug)
    wanted = [readers.Invitation(name, reader_group or "") for name in pseudonyms]
    invited = readers.invite_all(study, wanted, actor="command line")
    db.session.commit()
    for reader, token in invited:
        click.echo(f"{reader.pseudonym}\t{readers.link(current_app.config['SETTINGS'].reached_at, token)}")


@group.command()
@click.option("--study", "slug", required=True, help="Slug of the study.")
@click.option("--reason", default="at the command line", show_default=True, help="Why; it stays on record.")
@click.argument("pseudonym")
@plainly
def revoke(slug: str, reason: str, pseudonym: str) -> None:
    """Withdraw the link of reader PSEUDONYM; the answers stay."""
    study = lifecycle.find(slug)
    reader = db.session.scalar(sa.select(Reader).filter_by(study_id=study.id, pseudonym=pseudonym))
    if reader is None:
        raise InvalidInputError([f"reader: {slug} has none called {pseudonym!r}"])
    readers.revoke(reader, reason, actor="command line")
    db.session.commit()
    click.echo(f"{pseudonym}: link withdrawn")
