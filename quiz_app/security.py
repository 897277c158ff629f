"""What every answer of the server carries for safety, and who may log in how often."""

from __future__ import annotations

import flask_limiter
from flask import Flask, Request, Response, abort, has_request_context, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect
from limits.errors import ConfigurationError

from quiz_app import caching
from quiz_app.errors import SettingsError


class Limiter(flask_limiter.Limiter):
    """Counts requests of the views that are marked, which do so themselves; the others need not be looked at."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        if not in_middleware:
            super()._check_request_limit(callable_name, in_middleware)


csrf = CSRFProtect()
# Where a Redis is set, every process counts together; while it is away each counts for itself.
limiter = Limiter(get_remote_address, in_memory_fallback_enabled=True)

HEADERS = {
    # Our own files only; images also from memory, where a sealed one is opened.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a reader's link is a secret
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Sessions(SecureCookieSessionInterface):
    """Flask's cookie, which goes over HTTPS alone once it was given over HTTPS."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """A reader has none, and nothing is signed for them."""
        if "HTTP_COOKIE" not in request.environ or self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Nor is there anything to say of a session that holds nothing: no cache may keep what it does not change."""
        if session or session.modified:
            super().save_session(app, session, response)

    def get_cookie_secure(self, app: Flask) -> bool:
        return has_request_context() and request.is_secure


def init_app(app: Flask) -> None:
    """Protect the application."""

    @app.before_request
    def refuse_nul() -> None:
        """No text of ours holds a NUL, and PostgreSQL keeps none."""
        forms = request.query_string or request.mimetype != "application/json"
        said = [value for _, value in request.values.items(multi=True)] if forms else []
        if any("\0" in text for text in (request.path, *said)):
            abort(400)

    app.session_interface = Sessions()
    csrf.init_app(app)
    redis_url = app.config["SETTINGS"].redis_url
    app.config["RATELIMIT_STORAGE_URI"] = redis_url or "memory://"
    try:
        app.config["RATELIMIT_STORAGE_OPTIONS"] = caching.redis_options() if redis_url else {}
        limiter.init_app(app)
    except (ConfigurationError, ImportError, ValueError) as error:
        raise SettingsError(
            f"redis_url: {redis_url!r} cannot be used, redis://HOST:PORT is expected: {error}"
        ) from error

    @app.after_request
    def protect(response: Response) -> Response:
        given = {name.lower() for name, _ in response.headers}
        response.headers.extend({name: value for name, value in HEADERS.items() if name.lower() not in given})
        # Flask's own word for a file that is sent, "no-cache", would let the browser keep it.
        if request.endpoint != "static" and response.headers.get("Cache-Control", "no-cache") == "no-cache":
            response.headers["Cache-Control"] = "no-store"
        if request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response
