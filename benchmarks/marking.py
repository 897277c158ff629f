"""What marks cost the server: the answers of a study with marks, compared with the same study without.

    python benchmarks/marking.py [--trials 400] [--rounds 5]

Two readers take the same cases in turn, through the application itself on its own database file, without a network: the
study of one asks for marks after half of the answers, that of the other does not. Processor time is measured, because
other work on the machine does not affect it: for onset and answer of each trial and, separately, for the marks, which
are requests that the other study does not have. The output is the median over rounds of the ratio for onset and answer,
with the smallest and largest, and the ratio that includes the requests with marks.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import flask_migrate
import numpy as np

import generation.pool as pool
from quiz_app import create_app
from quiz_app.database import db
from quiz_app.pools import importing
from quiz_app.settings import Settings
from quiz_app.study import lifecycle, readers

PLAIN = {"groups": [], "ask_years": False, "break_every": 0, "practice": 0, "limit_s": 0.0}


class Reader:
    """A reader of their own study, and the milliseconds that the server took for each kind of request."""

    def __init__(self, app: Any, slug: str, **settings: Any) -> None:
        with app.app_context():
            found = db.session.query(importing.Pool).one()
            study = lifecycle.create(slug, found, slug=slug, seed=1, settings=PLAIN | settings)
            lifecycle.open_study(study)
            _, token = readers.invite(study, "R1")
            db.session.commit()
            db.session.remove()
        self.client, self.base = app.test_client(), f"/r/{token}/"
        self.took: dict[str, list[float]] = {"onset": [], "answer": [], "marks": []}
        for path, form in (("welcome", {"consent": "yes"}), ("about", {}), ("instructions", {})):
            self.client.post(self.base + path, data=form)
        self.lease = self.post("claim")["lease"]
        self.step = self.post("continue")["step"]

    def post(self, path: str, **body: Any) -> Any:
        """The server's response; its time is recorded under the last word of the path."""
        began = time.process_time()
        response = self.client.post(self.base + path, json=body | ({"lease": self.lease} if path != "claim" else {}))
        self.took.setdefault(path.rpartition("/")[2], []).append(1000 * (time.process_time() - began))
        assert response.status_code == 200, response.text
        return response.get_json()

    def judge(self, number: int) -> None:
        """Answer one trial, "synthetic" every second time, with marks if they are requested."""
        trial = self.step["trial"]["trial"]
        self.post(f"trials/{trial}/onset")
        answer = "synthetic" if number % 2 else "real"
        said = {"id": str(uuid.uuid4()), "answer": answer, "certainty": "full", "client_ms": 900}
        self.step = self.post(f"trials/{trial}/answer", **said)["step"]
        if self.step["kind"] == "marks":
            marks = [{"place": 1, "x": 0.1 * place, "y": 0.5, "reason": "teeth"} for place in range(1, 4)]
            said = {"id": str(uuid.uuid4()), "outcome": "marked", "marks": marks}
            self.step = self.post(f"trials/{trial}/marks", **said)["step"]


def furnish(instance: Path, cases: int) -> Any:
    """An application on its own database, with a pool of noise images."""
    rng = np.random.Generator(np.random.PCG64(1))
    pixels = (pool.encode(rng.integers(0, 256, (32, 64), dtype=np.uint8)) for _ in range(cases))
    entries = [pool.Entry(("real", "synthetic")[number % 2], "", data) for number, data in enumerate(pixels)]
    pool.write(instance / "pool", entries, name="Noise", seed=1, width=64, height=32, how={"real": "", "synthetic": ""})
    app = create_app(Settings.load({}, instance=instance))
    with app.app_context():
        flask_migrate.upgrade()
        importing.import_folder(instance / "pool", app.config["SETTINGS"].images, "noise")
        db.session.commit()
        db.session.remove()
    return app


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400, help="an even number (default 400)")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    answers, whole, marks = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        app = furnish(Path(folder), args.trials)
        for number in range(args.rounds):
            plain = Reader(app, f"plain-{number}")
            marked = Reader(app, f"marked-{number}", marks="optional")
            for trial in range(args.trials):
                pair = (plain, marked) if trial % 2 else (marked, plain)
                for reader in pair:
                    reader.judge(trial)
            sums = [sum(reader.took["onset"] + reader.took["answer"]) / args.trials for reader in (plain, marked)]
            one = statistics.median(marked.took["marks"])
            print(f"round {number + 1}: a trial {sums[0]:.2f} ms without, {sums[1]:.2f} ms with; marks {one:.2f} ms")
            answers.append(sums[1] / sums[0])
            whole.append((sums[1] + sum(marked.took["marks"]) / args.trials) / sums[0])
            marks.append(one)
    print(
        f"onset and answer with marks, of those without: {statistics.median(answers):.3f} times "
        f"({min(answers):.3f} to {max(answers):.3f})\n"
        f"a request with three marks: {statistics.median(marks):.2f} ms; "
        f"all requests of a trial, marks after every second answer: {statistics.median(whole):.2f} times"
    )
    return int(statistics.median(answers) > 1.15)


if __name__ == "__main__":
    sys.exit(main())
