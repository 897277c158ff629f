"""Can the truth be predicted from anything sent to a reader's browser? Every design, whole sittings, real HTTP.

    python benchmarks/blinding.py [--designs rating quartet comparison staircase] [--cases 400] [--readers 2]

tests/crawling.py describes the method: readers who guess, alternately with sealed and with unencrypted images; every
byte, header, size and time is recorded; scikit-learn makes predictions, with folds and permutations by case. The output
for each design is AUC and p from what was received before the answer to a case, and from everything received before the
end. While a p is at most .05, which happens by chance one time in twenty, both are repeated with new readers. For a
staircase, the second one shows how much the next exposure reveals about the last answer: docs/explanation/blinding.md.
The exit code is 1 if the truth was predicted before the answer, or if words or checksums from the pool were sent.
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
