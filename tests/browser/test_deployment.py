"""The server of docs/howto/deployment.md: PostgreSQL, two workers, nginx with https in front, by the guide's files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import flask_migrate
import httpx
import pytest

from quiz_app import create_app, simulation
from quiz_app.database import db, let_go
from quiz_app.models import Sitting
from quiz_app.pools import importing
from quiz_app.settings import Settings
from tests.browser.conftest import House, Sitter
from tests.conftest import missing
from tests.fronts import fronted, wait_for
from tests.server import free_port

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"

pytestmark = pytest.mark.browser


@pytest.fixture
def workers(pool_folder, empty_postgres, tmp_path):
    """Two worker processes on PostgreSQL: the application, and the port."""
    settings = Settings.load({}, instance=tmp_path / "instance", database_url=empty_postgres)
    app, port = create_app(settings), free_port()
    with app.app_context():
        flask_migrate.upgrade()
        importing.import_folder(pool_folder, settings.images, "noise")
        db.session.commit()
        let_go(app)
    environment = os.environ | {
        "DISCERN_INSTANCE": str(settings.instance),
        "DISCERN_DATABASE_URL": settings.database_url,
        "DISCERN_TRUSTED_PROXIES": "1",
    }
    command = [sys.executable, "run.py", "--workers", "2", "--no-demo", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}", process)
    yield app, port
    process.terminate()
    process.wait()
    with app.app_context():
        let_go(app)


@pytest.fixture
def public(workers, tmp_path, monkeypatch):
    """nginx in front of the workers, set up as the guide says: its address."""
    with fronted(tmp_path, [workers[1]], monkeypatch) as url:
        yield url


@pytest.fixture
def house(workers, public):
    """Where the reader's browser goes: in at nginx, on to one of the two workers."""

    class Front:
        url = public

    return House(workers[0], Front)


def test_a_study_in_the_browser_behind_nginx(house, new_context):
    invitation = house.invite(practice=0)
    page = new_context(ignore_https_errors=True).new_page()
    Sitter(page, invitation).enter().begin().finish(key="5")
    assert [row["answer"] for row in invitation.rows()] == ["synthetic"] * 12


def test_many_readers_behind_nginx_meet_no_fault(house, public):
    slug = house.invite(break_every=5).slug
    outcomes = simulation.run(house.app, slug, 8, url=public)
    assert [(outcome.refusal, outcome.retries) for outcome in outcomes] == [("", 0)] * 8
    with house.app.app_context():
        assert db.session.query(Sitting).filter(Sitting.finished_at.isnot(None)).count() == 8


def test_the_server_knows_that_it_is_reached_by_https_and_from_where(public):
    response = httpx.get(f"{public}/", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example"})
    assert response.headers["Location"] == "/researcher/"
    assert "Strict-Transport-Security" in response.headers
    login = httpx.get(f"{public}/researcher/", follow_redirects=False)
    assert "evil" not in login.headers["Location"]


def test_metrics_are_for_who_asks_the_server_directly(workers, public):
    assert httpx.get(f"{public}/metrics").status_code == 404
    told = httpx.get(f"http://127.0.0.1:{workers[1]}/metrics")
    assert "discern_request_seconds_count" in told.text


def test_systemd_reads_the_unit_without_a_complaint(tmp_path):
    program = shutil.which("systemd-analyze") or missing("systemd-analyze")
    unit = tmp_path / "discern.service"
    unit.write_text(
        (DEPLOY / "discern.service").read_text("utf-8").replace("/srv/discern/.venv/bin/discern", sys.executable)
    )
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "discern.service" in line]
    assert complaints == []
