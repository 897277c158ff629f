"""The id that a browser makes for what it sends, so that the same thing sent twice is known as one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from quiz_app.errors import RefusedError


def identity(said: Mapping[str, Any]) -> str:
    """The `id` of what was sent. Raises RefusedError for none that is a UUID."""
    try:
        return str(uuid.UUID(said["id"]))
    except (KeyError, ValueError, AttributeError, TypeError):
        raise RefusedError("no-id", "id: a UUID made by the browser is expected", 422) from None
