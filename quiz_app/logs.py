"""The server's log: plain lines, or one JSON object per line (setting `log_json`), including one per request.

A reader's link is a secret and an address is personal data: neither is logged. A request is logged by its route.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeAlias

from flask import Flask, Response, g, has_request_context, request

from quiz_app.settings import Settings

ExcInfo: TypeAlias = "tuple[type, BaseException, TracebackType | None] | tuple[None, None, None]"
requests = logging.getLogger("quiz_app.requests")


class Discern(Flask):
    """Flask that logs a failed request by its route, because the path of a reader's request contains the link."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func` unchanged: nothing here is async, and Flask calls this for every hook of every request."""
        return func

    def log_exception(self, exc_info: ExcInfo) -> None:
        """Log like Flask, without the path."""
        self.logger.error("Exception on %s [%s]", route(), request.method, exc_info=exc_info)


def route() -> str:
    """The route of the current request, such as `/r/<token>/claim`."""
    return request.url_rule.rule if request.url_rule else "(no route)"


class AsJson(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, details of a request, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "told", {}),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


def init_app(app: Flask) -> None:
    """Set up logging according to the settings, and measure how long each request takes."""
    settings: Settings = app.config["SETTINGS"]
    if settings.log_json:
        root, handler = logging.getLogger(), logging.StreamHandler()
        handler.setFormatter(AsJson())
        root.handlers = [other for other in root.handlers if not isinstance(other.formatter, AsJson)] + [handler]
        requests.setLevel(logging.INFO)

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def tell(response: Response) -> Response:
        if settings.log_json:
            told = {"method": request.method, "route": route(), "status": response.status_code, "ms": round(took_ms())}
            requests.info("%s %s", request.method, route(), extra={"told": told})
        return response


def took_ms() -> float:
    """How long the current request has taken so far."""
    return 1000 * (time.perf_counter() - g.began) if has_request_context() and "began" in g else 0.0
