"""discern researcher: add, password."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from quiz_app.commands.console import as_json, plainly, tell
from quiz_app.database import db
from quiz_app.errors import InvalidInputError
from quiz_app.study import researchers

group = AppGroup("researcher", help="Add researchers and reset their passwords.")


@group.command()
@click.argument("name")
@click.option(
    "--admin", is_flag=True, help="Allow this researcher to add others, and to own studies created at the command line."
)
@as_json
@plainly
def add(name: str, admin: bool, as_json: bool) -> None:
    """Add researcher NAME and print the generated password. It is shown only once."""
    _, password = researchers.add(name, admin=admin, actor="command line")
    db.session.commit()
    tell(f"{name}\t{password}", {"researcher": name, "password": password}, as_json)


@group.command()
@click.argument("name")
@as_json
@plainly
def password(name: str, as_json: bool) -> None:
    """Give researcher NAME a new password and print it. The old password and all sessions stop working."""
    researcher = researchers.find(name)
    if researcher is None:
        raise InvalidInputError(
            [f"researcher: there is no researcher {name!r}; add one with: discern researcher add NAME"]
        )
    new = researchers.reset_password(researcher, actor="command line")
    db.session.commit()
    tell(f"{name}\t{new}", {"researcher": name, "password": new}, as_json)
