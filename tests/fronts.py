"""nginx with https in front of servers of these tests, by the file that the guide gives to its readers."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import missing
from tests.server import ROOT, certify, free_port

FILE = ROOT / "docs" / "deploy" / "nginx.conf"


@contextmanager
def fronted(folder: Path, ports: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """nginx in front of the servers at `ports` of this machine: its address. Its certificate is trusted meanwhile."""
    nginx = shutil.which("nginx") or missing("nginx")
    port = free_port()
    certify(folder)
    machine = "server 127.0.0.1:5000;"
    server = (
        FILE.read_text("utf-8")
        .replace("443", str(port))
        .replace("quiz.example.org;", "localhost;", 1)
        .replace("/etc/letsencrypt/live/quiz.example.org", str(folder))
        .replace(machine, "\n".join(machine.replace("5000", str(port)) for port in ports), 1)
        .replace(machine, machine.replace("5000", str(ports[0])))
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}}\n"
        f"http {{ access_log {folder}/access; {places}\n{server} }}"
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "fullchain.pem"))
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        wait_for(f"https://localhost:{port}", process)
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server that `process` is answers at `url`."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, "ended at once"
        try:
            if httpx.get(f"{url}/healthz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"{url} does not answer")
