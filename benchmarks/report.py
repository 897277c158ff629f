"""Time and memory of the whole report, where the time goes, and two drawing processes compared with one.

    python benchmarks/report.py [--readers N] [--cases N] [--bootstrap N]
    python benchmarks/report.py --readers 20 --cases 400 --sources 4    four generators compared with one

The study is simulated: readers of varying skill, cases of varying difficulty, times, groups. Each run uses a fresh
interpreter; memory is the sum of the peak resident sizes of the interpreter and of its largest drawing process.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PROFILE = """
import json, resource, sys, time
from pathlib import Path
from analysis.designs.common import Settings
from analysis.report import write
from analysis.responses import load_csv
start, marks = time.perf_counter(), []
def progress(share, what):
    marks.append((what, time.perf_counter() - start))
source, out, bootstrap, workers = sys.argv[1:]
responses = load_csv(source)
progress(0, "load")
write(responses, out, Settings(bootstrap=int(bootstrap)), progress, int(workers))
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
memory = sum(one.ru_maxrss for one in used) / 1024
work = sum(one.ru_utime + one.ru_stime for one in used)
print(json.dumps({"marks": marks, "memory": memory, "work": work}))
"""


def simulate(path: Path, readers: int, cases: int, seed: int = 0, sources: int = 1) -> Path:
    """Write the responses of a simulated rating study to `path`, with `sources` identical synthetic sources."""
    rng = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    difficulty, skill = rng.normal(0, 0.7, cases), rng.normal(1.4, 0.4, readers)
    cuts = np.sort(rng.normal([-0.9, -0.15, 0.35, 1.2], 0.15, (readers, 4)), axis=1)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        header = "study,design,reader,reader_group,trial,position,case,truth,source,level,response_ms,late,is_repeat"
        writer.writerow(header.split(","))
        for reader in range(readers):
            seen = (truth - 0.5) * skill[reader] + difficulty + rng.normal(0, 1, cases)
            levels = 1 + np.searchsorted(cuts[reader], seen)
            slow = rng.lognormal(1.6, 0.45, cases) * np.where(
                levels == 3, 1.5, np.where((levels == 2) | (levels == 4), 1.2, 1)
            )
            name, group = f"R{reader + 1}", ("early-career", "experienced")[reader % 2]
            for place, case in enumerate(rng.permutation(cases), start=1):
                ms = round(1000 * slow[case])
                source = f"generator-{case // 2 % sources + 1}" if truth[case] else "hospital"
                what = ["synthetic" if truth[case] else "real", source, levels[case], ms]
                trial = f"{name}-{place}"
                writer.writerow(
                    ["sim", "rating", name, group, trial, place, f"c{case + 1}", *what, int(ms > 12_000), 0]
                )
            for case in rng.choice(cases, min(20, cases // 4), replace=False):
                again = int(np.clip(levels[case] + rng.choice([-1, 0, 0, 1]), 1, 5))
                what = ["synthetic" if truth[case] else "real", "", again, 4000]
                writer.writerow(
                    ["sim", "rating", name, group, f"{name}-r{case}", cases + 1, f"c{case + 1}", *what, 0, 1]
                )
    return path


def run(source: Path, out: Path, bootstrap: int, workers: int) -> tuple[float, dict]:
    """Seconds of one report in a fresh interpreter, and what it recorded on the way."""
    start = time.perf_counter()
    command = [sys.executable, "-c", PROFILE, str(source), str(out), str(bootstrap), str(workers)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return time.perf_counter() - start, json.loads(done.stdout.splitlines()[-1])


def compare_sources(wanted: argparse.Namespace) -> None:
    """Print the time of a report with several sources as a multiple of that with one source, in turn."""
    print(f"{wanted.readers} readers x {wanted.cases} cases, {wanted.sources} sources against one, one drawing process")
    with tempfile.TemporaryDirectory() as name:
        made = {
            count: simulate(Path(name) / f"{count}.csv", wanted.readers, wanted.cases, sources=count)
            for count in (1, wanted.sources)
        }
        took: dict[int, list[tuple[float, float]]] = {count: [] for count in made}
        for _ in range(wanted.times):
            for count, source in made.items():
                seconds, noted = run(source, Path(name) / f"out{count}", wanted.bootstrap, 1)
                took[count].append((seconds, noted["work"]))
    for what, at in (("whole run", 0), ("processor time", 1)):
        one, several = (min(each[at] for each in took[count]) for count in made)
        print(f"{what:15} {one:5.1f} s, {several:5.1f} s: {several / one:.2f} x")


def main() -> None:
    """Simulate a study, create reports with two drawing processes and with one, and print times and profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=6)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--bootstrap", type=int, default=10_000)
    parser.add_argument("--sources", type=int, default=1, help="number of synthetic sources, compared with one source")
    parser.add_argument("--times", type=int, default=3, help="how often several sources are compared with one (3)")
    wanted = parser.parse_args()
    if wanted.sources > 1:
        compare_sources(wanted)
        return
    with tempfile.TemporaryDirectory() as name:
        source = simulate(Path(name) / "responses.csv", wanted.readers, wanted.cases)
        runs = {workers: run(source, Path(name) / f"out{workers}", wanted.bootstrap, workers) for workers in (2, 1)}
    took, notes = runs[2]
    print(f"{wanted.readers} readers x {wanted.cases} cases, {wanted.bootstrap} bootstraps")
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f}")
    for workers, (seconds, noted) in runs.items():
        sizes = f"{seconds:6.1f} s, {noted['work']:5.1f} s of processor time, {noted['memory']:5.0f} MB"
        print(f"drawing processes: {workers}  {sizes}   {seconds / took:.2f} x")
    print("where the time goes (two processes):")
    marks = [*notes["marks"], ["end", took]]
    spent: dict[str, float] = {"start and imports": took - notes["marks"][-1][1]}
    for (what, begin), (_, end) in zip(marks[:-1], [*marks[1:-1], ["end", marks[-2][1]]], strict=True):
        spent[what] = spent.get(what, 0.0) + end - begin
    for what, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {what:28}{seconds:6.2f} s{seconds / took:6.0%}")


if __name__ == "__main__":
    main()
