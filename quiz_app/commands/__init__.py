"""The commands of `flask --app quiz_app`, one module a group."""

from __future__ import annotations

from flask import Flask
from flask_migrate.cli import db

from quiz_app.commands import backup, mirror, move, pools, readers, researchers, responses, simulate, studies


def init_app(app: Flask) -> None:
    """Add the commands to the application."""
    for group in (studies, pools, readers, researchers, responses, mirror):
        app.cli.add_command(group.group)
    app.cli.add_command(simulate.simulate)
    db.add_command(move.move)
    app.cli.add_command(backup.backup)
