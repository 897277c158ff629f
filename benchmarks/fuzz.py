"""Corrupted images, tables, archives and pools for several minutes: each must be read or refused with a clear error.

    python benchmarks/fuzz.py [--minutes 10] [--seed 0] [--keep DIR]

tests/fuzzing.py creates the files from seeds, and tests/test_fuzz.py runs some of them. If anything other than a result
or Discern's own error occurs, it is printed with its seed, its file is kept, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests import fuzzing

EACH = {"image": 400, "table": 200, "archive": 15, "pool": 15}  # number of files of each kind before the next kind


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first file; the others follow from it")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "discern-fuzz"))
    args = parser.parse_args()
    end, turn, counts, shown = time.monotonic() + 60 * args.minutes, 0, Counter(), Counter()
    while time.monotonic() < end:
        for kind, number in EACH.items():
            first = args.seed + turn * number
            for seed, found in fuzzing.outcomes(kind, range(first, first + number)):
                good = found in (fuzzing.VALUE, fuzzing.REFUSED, fuzzing.LOST)
                counts[kind, found if good else "WRONG"] += 1
                last = "\n".join(found.splitlines()[-8:])
                if not good and not shown[last]:
                    kept = fuzzing.keep(seed, kind, args.keep) if "Traceback" in found else "nowhere: it is lost"
                    print(f"{kind}, seed {seed}, kept in {kept}:\n{found}", flush=True)
                shown[last] += not good
        turn += 1
    for (kind, found), number in sorted(counts.items()):
        print(f"{kind}: {found} {number}")
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main())
