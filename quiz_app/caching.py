"""Cache what many people view and what may be a second old: in Redis for all processes if it is set, else in memory.

While Redis is not available, everything is computed at each view, as Flask-Caching does with a backend that fails.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cachelib.serializers import BaseSerializer
from flask import Flask
from flask_caching import Cache

from quiz_app.settings import Settings

FRESH_S = 1
REDIS_WAIT_S = 0.5

cache = Cache()


class Text(BaseSerializer):
    """Store plain text: unpickling from Redis could run arbitrary code here."""

    def dumps(self, value: str, protocol: int = 0) -> bytes:
        return value.encode()

    def loads(self, bvalue: bytes | None) -> str | None:
        return None if bvalue is None else bvalue.decode()


def redis_options() -> dict[str, Any]:
    """Give up on a Redis that does not answer at once: neither pages nor log-ins wait for it."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        "socket_connect_timeout": REDIS_WAIT_S,
        "socket_timeout": REDIS_WAIT_S,
        "retry": Retry(NoBackoff(), 0),
    }


def init_app(app: Flask) -> None:
    """Set up `cache` for the application."""
    settings: Settings = app.config["SETTINGS"]
    config: dict[str, Any] = {"CACHE_TYPE": "SimpleCache", "CACHE_SERIALIZER": Text}
    if settings.redis_url:
        # Another installation may use the same Redis.
        ours = hashlib.sha256(b"discern cache " + settings.secret_key.encode()).hexdigest()[:16]
        config |= {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": settings.redis_url}
        config |= {"CACHE_KEY_PREFIX": f"discern-{ours}-", "CACHE_OPTIONS": redis_options()}
    cache.init_app(app, config)
