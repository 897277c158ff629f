"""The application with a clock that a test can change: it is off by the seconds in the instance's file `offset`."""

from datetime import UTC, datetime, timedelta

import quiz_app
from quiz_app import clock


def create_app():
    app = quiz_app.create_app()
    offset = app.config["SETTINGS"].instance / "offset"
    clock.source = lambda: datetime.now(UTC) + timedelta(seconds=float(offset.read_text() or 0))
    return app
