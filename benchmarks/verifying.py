"""How long `discern verify` takes, relative to the report in the same run.

    python benchmarks/verifying.py [--repeats N] [--bootstrap N]

Each runs in its own process, as on the command line. Goal: at most 1.5 times as long.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOST = 1.5


def timed(*words: str) -> float:
    """Seconds that `python -m analysis...` takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bootstrap", default="10000")
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(options.repeats):
            report = ["analysis.report", "--example", "--bootstrap", options.bootstrap, "--out", str(folder / "report")]
            made = timed(*report)
            verified = timed("analysis.verify", str(folder / "report" / "archive.zip"), "--out", str(folder / "out"))
            ratios.append(verified / made)
            print(f"report {made:.1f} s, verify {verified:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    middle = statistics.median(ratios)
    print(f"median ratio {middle:.2f}, goal at most {MOST}: {'reached' if middle <= MOST else 'NOT REACHED'}")
    sys.exit(middle > MOST)


if __name__ == "__main__":
    main()
