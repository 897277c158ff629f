"""The security headers of every response, and limits on log-in attempts."""

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
    """Counts only requests to marked views, which do so themselves; other requests are not checked."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        if not in_middleware:
            super()._check_request_limit(callable_name, in_middleware)


csrf = CSRFProtect()
# If Redis is set, all processes count together; while it is not available, each counts for itself.
limiter = Limiter(get_remote_address, in_memory_fallback_enabled=True)

HEADERS = {
    # Only our own files; images also from memory, where sealed ones are opened.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a reader's link is a secret
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Sessions(SecureCookieSessionInterface):
    """Flask's cookie, which is sent only over HTTPS if it was set over HTTPS."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """No session for readers: nothing is signed for them."""
        if "HTTP_COOKIE" not in request.environ or self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Do nothing for an empty session: the cache headers need not depend on a cookie that is not there."""
        if session or session.modified:
            super().save_session(app, session, response)

    def get_cookie_secure(self, app: Flask) -> bool:
        return has_request_context() and request.is_secure


def init_app(app: Flask) -> None:
    """Protect the application."""

    @app.before_request
    def refuse_nul() -> None:
        """Refuse NUL: no valid text contains it, and PostgreSQL cannot store it."""
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
        raise SettingsError(f"redis_url: {redis_url!r} cannot be used; expected redis://HOST:PORT: {error}") from error

    @app.after_request
    def protect(response: Response) -> Response:
        given = {name.lower() for name, _ in response.headers}
        response.headers.extend({name: value for name, value in HEADERS.items() if name.lower() not in given})
        # Flask's default for files, "no-cache", would let the browser store them.
        if request.endpoint != "static" and response.headers.get("Cache-Control", "no-cache") == "no-cache":
            response.headers["Cache-Control"] = "no-store"
        if request.is_secure:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response
