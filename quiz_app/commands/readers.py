"""discern reader: invite, list, revoke, export."""

from __future__ import annotations

from pathlib import Path

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup

from quiz_app.address import found
from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import db, reading
from quiz_app.errors import InvalidInputError
from quiz_app.exchange import personal
from quiz_app.models import Reader, Study
from quiz_app.study import lifecycle, readers

group = AppGroup("reader", help="Invite and list readers, and withdraw their links.")
UNKNOWN = (
    "No server is running on this instance, so the links above lack the address of your server.\n"
    "Start one with `discern run`, set `public_url`, or give the address: discern reader invite --url https://..."
)


@group.command()
@click.option("--study", "slug", required=True, help="Slug of the study.")
@click.option("--group", "reader_group", help="The readers' group; if not given, each reader is asked.")
@click.option("--url", help="Address at which readers reach the server; detected if it is running on this instance.")
@click.argument("pseudonyms", nargs=-1, required=True)
@as_json
@plainly
def invite(slug: str, reader_group: str | None, url: str | None, pseudonyms: tuple[str, ...], as_json: bool) -> None:
    """Invite one reader for each of PSEUDONYMS and print their personal links. They are shown only once."""
    address = url or found(current_app.config["SETTINGS"])
    study = lifecycle.find(slug)
    wanted = [readers.Invitation(name, reader_group or "") for name in pseudonyms]
    invited = readers.invite_all(study, wanted, actor="command line")
    db.session.commit()
    links = {reader.pseudonym: readers.link(address, token) for reader, token in invited}
    what = [{"reader": name, "link": link, "address_known": bool(address)} for name, link in links.items()]
    tell("\n".join(f"{name}\t{link}" for name, link in links.items()), what, as_json)
    if not address:
        click.echo(UNKNOWN, err=True)


@group.command("list")
@click.option("--study", "slug", required=True, help="Slug of the study.")
@as_json
@plainly
def list_(slug: str, as_json: bool) -> None:
    """List the readers of a study: pseudonym, group and state."""
    states = [
        {"reader": reader.pseudonym, "group": reader.group or "", "state": _state(reader)}
        for reader in lifecycle.find(slug).readers
        if not reader.is_preview
    ]
    tell("\n".join("\t".join(one.values()) for one in states), states, as_json)


@group.command()
@click.option("--study", "slug", required=True, help="Slug of the study.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file to write; printed if not given.")
@click.argument("pseudonym")
@plainly
def export(slug: str, out: Path | None, pseudonym: str) -> None:
    """Export everything stored about reader PSEUDONYM, on the reader's request. It does not include the truth."""
    with reading() as session:
        reader = session.scalar(
            sa.select(Reader).join(Reader.study).where(Study.slug == slug, Reader.pseudonym == pseudonym)
        )
        if reader is None:
            raise InvalidInputError([_unknown(slug, pseudonym)])
        text = personal.written(session, reader)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, "utf-8")


def _unknown(slug: str, pseudonym: str) -> str:
    return f"reader: study {slug!r} has no reader {pseudonym!r}; list them with: discern reader list --study {slug}"


def _state(reader: Reader) -> str:
    if reader.revoked_at or reader.withdrawn_at:
        return "link withdrawn" if reader.revoked_at else "left the study"
    if reader.has_finished:
        return "finished"
    return "begun" if reader.sitting else "invited"


@group.command()
@click.option("--study", "slug", required=True, help="Slug of the study.")
@click.option("--reason", default="at the command line", show_default=True, help="The reason, which is recorded.")
@click.argument("pseudonym")
@as_json
@plainly
def revoke(slug: str, reason: str, pseudonym: str, as_json: bool) -> None:
    """Withdraw the link of reader PSEUDONYM. The answers given so far are kept."""
    study = lifecycle.find(slug)
    reader = db.session.scalar(sa.select(Reader).filter_by(study_id=study.id, pseudonym=pseudonym))
    if reader is None:
        raise InvalidInputError([_unknown(slug, pseudonym)])
    readers.revoke(reader, reason, actor="command line")
    db.session.commit()
    tell(f"{pseudonym}: link withdrawn", {"reader": pseudonym, "state": _state(reader)}, as_json)
