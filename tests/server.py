"""The application as a process of its own, and what stands around one."""

from __future__ import annotations

import datetime
import os
import socket
import subprocess
import sys
import time as stopwatch
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


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
    """The application as a process of its own, which can be killed and started again at the same address."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        self.environment = os.environ | environment
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "waitress", f"--listen={self.address}", "--call", "quiz_app:create_app"]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = stopwatch.monotonic() + 30
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
        """At once, as a power cut would."""
        self.process.kill()
        self.process.wait()
