"""How long `python run.py` takes to answer /healthz, compared with a bare Flask page served by the same waitress.

The instance is prepared beforehand (the database exists, no demonstration is drawn). Prints the medians and their
ratio.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
RUNS = 7
BARE = """
import sys, waitress
from flask import Flask
app = Flask("bare")
app.add_url_rule("/healthz", view_func=lambda: {"status": "ok"})
waitress.serve(app, port=int(sys.argv[1]), host="127.0.0.1")
"""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def seconds_to_answer(command: list[str], port: int) -> float:
    """Seconds from the start of the process to its first 200 response."""
    start = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while time.perf_counter() - start < 60:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200:
                    return time.perf_counter() - start
            except httpx.HTTPError:
                time.sleep(0.02)
        raise SystemExit(f"no answer within 60 s: {command}")
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    with tempfile.TemporaryDirectory() as instance:

        def ours() -> float:
            port = free_port()
            options = ["--instance", instance, "--port", str(port), "--no-demo"]
            return seconds_to_answer([sys.executable, str(ROOT / "run.py"), *options], port)

        def bare() -> float:
            port = free_port()
            return seconds_to_answer([sys.executable, "-c", BARE, str(port)], port)

        first = ours()
        pairs = [(ours(), bare()) for _ in range(RUNS)]
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"first start, new database    {first:6.2f} s")
    print(f"run.py                       {a:6.2f} s   (median of {RUNS})")
    print(f"bare Flask page              {b:6.2f} s")
    print(f"ratio                        {a / b:6.2f}")


if __name__ == "__main__":
    main()
