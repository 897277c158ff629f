"""The output of commands: what they did, as text or JSON, and what went wrong."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import click
import sqlalchemy as sa

from quiz_app.database import BUSY_SECONDS, another_version, db, versions
from quiz_app.errors import InvalidInputError

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for scripts.")


def tell(text: str, what: Any, as_json: bool) -> None:
    """Print `text`, or `what` as JSON."""
    click.echo(json.dumps(what, ensure_ascii=False, indent=1, default=str) if as_json else text)


def plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """List problems with the input, one per line, and exit with 1; also if the database has a different version."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except InvalidInputError as faulty:
            raise click.ClickException("\n  ".join(faulty.faults)) from faulty
        except sa.exc.DBAPIError as error:
            found, wanted = _versions()
            if found != wanted:
                raise click.ClickException(another_version(found, wanted)) from error
            if not _is_locked(error):
                raise
            raise click.ClickException(_locked()) from error
        except sa.exc.SQLAlchemyError as error:
            raise click.ClickException(f"The database cannot be used: {error}") from error

    return wrapped


def _versions() -> tuple[str | None, str]:
    try:
        return versions()
    except sa.exc.SQLAlchemyError as error:
        told = _locked() if _is_locked(error) else f"The database cannot be opened: {error.args[0]}"
        raise click.ClickException(told) from error


def _is_locked(error: sa.exc.SQLAlchemyError) -> bool:
    return "database is locked" in str(error)


def _locked() -> str:
    """The message for an SQLite file that another program has locked."""
    return (
        f"The database {db.engine.url.database} is locked: another program has held it for over {BUSY_SECONDS} s. "
        "Close that program or wait until it has finished, then run the command again."
    )
