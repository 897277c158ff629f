"""Tools for administrators: metrics, logs, the check before a start, the files for containers."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from contextlib import closing

import httpx
import pytest
import yaml

from quiz_app.database import db
from quiz_app.models import Case
from quiz_app.study import readers
from tests.server import ROOT, Server, Workers, free_port

DEPLOY = ROOT / "docs" / "deploy"


def numbers(text):
    """The lines of /metrics: name with labels -> value."""
    return {name: float(value) for name, value in re.findall(r"^(discern_\S+(?: way\"})?) (\S+)$", text, re.MULTILINE)}


def test_metrics_count_what_is_stored_and_what_was_asked(app, make_study, invite):
    study = make_study()
    invite(study, "R1").enter().finish()
    invite(study, "R2").enter()
    told = numbers(app.test_client().get("/metrics").text)
    assert told['discern_studies{state="open"}'] == 1
    assert (told['discern_sittings{state="finished"}'], told['discern_sittings{state="under way"}']) == (1, 1)
    assert (told["discern_readers"], told["discern_answers"]) == (2, 15)
    asked = 'discern_request_seconds_count{method="POST",route="/r/<token>/claim",status="200"}'
    assert told[asked] >= 2


def test_metrics_are_told_to_nobody_behind_a_proxy(app):
    assert app.test_client().get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 404


def test_what_was_not_stored_is_counted(app, make_study, serve, sit):
    server = serve()
    sitter = sit(server, make_study())
    before = numbers(httpx.get(f"{server.url}/metrics").text)["discern_not_stored_total"]
    if db.engine.dialect.name != "sqlite":
        pytest.skip("a table that is gone is a programmer's error there")
    db.session.connection().exec_driver_sql("ALTER TABLE answer RENAME TO away")
    db.session.commit()
    assert (
        sitter.answer({"id": "7a3c9f44-31bf-4a8e-a2a1-7c2a9d4a3e55", "answer": "real", "certainty": "full"}).status_code
        == 503
    )
    assert numbers(httpx.get(f"{server.url}/metrics").text)["discern_not_stored_total"] == before + 1


class Logged(Server):
    """A server whose log is kept."""

    def command(self):
        log = self.environment["DISCERN_INSTANCE"] + "/log"
        return ["sh", "-c", f"exec {shlex.join(super().command())} 2>>{shlex.quote(log)}"]


def test_the_log_is_json_and_holds_neither_link_nor_address_whatever_fails(app, make_study):
    settings = app.config["SETTINGS"]
    study = make_study()
    _, token = readers.invite(study, "R1")
    db.session.commit()
    for case in db.session.query(Case):  # so that something fails
        (settings.images / case.stored).unlink()
    db.session.remove()
    server = Logged(
        {"DISCERN_INSTANCE": str(settings.instance), "DISCERN_DATABASE_URL": settings.database_url}
        | {"DISCERN_LOG_JSON": "true", "DISCERN_TRUSTED_PROXIES": "1"}
    )
    try:
        headers = {"X-Forwarded-For": "203.0.113.77"}
        with httpx.Client(base_url=f"{server.url}/r/{token}", timeout=30, headers=headers) as client:
            for page, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
                assert client.post(page, data=form).status_code == 303
            step = client.post("claim", json={}).json()["step"]
            image = step["trial"]["images"][0]["sealed"]
            assert httpx.get(f"{server.url}{image}", headers=headers).status_code == 500
    finally:
        server.kill()
    text = (settings.instance / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    claim = next(line for line in lines if line.get("route") == "/r/<token>/claim")
    assert (claim["method"], claim["status"], claim["level"]) == ("POST", 200, "info")
    assert claim["ms"] > 0
    failed = next(line for line in lines if line["level"] == "error")
    assert failed["message"] == "Exception on /r/<token>/sealed/<image_token> [GET]"
    assert "FileNotFoundError" in failed["exception"]
    assert token not in text
    assert "203.0.113" not in text


def check(instance, *more, url=""):
    environment = os.environ | {"DISCERN_INSTANCE": str(instance), "DISCERN_DATABASE_URL": url}
    command = [sys.executable, "run.py", "--check", "--port", str(free_port()), *more]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_a_check_before_the_start_finds_a_new_instance_well_and_makes_nothing(tmp_path):
    done = check(tmp_path / "instance")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "will be created at the first start" in done.stdout
    assert not (tmp_path / "instance" / "discern.sqlite").exists()


def test_a_check_names_everything_that_is_wrong(app):
    settings = app.config["SETTINGS"]
    db.session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    db.session.commit()
    (settings.instance / "settings.toml").write_text('redis_url = "redis://127.0.0.1:1"\n')
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = check(settings.instance, "--port", str(taken.getsockname()[1]), url=settings.database_url)
    assert done.returncode == 1
    assert "has version 0000; this Discern needs" in done.stdout
    assert "(see above): database, redis, port" in done.stderr


def test_workers_count_together(app, make_study, tmp_path):
    settings = app.config["SETTINGS"]
    make_study()
    db.session.remove()
    server = Workers({"DISCERN_INSTANCE": str(settings.instance), "DISCERN_DATABASE_URL": settings.database_url})
    try:
        for _ in range(20):
            httpx.get(f"{server.url}/r/nothing/")
        told = numbers(httpx.get(f"{server.url}/metrics").text)
        asked = 'discern_request_seconds_count{method="GET",route="/r/<token>/",status="404"}'
        assert told[asked] == 20
    finally:
        server.kill()


def test_what_the_container_is_made_of_is_there():
    text = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert {"run.py", "quiz_app", "migrations", "templates", "static"} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert json.loads(re.search(r"^CMD (.*)$", text, re.MULTILINE).group(1))[0] == "sh"


def test_the_composed_services_fit_together():
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    services = composed["services"]
    assert set(services) == {"database", "redis", "discern", "nginx"}
    assert (DEPLOY / services["discern"]["build"]["context"] / services["discern"]["build"]["dockerfile"]).is_file()
    site = (DEPLOY / "nginx.conf").read_text("utf-8")
    for replaced in ("quiz.example.org;", "127.0.0.1:5000"):
        assert replaced in site
        assert replaced in services["nginx"]["command"][2]
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    assert {name for name in mounted if not name.startswith(".")} == set(composed["volumes"])
