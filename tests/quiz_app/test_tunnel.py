"""The tunnel, against a stand-in that speaks ngrok's local protocol and carries real requests."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from flask import request

from quiz_app import create_app, simulation
from quiz_app.database import db, let_go, reading
from quiz_app.errors import SettingsError
from quiz_app.models import Sitting, Study
from quiz_app.settings import Settings
from quiz_app.study import preflight
from quiz_app.tunnel import OnlyHere, Tunnel
from tests.server import free_port

ROOT = Path(__file__).resolve().parents[2]


class StandIn:
    """The program at `path`, and how it behaves."""

    def __init__(self, folder):
        folder.mkdir()
        self.path, self.folder = folder / "ngrok", folder
        self.path.write_text(f"#!{sys.executable}\n" + (ROOT / "tests" / "ngrok.py").read_text())
        self.path.chmod(0o755)
        self.behave()

    def behave(self, **how):
        part = self.folder / "part"
        part.write_text(json.dumps({"token": "good"} | how))
        part.replace(self.folder / "state.json")

    @property
    def pid(self):
        return int((self.folder / "pid").read_text())


@pytest.fixture
def ngrok(tmp_path):
    """The stand-in for ngrok."""
    return StandIn(tmp_path / "ngrok")


@pytest.fixture
def dig(app, serve, ngrok):
    """Opens tunnels to a server of `app`; returns the tunnel and its output."""
    opened = []
    server = serve(trusted_proxies="1")

    def dig(token="good", **more):
        settings = replace(app.config["SETTINGS"], **{"ngrok_path": str(ngrok.path), "ngrok_token": token} | more)
        said = []
        tunnel = Tunnel(settings, int(server.url.rsplit(":", 1)[1]), {"Reader": "/r/abc/"}, said.append, watch_s=0.2)
        opened.append(tunnel)
        tunnel.start()
        return tunnel, said

    dig.server = server
    yield dig
    for tunnel in opened:
        tunnel.stop()


def wait_for(said, words, times=1):
    until = time.monotonic() + 40
    while "\n".join(said).count(words) < times:
        assert time.monotonic() < until, said
        time.sleep(0.02)


def test_readers_take_a_study_through_the_tunnel(app, dig, make_study):
    slug = make_study().slug
    db.session.remove()
    tunnel, said = dig()
    wait_for(said, "The tunnel is open: http")
    wait_for(said, "Visit Site")
    assert f"Reader: {tunnel.address}/r/abc/" in said
    assert any("█" in text or "▀" in text for text in said)
    assert app.config["SETTINGS"].reached_at == tunnel.address
    outcomes = simulation.run(app, slug, 3, url=tunnel.address)
    assert [outcome.refusal for outcome in outcomes] == [""] * 3
    tunnel.stop()
    assert app.config["SETTINGS"].reached_at == ""


def test_the_preflight_looks_whether_readers_can_come_in_by_the_tunnel(app, ngrok, dig, make_study):
    make_study()
    db.session.remove()

    def address():
        with reading() as session:
            checks = preflight.checks(session, session.query(Study).one(), app.config["SETTINGS"], secure=False)
        return next(check for check in checks if check.name == "Address")

    tunnel, said = dig()
    wait_for(said, "The tunnel is open:")
    assert f"{tunnel.address} answers" in address().says
    ngrok.behave(gone=True)
    assert address().says == f"{tunnel.address} does not answer, so readers cannot reach the study."


def test_the_server_believes_the_tunnel_and_nobody_before_it(app):
    behind = create_app(replace(app.config["SETTINGS"], trusted_proxies=1))
    seen = []
    behind.before_request(lambda: seen.append((request.remote_addr, request.scheme, request.host)))
    headers = {"For": "198.51.100.1, 203.0.113.7", "Proto": "http, https", "Host": "evil.example, abc.ngrok.app"}
    behind.test_client().get("/healthz", headers={f"X-Forwarded-{name}": value for name, value in headers.items()})
    assert seen == [("203.0.113.7", "https", "abc.ngrok.app")]
    with behind.app_context():
        let_go(behind)


def test_a_tunnel_whose_program_dies_comes_back_at_a_new_address_and_says_so(ngrok, dig):
    tunnel, said = dig()
    wait_for(said, "The tunnel is open:")
    before = tunnel.address
    os.kill(ngrok.pid, signal.SIGKILL)
    wait_for(said, "has dropped")
    wait_for(said, "at a NEW address")
    assert tunnel.address != before
    assert f"Reader: {tunnel.address}/r/abc/" in said
    assert tunnel.settings.reached_at == tunnel.address


def test_a_tunnel_that_carries_nothing_is_opened_again_at_the_same_address(ngrok, dig):
    ngrok.behave(port=free_port())
    tunnel, said = dig()
    wait_for(said, "The tunnel is open:")
    ngrok.behave(port=int(tunnel.address.rsplit(":", 1)[1]), gone=True)
    wait_for(said, "has dropped")
    ngrok.behave(port=int(tunnel.address.rsplit(":", 1)[1]))
    wait_for(said, "open again at the same address")
    assert "NEW" not in "\n".join(said)


def test_a_study_outlives_a_tunnel_that_drops(app, ngrok, dig, make_study):
    ngrok.behave(port=free_port())
    slug = make_study(break_every=3).slug
    db.session.remove()
    tunnel, said = dig()
    wait_for(said, "The tunnel is open:")
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(simulation.run, app, slug, 2, url=tunnel.address)
        time.sleep(0.5)
        os.kill(ngrok.pid, signal.SIGKILL)
        outcomes = running.result()
    assert [(outcome.refusal, len(outcome.saved)) for outcome in outcomes] == [("", 15)] * 2
    assert sum(outcome.retries for outcome in outcomes) > 0
    assert db.session.query(Sitting).filter(Sitting.finished_at.isnot(None)).count() == 2


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"token": "another"}, "ngrok does not accept the token: copy it again"),
        ({"error": "no token. ERR_NGROK_4018"}, "set DISCERN_NGROK_TOKEN"),
        ({"error": "too old. ERR_NGROK_121"}, "run 'ngrok update'"),
        ({"error": "simultaneous sessions. ERR_NGROK_108"}, "running elsewhere with this account"),
        (
            {"error": "failed to dial ngrok server with address connect.ngrok-agent.com:443"},
            "connected to the internet",
        ),
        ({"refuse": [502, "the domain is not reserved. ERR_NGROK_319"]}, "reserve it at https://dashboard.ngrok.com"),
        ({"refuse": [502, "already online. ERR_NGROK_334"]}, "in use by another tunnel"),
        ({"refuse": [500, "teapot"]}, "ngrok said: "),
        ({"gone": True}, "does not lead here"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_the_server_goes_on(ngrok, dig, how, words):
    ngrok.behave(**how)
    _, said = dig()
    wait_for(said, words)
    assert len(said) == 1
    assert said[0].endswith("The server on this machine keeps running; the tunnel will be tried again.")
    assert "Traceback" not in said[0]
    assert httpx.get(f"{dig.server.url}/healthz").status_code == 200
    ngrok.behave()
    wait_for(said, "The tunnel is open:")


def test_a_program_that_is_too_old_is_named(ngrok, dig, monkeypatch):
    monkeypatch.setattr("quiz_app.tunnel.START_S", 2.0)
    ngrok.behave(old=True)
    _, said = dig()
    wait_for(said, "run 'ngrok update'")


def test_a_program_that_is_not_there_is_named(ngrok, dig):
    shutil.rmtree(ngrok.folder)
    _, said = dig()
    wait_for(said, "there is no program at")


def test_a_program_that_may_not_be_run_is_named(ngrok, dig):
    ngrok.path.chmod(0o644)
    _, said = dig()
    wait_for(said, f"{ngrok.path} cannot be run: make it executable.")


def test_a_program_that_cannot_be_fetched_for_want_of_a_line_is_named(dig, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYNGROK_NGROK_PATH", str(tmp_path / "fetched" / "ngrok"))
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    _, said = dig(ngrok_path="")
    wait_for(
        said,
        "ngrok is not installed and could not be downloaded: install it from https://ngrok.com and set ngrok_path.",
    )
    assert httpx.get(f"{dig.server.url}/healthz").status_code == 200


def test_the_reserved_domain_is_asked_for(ngrok, dig):
    _, said = dig(ngrok_domain="quiz.example.org")
    wait_for(said, "The tunnel is open")
    from pyngrok import process

    api = process._current_processes[str(ngrok.path)].api_url
    (endpoint,) = httpx.get(f"{api}/api/endpoints").json()["endpoints"]
    assert endpoint["asked"]["url"] == "https://quiz.example.org"


@pytest.mark.parametrize("path", ["/researcher/", "/researcher", "/researcher/login", "/", "/metrics"])
def test_the_researchers_pages_stay_on_this_machine(app, path):
    settings = app.config["SETTINGS"]
    app.wsgi_app = OnlyHere(app.wsgi_app, settings)
    settings.tunnel_address.write_text("https://abc.ngrok.app")
    client = app.test_client()
    assert client.get(path, headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 404
    assert client.get(path, headers={"Host": "abc.ngrok.app"}).status_code == 404
    assert client.get(path).status_code < 400
    assert client.get("/healthz", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 200


def test_run_py_opens_a_tunnel_and_closes_it_with_the_server(ngrok, tmp_path):
    environment = os.environ | {
        "DISCERN_NGROK_PATH": str(ngrok.path), "DISCERN_NGROK_TOKEN": "good", "PYTHONUNBUFFERED": "1"
    }  # fmt: skip
    port, printed = free_port(), tmp_path / "printed"
    command = [sys.executable, str(ROOT / "run.py"), "--instance", str(tmp_path / "instance"), "--port", str(port)]
    with printed.open("w") as out:
        server = subprocess.Popen([*command, "--no-demo", "--tunnel"], env=environment, stdout=out, stderr=out)
    try:
        until = time.monotonic() + 60
        while not (found := re.search(r"The tunnel is open: (\S+)", printed.read_text())):
            assert server.poll() is None, printed.read_text()
            assert time.monotonic() < until, printed.read_text()
            time.sleep(0.1)
        health = httpx.get(f"{found[1]}/healthz", headers={"X-Forwarded-Proto": "http"})
        assert "Strict-Transport-Security" in health.headers  # https, as the tunnel says
        assert httpx.get(f"{found[1]}/researcher/").status_code == 404
        assert httpx.get(f"http://127.0.0.1:{port}/researcher/").status_code == 302
    finally:
        server.terminate()
        assert server.wait(20) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(ngrok.pid, 0)
    done = subprocess.run([*command, "--tunnel", "--workers", "2"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "A tunnel serves a single process" in done.stderr


def test_a_switch_that_is_neither_true_nor_false_is_named(tmp_path):
    with pytest.raises(SettingsError, match="neither true nor false"):
        Settings.load({"DISCERN_TUNNEL_RESEARCHER": "perhaps"}, instance=tmp_path)
    assert Settings.load({"DISCERN_TUNNEL_RESEARCHER": "True"}, instance=tmp_path).tunnel_researcher is True
