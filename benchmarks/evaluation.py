"""Moments of many features in one pass, compared with numpy on all of them at once: seconds, and peak memory.

python benchmarks/evaluation.py [--images N] [--dimensions D]
"""

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from generation.evaluation.distances import Moments

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--images", type=int, default=7000)
parser.add_argument("--dimensions", type=int, default=512)
args = parser.parse_args()


def measured(compute):
    tracemalloc.start()
    start = time.perf_counter()
    found = compute()
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, seconds, peak / 2**20


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    shape, path = (args.images, args.dimensions), Path(folder, "features.npy")
    features = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    features[:] = np.random.default_rng(0).normal(size=shape)
    moments, ours, our_peak = measured(lambda: Moments(args.dimensions).update(features))
    covariance, theirs, their_peak = measured(lambda: np.cov(np.asarray(features, np.float64).T))
print(f"one pass: {ours:.2f} s, {our_peak:.0f} MiB; all at once: {theirs:.2f} s, {their_peak:.0f} MiB")
print(f"memory {our_peak / their_peak:.2f} x, largest difference {np.abs(moments.covariance - covariance).max():.1e}")
