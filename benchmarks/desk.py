"""The researcher's desk with a large study: the live page, and the export of a million rows.

    python benchmarks/desk.py [--readers 500] [--cases 200] [--rows 1000000]

The live page gets the rows of all readers from two queries. In the same run, this is compared with one query per reader
through the models, both in processor time; then a request for the page is timed when it is created, and when it comes
from the cache. The export streams through `responses_csv.lines`; this is compared with fetching the same rows at once
and writing them with the csv module. Memory is the peak of a separate process (VmHWM; Linux).
"""

from __future__ import annotations

import argparse
import csv
import io
import multiprocessing
import secrets
import tempfile
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import flask_migrate
import numpy as np
import sqlalchemy as sa
from flask import Flask
from werkzeug.security import generate_password_hash

from quiz_app import clock, create_app
from quiz_app.caching import FRESH_S
from quiz_app.database import db, reading
from quiz_app.exchange import responses_csv
from quiz_app.models import Answer, Case, Event, Pool, Reader, Researcher, Sitting, Study, Trial, TrialCase
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, monitor

# Answer and certainty at each level, from surely real to surely synthetic.
SAID = (("real", "full"), ("real", "partial"), ("unsure", None), ("synthetic", "partial"), ("synthetic", "full"))


def fill(readers: int, cases: int, seed: int = 0, settings: dict[str, Any] | None = None) -> Study:
    """A study in which every reader has answered every case, over ten days; somewhat better than chance."""
    random = np.random.Generator(np.random.PCG64(seed))
    now = clock.now().replace(microsecond=0) - timedelta(days=10)
    pool = Pool(slug="big", name="big", width=1, height=1, manifest={"how": {}}, sha256="0" * 64, served_bytes=1,
                created_at=now)  # fmt: skip
    truths, sources = ("real", "synthetic"), ("clinic", "generator A", "clinic", "generator B")
    pool.cases = [
        Case(name=f"c{n}", file=f"c{n}", truth=truths[n % 2], source=sources[n % 4], sha256="0" * 64, width=1, height=1,
             stored=f"c{n}.png")
        for n in range(cases)
    ]  # fmt: skip
    db.session.add(pool)
    study = lifecycle.create("Big", pool, slug="big", settings={"practice": 0} | (settings or {}))
    study.state, study.opened_at = "open", now
    db.session.flush()
    insert = db.session.connection().execute
    everyone, every = range(1, readers + 1), range(1, readers * cases + 1)
    insert(sa.insert(Reader), [
        {"id": r, "study_id": study.id, "pseudonym": f"R{r}", "group": ("EC", "EP")[r % 2], "token_hash": f"{r}",
         "created_at": now, "consented_at": now} for r in everyone
    ])  # fmt: skip
    insert(sa.insert(Sitting), [
        {"id": r, "reader_id": r, "seed": r, "created_at": now, "instructed_at": now,
         "finished_at": now + timedelta(days=10 * r / readers, seconds=5 * cases)} for r in everyone
    ])  # fmt: skip
    insert(sa.insert(Event), [
        {"at": now, "kind": kind, "study_id": study.id, "sitting_id": r, "actor": f"R{r}",
         "details": {"answered": 25}}
        for r in everyone for kind in ("claimed", *["went-on"] * 8)
    ])  # fmt: skip
    begun = [timedelta(days=10 * r / readers) for r in everyone]
    seen = random.normal(0.8 * (np.arange(cases) % 2), 1, (readers, cases)) + random.normal(0, 0.5, cases)
    levels = 1 + np.digitize(seen, [-0.7, 0.1, 0.5, 1.3])
    took = random.gamma(4, 1500, (readers, cases)).astype(int) + 500
    for start in range(0, len(every), 50_000):
        part = every[start : start + 50_000]
        at = {n: divmod(n - 1, cases) for n in part}
        times = {n: now + begun[r] + timedelta(seconds=5 * c) for n, (r, c) in at.items()}
        insert(sa.insert(Trial), [
            {"id": n, "sitting_id": 1 + r, "token": f"{n}", "position": 1 + c, "block": 1, "study_version": 1,
             "released_at": times[n], "onset_at": times[n], "answered_at": times[n], "response_ms": int(took[r, c]),
             "client_ms": int(took[r, c]) - 10, "late": False} for n, (r, c) in at.items()
        ])  # fmt: skip
        insert(sa.insert(TrialCase), [
            {"id": n, "trial_id": n, "case_id": pool.cases[c].id, "token": f"{n}"} for n, (_, c) in at.items()
        ])  # fmt: skip
        said = {n: SAID[levels[r, c] - 1] for n, (r, c) in at.items()}
        insert(sa.insert(Answer), [
            {"id": f"{n}", "trial_case_id": n, "criterion": "", "answer": said[n][0], "certainty": said[n][1],
             "level": int(levels[r, c])} for n, (r, c) in at.items()
        ])  # fmt: skip
    db.session.commit()
    return study


