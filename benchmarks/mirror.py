"""What the mirror costs a reader: `python benchmarks/mirror.py`, with the emulator of .ci/firestore-emulator.

Six simulated readers take a study with Firestore two seconds away (a relay delays everything), and without a mirror.
The result is the ratio of the rates of acknowledged answers with and without the mirror, from the best of four runs
each, in turn. Then 1,200 waiting answers are sent to a nearby emulator.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Queue

import flask_migrate
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from generation import phantom
from quiz_app import create_app, simulation
from quiz_app.database import db, reading
from quiz_app.exchange import mirror
from quiz_app.models import Answer, Pool
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import lifecycle

ROOT = Path(__file__).resolve().parents[1]
AWAY_S, READERS, CASES, RUNS, WAITING = 2.0, 6, 30, 4, 1200


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def relay(port: int, target: int) -> None:
    """Forward connections from `port` to `target`; what is sent arrives AWAY_S later, in order."""

    def receive(source: socket.socket, under_way: Queue[tuple[float, bytes]]) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                under_way.put((time.monotonic() + AWAY_S, data))
        under_way.put((0.0, b""))

    def carry(source: socket.socket, to: socket.socket) -> None:
        under_way: Queue[tuple[float, bytes]] = Queue()
        threading.Thread(target=receive, args=(source, under_way), daemon=True).start()
        with suppress(OSError):
            while (told := under_way.get())[1]:
                time.sleep(max(0.0, told[0] - time.monotonic()))
                to.sendall(told[1])
            to.shutdown(socket.SHUT_WR)

    def hand_back(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    listener = socket.create_server(("127.0.0.1", port))
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", target))
        threading.Thread(target=carry, args=(near, far), daemon=True).start()
        threading.Thread(target=hand_back, args=(far, near), daemon=True).start()


def account(path: Path) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    told = {"type": "service_account", "project_id": "demo-bench", "private_key": key.private_bytes(*kinds).decode()}
    told |= {"client_email": "b@demo-bench.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token"}
    path.write_text(json.dumps(told))
    return str(path)


def rate(app: Flask, settings: Settings, pool: int) -> float:
    """Acknowledged answers per second."""
    app.config["SETTINGS"] = settings
    with app.app_context():
        rules = {"cases": CASES, "practice": 0}
        study = lifecycle.create(str(uuid.uuid4()), db.session.get(Pool, pool), settings=rules)
        lifecycle.open_study(study)
        slug = study.slug
        db.session.commit()
    stop = threading.Event()
    worker = mirror.Worker(app)
    thread = threading.Thread(target=worker.run, args=[stop])
    if settings.firestore_credentials:
        thread.start()
        while worker.client is None:  # like a server that has been running for a while
            time.sleep(0.1)
    began = time.perf_counter()
    outcomes = simulation.run(app, slug, READERS)
    seconds = time.perf_counter() - began
    stop.set()
    if settings.firestore_credentials:
        thread.join()
    assert not any(outcome.refusal for outcome in outcomes)
    return sum(len(outcome.saved) for outcome in outcomes) / seconds


def main() -> None:
    """Start the emulator and the relay, and measure."""
    packages = os.environ.get("DISCERN_TEST_FIRESTORE")
    if not packages:
        print("skipped: set DISCERN_TEST_FIRESTORE, see .ci/firestore-emulator")
        return
    near, away = free_port(), free_port()
    node = ["node", str(ROOT / "tests" / "firestore.js"), str(near)]
    emulator = subprocess.Popen(node, env=os.environ | {"NODE_PATH": packages}, stdout=subprocess.PIPE, text=True)
    assert emulator.stdout is not None
    emulator.stdout.readline()
    threading.Thread(target=relay, args=(away, near), daemon=True).start()
    try:
        measure(near, away)
    finally:
        emulator.kill()


def measure(near: int, away: int) -> None:
    """Print both results; `near` and `away` are the ports of the emulator and of the relay to it."""
    with tempfile.TemporaryDirectory() as folder:
        phantom.make_pool(Path(folder) / "pool", CASES // 2, CASES // 2, 0, 1)
        plain = Settings.load({}, instance=Path(folder) / "instance")
        mirrored = replace(plain, firestore_credentials=account(Path(folder) / "key.json"))
        app = create_app(plain)
        with app.app_context():
            flask_migrate.upgrade()
            pool = importing.import_folder(Path(folder) / "pool", plain.images)
            db.session.commit()
            pool_id = pool.id
        os.environ["FIRESTORE_EMULATOR_HOST"] = f"127.0.0.1:{away}"
        rate(app, mirrored, pool_id)  # the first run is slow in both cases
        rates = [(rate(app, mirrored, pool_id), rate(app, plain, pool_id)) for _ in range(RUNS)]
        with_it, without = (max(each) for each in zip(*rates, strict=True))
        print(
            f"{with_it:.1f} answers/s with Firestore {AWAY_S:g} s away, {without:.1f} without: {with_it / without:.2f}"
        )
        os.environ["FIRESTORE_EMULATOR_HOST"] = f"127.0.0.1:{near}"
        app.config["SETTINGS"] = mirrored
        with app.app_context():
            shown = db.session.query(Answer).first().trial_case
            worker = mirror.Worker(app)
            worker.begin()
            while worker.send():
                pass
            for number in range(WAITING):
                said = {"answer": "real", "certainty": "full", "level": 1}
                db.session.add(Answer(id=str(uuid.uuid4()), trial_case=shown, criterion=f"c{number}", **said))
            db.session.commit()
            began = time.perf_counter()
            while worker.send():
                pass
            print(f"{WAITING} waiting answers sent in {time.perf_counter() - began:.1f} s")
            with reading() as session:
                assert mirror.status(session)["waiting"] == 0


if __name__ == "__main__":
    sys.exit(main())
