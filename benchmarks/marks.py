"""Marks of simulated readers, and whether the report's statements about them are right.

    python benchmarks/marks.py [speed] [--readers 6] [--cases 200]  a report with three marks per answer, and without
    python benchmarks/marks.py peaks                               densities of phantoms' marks peak within the faults
    python benchmarks/marks.py coverage [--runs 300]               the interval of JAFROC over many studies

Simulated readers are those of `discern simulate`: they mark near a fault with a probability that increases with its
size, otherwise at random.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import astuple
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.random import PCG64, Generator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.statistics import localisation, places
from benchmarks import report as plain
from generation.known_faults import FIELDS, KnownFault
from quiz_app.designs.observer import Observer

REASONS = ("teeth", "roots", "bone and trabeculae", "sinuses and nose", "blur or noise", "overall look")
ASPECT = 2.0
ASKED = {"places": [1], "most": 3, "reasons": REASONS, "rating": True}


def faults(rng: Generator) -> list[KnownFault]:
    """One or two faults of a case."""
    half = rng.uniform(0.03, 0.12, int(rng.integers(1, 3)))
    return [
        KnownFault("stripes" if rx > 0.07 else "missing part", rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.8), rx, 2 * rx)
        for rx in map(float, half)
    ]


def simulate(responses: Path, folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write marks.csv and faults.csv for the responses that `benchmarks.report.simulate` wrote; returns both.

    Each answer has three marks, the default maximum; those not attracted by a fault are placed at random.
    """
    rng = Generator(PCG64(seed))
    with responses.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["is_repeat"] == "0"]
    cases = {row["case"]: row["truth"] for row in rows}
    known = {case: faults(rng) if truth == "synthetic" else [] for case, truth in cases.items()}
    observers = {name: Observer.drawn(seed, number) for number, name in enumerate({row["reader"]: 0 for row in rows})}
    marks = []
    for row in rows:
        case, observer = row["case"], observers[row["reader"]]
        own = observer.mark({1: (case, known[case])}, ASKED)["marks"]
        while len(own) < ASKED["most"]:
            own.append({"x": rng.random(), "y": rng.random(), "reason": str(rng.choice(REASONS)), "rating": 2})
        told = [row["reader"], row["trial"], case]
        marks += [[*told, n, one["x"], one["y"], one["reason"], one["rating"]] for n, one in enumerate(own, start=1)]
    paths = folder / "marks.csv", folder / "faults.csv"
    with paths[0].open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["reader", "trial", "case", "mark", "x", "y", "reason", "rating"], *marks])
    with paths[1].open("w", newline="", encoding="utf-8") as file:
        rows_of = [[case, *astuple(one)] for case, own in known.items() for one in own]
        csv.writer(file).writerows([["case", *FIELDS], *rows_of])
    return paths


def peaks(pool: Path, readers: int, seed: int = 0) -> tuple[int, int]:
    """Of the synthetic cases of a pool with at least five marks, how many have the highest density inside a fault."""
    from generation.pool import read_table

    given, found = read_table(pool), []
    observers = [Observer.drawn(seed, number) for number in range(readers)]
    for case, own in given.faults.items():
        marks = [mark for one in observers for mark in one.mark({1: (case, own)}, ASKED)["marks"]]
        if len(marks) < 5:
            continue
        at = places.peak([(mark["x"], mark["y"]) for mark in marks], ASPECT)
        found.append(any(one.contains(*at, (given.width, given.height)) for one in own))
    return sum(found), len(found)


def held(seed: int, readers: int = 6, cases: int = 200) -> tuple[bool, float]:
    """Whether the interval of JAFROC contains .5 in a study with blind readers, and the area.

    Blind readers mark a fault as often and with the same ratings as a real image; each has one place to mark. Readers
    differ in how readily they mark, and images in how much they invite marks.
    """
    rng = Generator(PCG64([seed, 1]))
    truth = np.arange(cases) % 2
    faults = [[case, 0.5, 0.5, 0.1, 0.2, 0.0] for case in np.flatnonzero(truth)]
    reader, case = rng.normal(0, 0.5, readers), rng.normal(0, 0.7, cases)
    seen = reader[:, None] + case + rng.normal(0, 1, (readers, cases))
    rating = 1 + np.searchsorted([0.3, 0.7, 1.1, 1.6], seen)  # below -0.2 nothing is marked
    rows = [[r, c, 0.5, 0.5, rating[r, c], np.nan] for r, c in np.argwhere(seen > -0.2)]
    found = localisation.jafroc(rows, faults, truth, readers=readers)
    return bool(found.ci and found.ci[0] <= 0.5 <= found.ci[1]), float(found.value or 0)


