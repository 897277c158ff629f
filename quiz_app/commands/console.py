"""How commands speak of what went wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from quiz_app.errors import InvalidInputError


def plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Faults in what was given are listed, one a line, and the command ends with 1."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except InvalidInputError as faulty:
            raise click.ClickException("\n  ".join(faulty.faults)) from faulty

    return wrapped
