"""The commands for studies, one module per group: `discern study ...`, or `flask --app quiz_app study ...`."""

from __future__ import annotations

import click
from flask import Flask
from flask_migrate.cli import db

from quiz_app.commands import (
    backup,
    databases,
    mirror,
    move,
    pools,
    readers,
    researchers,
    responses,
    simulate,
    studies,
)

COMMANDS: dict[str, click.Command] = {
    "study": studies.group,
    "pool": pools.group,
    "reader": readers.group,
    "researcher": researchers.group,
    "responses": responses.group,
    "simulate": simulate.simulate,
    "backup": backup.backup,
    "mirror": mirror.group,
    "db": db,
}
for command in (move.move, databases.upgrade, databases.check):
    db.add_command(command)


def init_app(app: Flask) -> None:
    """Add the commands to the application; Flask-Migrate itself adds `db`."""
    for name, command in COMMANDS.items():
        if name != "db":
            app.cli.add_command(command)