def coverage(runs: int) -> None:
    """Print in how many of the studies the interval contained .5."""
    found = Parallel(n_jobs=1)(delayed(held)(seed) for seed in range(runs))
    inside = [one for one, _ in found]
    areas = np.array([area for _, area in found])
    print(f"{runs} studies of 6 blind readers and 200 cases: mean area {areas.mean():.4f}, ", end="")
    print(f"the 95 % interval contained .5 in {np.mean(inside):.1%}")


PROFILE = """
import resource, sys, time
start = time.perf_counter()
from analysis.report import main
code = main(sys.argv[1:])
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(time.perf_counter() - start, sum(one.ru_utime + one.ru_stime for one in used))
sys.exit(code)
"""


def speed(readers: int, cases: int, rounds: int) -> None:
    """Print the time of a report with three marks per answer and with none, in turn, and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        responses = plain.simulate(folder / "responses.csv", readers, cases)
        marks, known = simulate(responses, folder)
        pool = images(folder / "pool", responses)
        both = ["--responses", responses, "--pool", pool]
        took: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
        for _ in range(rounds):
            for what, more in (("without", []), ("with", ["--marks", marks, "--faults", known])):
                given = [*both, *more, "--out", folder / what]
                command = [sys.executable, "-c", PROFILE, *map(str, given)]
                env = {**os.environ, "OMP_NUM_THREADS": "1"}
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
                seconds, work = map(float, done.stdout.split()[-2:])
                took[what].append((seconds, work))
        print(f"{readers} readers x {cases} cases x 3 marks, load of the machine {os.getloadavg()[0]:.1f}")
        for place, what in enumerate(("seconds", "processor time")):
            without, having = (min(one[place] for one in took[which]) for which in ("without", "with"))
            print(f"{what}: {without:.1f} s without, {having:.1f} s with marks, {having / without:.2f} times")


def images(folder: Path, responses: Path) -> Path:
    """A pool folder with an image of 1024 x 512 for each case, as needed for the plates and the folder of marks."""
    from PIL import Image

    with responses.open(newline="", encoding="utf-8") as file:
        truths = {row["case"]: row["truth"] for row in csv.DictReader(file)}
    (folder / "images").mkdir(parents=True)
    (folder / "pool.json").write_text(json.dumps({"format": 1, "width": 1024, "height": 512}))
    rng = Generator(PCG64(0))
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["case", "file", "truth"])
        for case, truth in truths.items():
            grain = Image.fromarray(rng.integers(0, 256, (64, 128), dtype=np.uint8)).resize((1024, 512))
            grain.save(folder / "images" / f"{case}.png")
            table.writerow([case, f"images/{case}.png", truth])
    return folder


def main() -> None:
    """Run what the command line requests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="speed", choices=["speed", "peaks", "coverage"])
    parser.add_argument("--readers", type=int, default=6)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--pool", type=Path, help="for peaks: a pool of phantoms; if not given, 100 are drawn")
    wanted = parser.parse_args()
    if wanted.what == "speed":
        speed(wanted.readers, wanted.cases, wanted.rounds)
    elif wanted.what == "coverage":
        coverage(wanted.runs)
    else:
        with tempfile.TemporaryDirectory() as name:
            pool = wanted.pool or Path(name) / "pool"
            if wanted.pool is None:
                from generation import phantom

                phantom.make_pool(pool, real=1, synthetic=100, practice=0)
            inside, of = peaks(pool, wanted.readers)
        print(f"{of} cases with five or more marks of {wanted.readers} readers: ", end="")
        print(f"{inside} ({inside / of:.1%}) peak in a fault")


if __name__ == "__main__":
    main()
