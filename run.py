"""Starts Discern: `python run.py`. The only place that knows all three wings.

Prepares the instance folder and the database, makes a demonstration study the first time, and serves.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Flask

from quiz_app import create_app, storage
from quiz_app.errors import SettingsError
from quiz_app.settings import Settings

THREADS = 8
DEMO_COUNT, DEMO_PRACTICE, DEMO_SEED = 100, 6, 20250709


class CannotStartError(Exception):
    """The server cannot start; the message says why and what to do."""


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="run.py", description="Start Discern.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=5000, help="port to listen on (default: 5000)")
    parser.add_argument("--instance", type=Path, help="folder for database, images and settings (default: ./instance)")
    parser.add_argument("--tunnel", action="store_true", help="let readers in from the internet through ngrok")
    parser.add_argument("--no-demo", action="store_true", help="do not make the demonstration study")
    parser.add_argument("--workers", type=int, default=1, help="processes that serve (default: 1; more needs POSIX)")
    return parser.parse_args(arguments)


def prepare_database(app: Flask) -> None:
    """A new database gets its tables; one of another version is left alone and named. Raises CannotStartError."""
    import flask_migrate
    import sqlalchemy as sa

    from quiz_app.database import another_version, db, versions

    try:
        found, wanted = versions()
        with db.engine.connect() as connection:
            tables = sa.inspect(connection).get_table_names()
    except sa.exc.SQLAlchemyError as error:
        raise CannotStartError(f"The database cannot be opened: {error.args[0]}") from error
    if found == wanted:
        return
    if not tables:
        flask_migrate.upgrade()
        return
    raise CannotStartError(another_version(found, wanted))


def demonstration(app: Flask) -> str | None:
    """The token of the demonstration's reader. Makes pool, study and reader where there is no study at all.

    The one token that is kept: the demonstration has nothing to protect, and its link is printed at every start.
    """
    from generation import phantom
    from generation.arguments import bar
    from quiz_app.database import db
    from quiz_app.models import Study
    from quiz_app.pools import importing
    from quiz_app.study import lifecycle, readers

    settings = app.config["SETTINGS"]
    kept = settings.instance / "demo_token"
    if db.session.query(Study).count():
        return kept.read_text() if kept.exists() else None
    folder = settings.instance / "demo_pool"
    if not folder.exists():
        print(f"Drawing {2 * DEMO_COUNT + DEMO_PRACTICE} phantoms for the demonstration study ...", flush=True)
        with bar("phantoms drawn") as progress:
            phantom.make_pool(folder, DEMO_COUNT, DEMO_COUNT, DEMO_PRACTICE, DEMO_SEED, progress=progress)
    pool = importing.import_folder(folder, settings.images)
    study = lifecycle.create("Demonstration: phantoms", pool, slug="demo", seed=DEMO_SEED)
    lifecycle.open_study(study)
    _, token = readers.invite(study, "demo-reader")
    db.session.commit()
    kept.write_text(token)
    return token


def greet(app: Flask, address: str, no_demo: bool) -> str | None:
    """Print where to go: the researcher's address (and password, the first time) and the demonstration's link.

    Returns the token of that link.
    """
    from quiz_app.study import readers, researchers

    password = researchers.ensure_first()
    token = None if no_demo else demonstration(app)
    print(f"\nResearcher:  {address}/researcher/")
    if password:
        print(f"             log in as {researchers.FIRST}, password {password} (shown only now)")
    if token:
        print(f"Reader:      {readers.link(address, token)}  (demonstration)")
    print("Stop with Ctrl+C.\n", flush=True)
    return token


def assert_port_is_free(host: str, port: int) -> None:
    """Say that a port is taken before anything else is done. Raises CannotStartError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStartError(f"Port {port} on {host} cannot be used: {error.strerror}. Try --port.") from error


def mirrored(app: Flask) -> Flask:
    """`app`, with answers on their way to Firestore where that is set."""
    if app.config["SETTINGS"].firestore_credentials:
        from quiz_app.exchange.mirror import Worker

        Worker(app).start()
    return app


def serve(app: Flask, host: str, port: int, workers: int) -> None:
    """Serve until stopped: one process by waitress, several by gunicorn."""
    if workers == 1:
        import waitress

        given: Settings = app.config["SETTINGS"]
        waitress.serve(
            mirrored(app),
            host=host,
            port=port,
            threads=THREADS,
            ident=None,
            clear_untrusted_proxy_headers=not given.trusted_proxies,
            max_request_body_size=(given.max_upload_mb + 1) * 2**20,  # the application says what is too large
        )
        return
    if sys.platform == "win32":
        raise CannotStartError("Several workers need POSIX; on Windows leave --workers at 1.")
    from gunicorn.app.base import BaseApplication

    settings: Settings = app.config["SETTINGS"]

    class Workers(BaseApplication):
        def load_config(self) -> None:
            for name, value in {
                "bind": f"{host}:{port}",
                "workers": workers,
                "threads": THREADS,
                "worker_class": "gthread",
                "control_socket_disable": True,
            }.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Any:
            return mirrored(create_app(settings))  # each worker has connections of its own

    Workers().run()


@contextmanager
def tunnelled(app: Flask, port: int, token: str | None) -> Iterator[None]:
    """A tunnel to the server at `port`, for as long as the context lasts. It opens beside the server and says how."""
    from quiz_app.tunnel import OnlyHere, Tunnel

    settings: Settings = app.config["SETTINGS"]
    if not settings.tunnel_researcher:
        app.wsgi_app = OnlyHere(app.wsgi_app, settings)  # type: ignore[method-assign]
    paths = {"Reader (demonstration)": f"/r/{token}/"} if token else {}
    tunnel = Tunnel(settings, port, paths, say=lambda text: print(text, flush=True))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that ngrok ends with the server
    tunnel.start()
    try:
        yield
    finally:
        tunnel.stop()


def main(arguments: list[str] | None = None) -> int:
    """Start; 0 after a stop that was asked for, 1 when it could not start."""
    given = parsed(arguments)
    try:
        if given.tunnel and given.workers > 1:
            raise CannotStartError("A tunnel leads to one process: leave out --workers, or see docs/deployment.md.")
        assert_port_is_free(given.host, given.port)
        settings = Settings.load(instance=given.instance)
        if given.tunnel:
            settings = replace(settings, trusted_proxies=1)  # ngrok's agent, and nobody before it
        app = create_app(settings)
        with app.app_context():
            prepare_database(app)
            if settings.images_url:
                storage.assert_usable(settings.images)
            address = app.config["SETTINGS"].public_url or f"http://{given.host}:{given.port}"
            token = greet(app, address, given.no_demo)
            from quiz_app.database import db

            db.session.remove()
            db.engine.dispose()  # the workers open their own
        with tunnelled(app, given.port, token) if given.tunnel else nullcontext():
            serve(app, given.host, given.port, given.workers)
    except (CannotStartError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
