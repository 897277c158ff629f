"""The application with a clock that a test steps: as many seconds off as the file `offset` of the instance says."""

from datetime import UTC, datetime, timedelta

import quiz_app
from quiz_app import clock


def create_app():
    app = quiz_app.create_app()
    offset = app.config["SETTINGS"].instance / "offset"
    clock.source = lambda: datetime.now(UTC) + timedelta(seconds=float(offset.read_text() or 0))
    return app
