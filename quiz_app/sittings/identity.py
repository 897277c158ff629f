"""The id that a browser creates for what it sends, so that duplicates are recognised."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from quiz_app.errors import RefusedError


def identity(said: Mapping[str, Any]) -> str:
    """The `id` of what was sent. Raises RefusedError if it is not a UUID."""
    try:
        return str(uuid.UUID(said["id"]))
    except (KeyError, ValueError, AttributeError, TypeError):
        raise RefusedError("no-id", "id: a UUID made by the browser is expected", 422) from None
