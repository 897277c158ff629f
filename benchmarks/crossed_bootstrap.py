"""10,000 crossed bootstraps of AUC and accuracy by matrix products, compared with a plain loop over replicates.

    python benchmarks/crossed_bootstrap.py [--replicates 10000] [--loop 1000]

The loop draws readers and cases, counts every reader's levels with one numpy.bincount and computes the areas from the
counts (binned AUC), as a careful author would write it first. It runs for `--loop` replicates and is scaled up.
"""

import argparse
from functools import partial
from timeit import repeat

import numpy as np

from analysis.statistics.resampling import crossed_bootstrap


def loop(levels: np.ndarray, truth: np.ndarray, statistic: str, replicates: int) -> np.ndarray:
    """The mean statistic of every replicate, one replicate at a time."""
    rng, readers = np.random.default_rng(0), len(levels)
    sides = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
    codes = levels.astype(int) - 1 + 5 * np.arange(readers)[:, None]
    credit = np.array([0, 0.25, 0.5, 0.75, 1])
    out = np.empty(replicates)
    for number in range(replicates):
        drawn = rng.integers(readers, size=readers)
        high, low = (
            np.bincount(codes[:, rng.choice(side, side.size)].ravel(), minlength=5 * readers).reshape(readers, 5)
            for side in sides
        )
        if statistic == "auc":
            figure = (high * (np.cumsum(low, axis=1) - low / 2)).sum(axis=1) / (sides[0].size * sides[1].size)
        else:
            figure = (high @ credit + low @ (1 - credit)) / truth.size
        out[number] = figure[drawn].mean()
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--loop", type=int, default=1000, help="replicates of the plain loop, scaled up (1000)")
    options = parser.parse_args()
    for readers, cases, wanted in ((6, 200, 3), (100, 1000, 10)):
        rng = np.random.default_rng(1)
        truth = np.tile([0, 1], cases // 2)
        levels = np.clip(np.round(rng.normal(2.6 + 0.8 * truth, 1.2, (readers, cases))), 1, 5)
        for statistic in ("auc", "accuracy"):
            found = crossed_bootstrap(levels, truth, statistic, options.replicates)
            plain = loop(levels, truth, statistic, options.loop)
            call = partial(crossed_bootstrap, levels, truth, statistic, options.replicates)
            ours = min(repeat(call, number=1, repeat=3))
            theirs = min(repeat(partial(loop, levels, truth, statistic, options.loop), number=1, repeat=3))
            theirs *= options.replicates / options.loop
            print(
                f"{readers:3} x {cases:4} {statistic:8}  ours {ours:6.2f} s  loop {theirs:6.2f} s  "
                f"{theirs / ours:5.1f} times as fast (goal {wanted})  se {found.se:.5f}, loop {plain.std():.5f}"
            )


if __name__ == "__main__":
    main()
