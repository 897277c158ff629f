"""The quiz: readers judge images in the browser, researchers run the study."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix

from analysis.moved import remember
from quiz_app.logs import Discern
from quiz_app.moved import MOVED
from quiz_app.paths import beside
from quiz_app.settings import Settings
from quiz_app.version import __version__

__all__ = ["__version__", "create_app"]
remember(__name__, MOVED)


def create_app(settings: Settings | None = None) -> Flask:
    """Create the application. If `settings` is None, they come from the environment and the instance folder."""
    settings = settings or Settings.load()
    app = Discern(__name__, template_folder=str(beside("templates")), static_folder=str(beside("static")))
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=2**20,  # `max_upload_mb` applies where researchers upload files
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
    )
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]

    from quiz_app import caching, commands, database, health, languages, logs, models, reader, researcher, security  # noqa: F401

    logs.init_app(app)
    health.init_app(app)
    database.init_app(app, settings.database_url)
    security.init_app(app)
    caching.init_app(app)
    languages.init_app(app)
    commands.init_app(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(reader.blueprint)
    app.register_blueprint(reader.join.blueprint)
    app.register_blueprint(researcher.blueprint)

    @app.get("/")
    def home() -> ResponseReturnValue:
        return app.redirect("/researcher/")

    return app
