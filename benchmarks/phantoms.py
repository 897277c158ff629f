"""Time to draw the demonstration pool of 206 phantoms on all cores, compared with drawing them one at a time.

python benchmarks/phantoms.py [--count N]
"""

import argparse
import tempfile
import time
from pathlib import Path

from generation import phantom, pool

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=100, help="scored cases of each class (default 100)")
count = parser.parse_args().count

with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    made = phantom.make_pool(Path(folder, "pool"), count, count, 6)
    parallel = time.perf_counter() - start

sample = 12
start = time.perf_counter()
for seed in range(sample):
    pool.encode(phantom.draw(seed, pool.TRUTHS[seed % 2]))
serial = (time.perf_counter() - start) / sample * len(made.cases)
print(
    f"{len(made.cases)} phantoms: {parallel:.1f} s on all cores, {serial:.1f} s one by one, {serial / parallel:.2f} x"
)
