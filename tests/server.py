"""The application as a separate process, and servers around it."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import subprocess
import sys
import time as stopwatch
from contextlib import suppress
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for_a_fresh_minute() -> None:
    """Limits count by the minutes of the clock; one must not end in the middle of a test."""
    if (left := 60 - stopwatch.time() % 60) < 15:
        stopwatch.sleep(left)


def certify(folder: Path) -> None:
    """A certificate for localhost, signed by itself, and its key, in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


class Server:
    """The application as a separate process, which can be killed and started again at the same address."""

    factory = "quiz_app"  # the module whose create_app it is

    def __init__(self, environment: dict[str, str]) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self.environment = os.environ | environment
        self.start()

    def command(self) -> list[str]:
        """One process, as `discern run` serves it."""
        host, port = self.address.split(":")
        script = f"from {self.factory} import create_app; from quiz_app import serving; "
        return [sys.executable, "-c", f"{script}serving.serve(create_app(), {host!r}, {port}, 1)"]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command(), env=self.environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        until = stopwatch.monotonic() + 90  # a busy machine takes its time
        while not self.answers():
            assert self.process.poll() is None, "the server ended at once"
            assert stopwatch.monotonic() < until, "the server does not answer"
            stopwatch.sleep(0.05)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """At once, as a power cut would, with every process it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


class Workers(Server):
    """`discern run --workers 2`: a parent and its two workers."""

    def command(self) -> list[str]:
        host, port = self.address.split(":")
        return [sys.executable, "run.py", "--no-demo", "--workers", "2", "--host", host, "--port", port]

    def workers(self) -> list[int]:
        """Their process ids, as Linux tells them."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except FileNotFoundError:
            return []
