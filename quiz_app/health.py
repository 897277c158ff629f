"""Whether this server works (/healthz), how much it does (/metrics), and the checks before it starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, abort, current_app, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from quiz_app import address, logs, storage
from quiz_app.database import another_version, reading, versions
from quiz_app.exchange import mirror
from quiz_app.models import Answer, Reader, Sitting, Study
from quiz_app.settings import Settings
from quiz_app.version import __version__

LITTLE_DISK = 2**29
PROCESSES = "PROMETHEUS_MULTIPROC_DIR"  # the folder through which several processes share their counts

blueprint = Blueprint("health", __name__)
_taken = Histogram(
    "discern_request_seconds", "Time a request took, by route and status.", ["route", "method", "status"]
)
_not_stored = Counter(
    "discern_not_stored", "Readers' requests that were not stored: answered with 503, and sent again."
)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 and `database: ok`, or 503 and what is wrong in a word; if there is a mirror, also its state."""
    settings = current_app.config["SETTINGS"]
    told = {"version": __version__, "instance": address.name_of(settings)}
    try:
        with reading() as session:
            session.execute(sa.text("SELECT version_num FROM alembic_version"))
            more = {"mirror": mirror.status(session)} if settings.firestore_credentials else {}
    except sa.exc.SQLAlchemyError as error:
        return {"status": "failing", **told, "database": type(error).__name__}, 503
    return {"status": "ok", **told, "database": "ok", **more}


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Metrics for Prometheus, only for direct requests to this server: not found through a proxy or a tunnel."""
    if "X-Forwarded-For" in request.headers:
        abort(404)
    registry: CollectorRegistry = REGISTRY
    if PROCESSES in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    stored = CollectorRegistry()
    try:
        with reading() as session:
            stored.register(_Stored(session))
            told = generate_latest(stored)
    except sa.exc.SQLAlchemyError:
        told = b""  # still report what the processes count
    return current_app.response_class(generate_latest(registry) + told, content_type=CONTENT_TYPE_LATEST)


class _Stored(Collector):
    """What is in the database, whichever process asks."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def collect(self) -> Iterator[Metric]:
        """The numbers of studies by state, readers, sittings and answers, and of answers waiting for the mirror."""
        count = sa.func.count()
        studies = GaugeMetricFamily("discern_studies", "Studies.", labels=["state"])
        by_state = {row[0]: row[1] for row in self.session.execute(sa.select(Study.state, count).group_by(Study.state))}
        for state in ("draft", "open", "closed"):
            studies.add_metric([state], by_state.get(state, 0))
        yield studies
        sittings = GaugeMetricFamily("discern_sittings", "Sittings, previews included.", labels=["state"])
        begun = self.session.scalar(sa.select(count).select_from(Sitting)) or 0
        finished = self.session.scalar(sa.select(sa.func.count(Sitting.finished_at))) or 0
        sittings.add_metric(["under way"], begun - finished)
        sittings.add_metric(["finished"], finished)
        yield sittings
        for model, name in ((Reader, "readers"), (Answer, "answers")):
            stored = self.session.scalar(sa.select(count).select_from(model)) or 0
            yield GaugeMetricFamily(f"discern_{name}", f"{name.capitalize()} in the database.", value=stored)


def init_app(app: Flask) -> None:
    """Count and time every request."""

    @app.after_request
    def count(response: Response) -> Response:
        _taken.labels(logs.route(), request.method, str(response.status_code)).observe(logs.took_ms() / 1000)
        if response.status_code == 503 and request.blueprint in ("reader", "join"):
            _not_stored.inc()
        return response


def checks(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """What a server needs before it starts: name, finding, and whether it is fine. Needs the application's context."""
    yield "instance", str(settings.instance), True
    looks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("database", _database),
        ("images", _images),
        ("disk", _disk),
        ("redis", _redis),
        ("firestore", _firestore),
    )
    for name, look in looks:
        try:
            if found := look(settings):
                yield name, found, True
        except Exception as error:  # each part has its own errors, and the others are still checked
            yield name, f"{error}".splitlines()[0] if f"{error}" else type(error).__name__, False


def _database(settings: Settings) -> str:
    url = sa.make_url(settings.database_url)
    where = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return f"{where}: will be created at the first start"
    found, wanted = versions()
    if found is None:
        return f"{where}: empty; its tables will be created at the first start"
    if found != wanted:
        raise ValueError(another_version(found, wanted).replace("\n ", ""))
    return f"{where}: version {found}"


def _images(settings: Settings) -> str:
    if settings.images_url:
        storage.assert_usable(settings.images)
    return str(settings.images)


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.instance).free
    if free < LITTLE_DISK:
        raise ValueError(f"{free / 2**20:.0f} MB free in {settings.instance}: not enough")
    return f"{free / 2**30:.1f} GB free"


def _redis(settings: Settings) -> str:
    if not settings.redis_url:
        return ""
    import redis

    from quiz_app import caching

    with redis.Redis.from_url(settings.redis_url, **caching.redis_options()) as client:
        client.ping()
    return "answers"


def _firestore(settings: Settings) -> str:
    if not settings.firestore_credentials:
        return ""
    if not Path(settings.firestore_credentials).is_file():
        raise ValueError(f"firestore_credentials: the file {settings.firestore_credentials} does not exist")
    return settings.firestore_credentials
