"""discern researcher: add, password."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.study import researchers

group = AppGroup("researcher", help="Let researchers in.")


@group.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="May add researchers, and owns studies made at the command line.")
@as_json
@plainly
def add(name: str, admin: bool, as_json: bool) -> None:
    """Add researcher NAME and print the generated password, which is shown only now."""
    _, password = researchers.add(name, admin=admin, actor="command line")
    db.session.commit()
    tell(f"{name}\t{password}", {"researcher": name, "password": password}, as_json)


@group.command()
@click.argument("name")
@as_json
@plainly
def password(name: str, as_json: bool) -> None:
    """Give researcher NAME a new password and print it; the old one and every session end."""
    researcher = researchers.find(name)
    if researcher is None:
        raise InvalidInputError([f"researcher: there is none called {name!r}"])
    new = researchers.reset_password(researcher, actor="command line")
    db.session.commit()
    tell(f"{name}\t{new}", {"researcher": name, "password": new}, as_json)
