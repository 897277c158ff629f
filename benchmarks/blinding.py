"""Can the truth be predicted from anything that a reader's browser is sent? Every design, whole sittings, real HTTP.

    python benchmarks/blinding.py [--designs rating quartet comparison staircase] [--cases 400] [--readers 2]

tests/crawling.py says how: readers who guess, one by sealed images and the next by images in the clear; every byte,
head, size and moment kept; scikit-learn, with folds and permutations by case. Printed for each design: AUC and p from
what came before the answer to a case, and from all that came before the end; both again with new readers while a p is
at most .05, which chance brings once in twenty times. Of a staircase the second says how much the next exposure tells
of the answer just given: docs/explanation/blinding.md. The exit code is 1 where the truth was predicted before the
answer, or words or checksums of the pool were sent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests import crawling


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", nargs="+", choices=crawling.SOURCES, default=list(crawling.SOURCES))
    parser.add_argument("--cases", type=int, default=400, help="images in the pool (default 400)")
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--permutations", type=int, default=99)
    args = parser.parse_args()
    failed = False
    for design in args.designs:
        with tempfile.TemporaryDirectory() as folder:
            app = crawling.furnish(Path(folder, "instance"), design, args.cases)
            for _ in range(crawling.LOOKS):
                seen = crawling.crawl(app, args.readers)
                before, everything = (
                    crawling.judged(table, seen.truth, seen.groups, args.permutations)
                    for table in (seen.before, seen.all)
                )
                figures = "   ".join(
                    f"{name}: AUC {verdict.auc:.3f}, p {verdict.p:.3f}"
                    for name, verdict in (("before the answer", before), ("before the end", everything))
                )
                print(
                    f"{design:10} {len(seen.truth)} images, {seen.exchanges} exchanges, {seen.all.shape[1]} numbers   "
                    f"{figures}   words and checksums: {len(seen.told)}",
                    flush=True,
                )
                if before.blind and everything.blind:
                    break
        failed |= bool(seen.told) or not before.blind or (design != "staircase" and not everything.blind)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
