"""Real servers on a real database, and the failures they suffer. The database is the run's: tests/databases.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.quiz_app.conftest import app, make_study, redis, sit  # noqa: F401
from tests.server import Server, Workers


@pytest.fixture
def launch(app: Flask) -> Iterator[Callable[..., Server]]:  # noqa: F811
    """Starts servers of a kind on the database and instance of `app`; more settings as keywords."""
    started: list[Server] = []
    settings = app.config["SETTINGS"]
    environment = {"DISCERN_INSTANCE": str(settings.instance), "DISCERN_DATABASE_URL": settings.database_url}

    def launch(kind: type[Server] = Workers, **more: str) -> Server:
        started.append(kind(environment | {f"DISCERN_{name.upper()}": value for name, value in more.items()}))
        return started[-1]

    yield launch
    for server in started:
        server.kill()
