"""The server: one process by waitress, several by gunicorn."""

from __future__ import annotations

import gc
import logging
import select
import time
from typing import TYPE_CHECKING, Any

from quiz_app.database import THREADS

if TYPE_CHECKING:
    from flask import Flask

CONNECTIONS = 1000  # of browsers, held by one process
TURN_S = 0.001  # between two looks at every connection
OBJECTS = 20_000  # made before Python looks for cycles among them; a request makes some thousands


def serve(app: Flask, host: str, port: int, workers: int) -> None:
    """Serve until stopped. `app` is the one process's; each of several workers makes its own from the same settings."""
    if workers == 1:
        by_waitress(app, host, port)
    else:
        by_gunicorn(app, host, port, workers)


def by_waitress(app: Flask, host: str, port: int) -> None:
    """Serve in this process.

    Waitress looks at every connection whenever one of them wakes it, which with a hundred of them takes most of the
    processor. A short rest between two looks lets it find many awake at once.
    """
    import waitress
    from waitress import wasyncore

    settings = app.config["SETTINGS"]
    # A line for each request that waits for a thread, which with many readers is every request; /metrics counts them.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    connections: dict[int, Any] = {}
    server = waitress.create_server(
        ready(app),
        map=connections,
        host=host,
        port=port,
        threads=THREADS,
        connection_limit=CONNECTIONS,
        ident=None,
        clear_untrusted_proxy_headers=not settings.trusted_proxies,
        max_request_body_size=(settings.max_upload_mb + 1) * 2**20,  # the application says what is too large
    )
    poll = hasattr(select, "poll")  # which knows no limit; Windows has select alone
    try:
        while connections:
            wasyncore.loop(timeout=1, use_poll=poll, map=connections, count=1)
            time.sleep(TURN_S)
    except (SystemExit, KeyboardInterrupt):
        server.task_dispatcher.shutdown()


def by_gunicorn(app: Flask, host: str, port: int, workers: int) -> None:
    """Serve by so many processes, which only POSIX has."""
    from gunicorn.app.base import BaseApplication

    from quiz_app import create_app

    settings = app.config["SETTINGS"]

    class Workers(BaseApplication):
        def load_config(self) -> None:
            for name, value in {
                "bind": f"{host}:{port}",
                "workers": workers,
                "threads": THREADS,
                "worker_class": "gthread",
                "control_socket_disable": True,
                "graceful_timeout": 10,  # s; a worker that is told to end while it begins does not hear it
            }.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Any:
            return ready(create_app(settings))  # each worker has connections of its own

    Workers().run()


def ready(app: Flask) -> Flask:
    """`app` as a server process runs it, with answers on their way to Firestore where that is set."""
    # By default Python searches for cycles several times a request, and now and then in all that was imported, too.
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
    if app.config["SETTINGS"].firestore_credentials:
        from quiz_app.exchange.mirror import Worker

        Worker(app).start()
    return app
