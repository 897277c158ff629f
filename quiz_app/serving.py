"""The server: waitress for one process, gunicorn for several."""

from __future__ import annotations

import gc
import logging
import select
import time
from typing import TYPE_CHECKING, Any

from quiz_app.database import THREADS

if TYPE_CHECKING:
    from flask import Flask

CONNECTIONS = 1000  # maximum number of browser connections per process
TURN_S = 0.003  # pause between two checks of all connections
OBJECTS = 20_000  # created before Python looks for reference cycles; a request creates several thousand


def serve(app: Flask, host: str, port: int, workers: int) -> None:
    """Serve until stopped. A single process uses `app`; several workers each create their own from its settings."""
    if workers == 1:
        by_waitress(app, host, port)
    else:
        by_gunicorn(app, host, port, workers)


def by_waitress(app: Flask, host: str, port: int) -> None:
    """Serve in this process.

    Waitress checks every connection whenever one of them wakes it up; with a hundred connections, this takes most of
    the processor. After a short pause between two checks, it finds many of them ready at once.
    """
    import waitress
    from waitress import wasyncore

    settings = app.config["SETTINGS"]
    # Waitress logs a line for each request that waits for a thread: with many readers, every request. /metrics counts
    # them.
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
        max_request_body_size=(settings.max_upload_mb + 1)
        * 2**20,  # the application itself refuses uploads that are too large
    )
    poll = hasattr(select, "poll")  # poll has no limit; Windows only has select
    try:
        while connections:
            wasyncore.loop(timeout=1, use_poll=poll, map=connections, count=1)
            time.sleep(TURN_S)
    except (SystemExit, KeyboardInterrupt):
        server.task_dispatcher.shutdown()


def by_gunicorn(app: Flask, host: str, port: int, workers: int) -> None:
    """Serve with `workers` processes; only on POSIX."""
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
                "graceful_timeout": 10,  # s; a worker that is told to stop while it starts does not notice
            }.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Any:
            return ready(create_app(settings))  # each worker has its own connections

    Workers().run()


def ready(app: Flask) -> Flask:
    """`app` as a server process runs it, with answers sent to Firestore if that is set."""
    # By default, Python looks for cycles several times per request, and sometimes in everything that was imported.
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
    if app.config["SETTINGS"].firestore_credentials:
        from quiz_app.exchange.mirror import Worker

        Worker(app).start()
    return app
