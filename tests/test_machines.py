"""Several machines that share a database, a Redis, a bucket and a secret, behind one nginx; one of them dies."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import flask_migrate
import httpx
import pytest
import sqlalchemy as sa

from quiz_app import create_app, simulation
from quiz_app.database import db, let_go
from quiz_app.models import Sitting
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import lifecycle
from tests.fronts import fronted
from tests.quiz_app.conftest import redis, s3  # noqa: F401
from tests.server import Workers
from tests.sitters import assert_whole, wait_until

BUCKET = "s3://radiographs/studies"


@pytest.fixture
def machines(pool_folder, empty_postgres, redis, s3, tmp_path, monkeypatch):  # noqa: F811
    """The application, and two machines that share no files: each has its own instance folder."""
    shared = {
        "database_url": empty_postgres,
        "secret_key": secrets.token_hex(32),
        "images_url": BUCKET,
        "redis_url": redis[0],
        "trusted_proxies": 1,
    }
    app = create_app(Settings.load({}, instance=tmp_path / "desk", **shared))
    with app.app_context():
        flask_migrate.upgrade()
        pool = importing.import_folder(pool_folder, app.config["SETTINGS"].images, "noise")
        study = lifecycle.create("Congress", pool, settings={"practice": 0, "break_every": 5})
        lifecycle.open_study(study)
        db.session.commit()
        db.session.remove()
    environment = {f"DISCERN_{name.upper()}": str(value) for name, value in shared.items()}
    with ExitStack() as stack:
        started = []
        for name in ("first", "second"):
            started.append(Workers(environment | {"DISCERN_INSTANCE": str(tmp_path / name)}))
            stack.callback(started[-1].kill)
        yield app, started
    with app.app_context():
        let_go(app)


@pytest.mark.slow
def test_sittings_go_on_at_the_other_machine_when_one_dies(machines, tmp_path, monkeypatch):
    app, (first, second) = machines
    ports = [int(machine.address.split(":")[1]) for machine in (first, second)]
    (tmp_path / "front").mkdir()
    with fronted(tmp_path / "front", ports, monkeypatch) as url, app.app_context():
        with ThreadPoolExecutor(1) as thread:
            reading = thread.submit(simulation.run, app, "congress", 8, url=url, patience_s=120)
            wait_until(lambda: reading.done() or (served(first) and served(second)), seconds=120, step=0.1)
            assert not reading.done()
            first.kill()
            outcomes = reading.result()
        finished = db.session.scalars(sa.select(sa.func.count()).where(Sitting.finished_at.isnot(None))).one()
        assert finished == 8
        assert_whole(app, outcomes, answers_each=12)
        assert httpx.get(f"{url}/healthz").status_code == 200


def served(machine):
    """How many answers this machine has taken."""
    lines = httpx.get(f"{machine.url}/metrics").text.splitlines()
    answers = [line for line in lines if line.startswith("discern_request_seconds_count") and "/answer" in line]
    return sum(float(line.split()[-1]) for line in answers)