def one_by_one(session: Any, study: Study) -> list[tuple[str, int]]:
    """The number of answers of each reader, through the models."""
    readers = session.scalars(sa.select(Reader).filter_by(study_id=study.id))
    return [(reader.pseudonym, sum(t.answered_at is not None for t in reader.sitting.trials)) for reader in readers]


def best(call: Any, times: int) -> float:
    """Seconds of processor time of the fastest of `times` calls."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def looks(app: Flask) -> tuple[float, float]:
    """Processor time of a request for the live page, in seconds: when created, and when cached."""
    password = secrets.token_urlsafe()
    with app.app_context():
        db.session.add(Researcher(name="a", password_hash=generate_password_hash(password), is_admin=True,
                                  created_at=clock.now()))  # fmt: skip
        db.session.commit()
        db.session.remove()
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.post("/researcher/login", data={"name": "a", "password": password})
    look = partial(client.get, "/researcher/studies/big/live?part")
    assert look().status_code == 200
    made = []
    for _ in range(3):
        time.sleep(1.5 * FRESH_S)
        made.append(best(look, 1))
    look()
    return min(made), best(look, 3)


def streamed() -> int:
    with reading() as session:
        return sum(1 for _ in responses_csv.lines(session, "big")) - 1


def at_once() -> int:
    with reading() as session:
        rows = session.execute(sa.text("SELECT * FROM responses WHERE study = 'big'")).all()
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return len(rows)


def peak() -> float:
    """The peak memory of this process in megabytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measured(instance: str, name: str, queue: Any) -> None:
    """Run in a separate process, to have its own peak: rows, seconds, megabytes before and at the peak."""
    app = create_app(Settings.load({}, instance=instance))
    with app.app_context():
        before, start = peak(), time.process_time()
        rows = {"streamed": streamed, "at once": at_once}[name]()
        queue.put((rows, time.process_time() - start, before, peak()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=500, help="readers on the live page")
    parser.add_argument("--cases", type=int, default=200, help="cases that each reader has answered")
    parser.add_argument("--rows", type=int, default=1_000_000, help="approximate number of exported rows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings.load({}, instance=Path(folder) / "live"))
        with app.app_context():
            flask_migrate.upgrade()
            fill(arguments.readers, arguments.cases)
            with reading() as session:
                study = session.scalars(sa.select(Study)).one()
                ours = best(lambda: monitor.progress(session, study), 5)
                theirs = best(lambda: (session.expire_all(), one_by_one(session, study)), 1)
            db.session.remove()
        made, kept = looks(app)
        with app.app_context():
            db.engine.dispose()
        print(f"live page, {arguments.readers} readers x {arguments.cases}: {1000 * ours:.0f} ms in two queries,")
        print(f"  {1000 * theirs:.0f} ms with one query per reader: {theirs / ours:.0f} times")
        print(f"one request: {1000 * made:.0f} ms created, {1000 * kept:.1f} ms cached: {made / kept:.0f} times")
        app = create_app(Settings.load({}, instance=Path(folder) / "export"))
        with app.app_context():
            flask_migrate.upgrade()
            fill(max(1, arguments.rows // arguments.cases), arguments.cases)
            db.session.remove()
            db.engine.dispose()
        found = {}
        for name in ("streamed", "at once"):
            context = multiprocessing.get_context("spawn")
            queue = context.Queue()
            process = context.Process(target=measured, args=(f"{folder}/export", name, queue))
            process.start()
            found[name] = queue.get()
            process.join()
            rows, seconds, before, most = found[name]
            print(f"export {name}: {rows} rows in {seconds:.1f} s, {most:.0f} MB at most, {before:.0f} MB before")


if __name__ == "__main__":
    main()
