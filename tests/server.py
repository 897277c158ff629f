"""The application as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time as stopwatch

import httpx


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


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
