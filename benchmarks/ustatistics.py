"""U-statistics for 100 readers x 1,000 cases, compared with the same estimate computed by pairs of readers.

    python benchmarks/ustatistics.py

The pairwise form is how the definition is usually programmed (success matrices of both readers, eight sums per pair).
It runs on 20 readers x 200 cases, where both must give the same variance, and is scaled up by pairs and cells.
"""

from functools import partial
from timeit import repeat

import numpy as np

from analysis.statistics.ustat import ustatistics


def pairwise(scores: np.ndarray, truth: np.ndarray) -> float:
    """Unbiased variance of the mean area if every reader read every case."""
    readers = len(scores)
    gaps = scores[:, truth == 1][:, :, None] - scores[:, truth == 0][:, None, :]
    success = (gaps > 0) + (gaps == 0) / 2
    n1, n0 = success.shape[1:]
    sums = np.zeros((2, 4))
    for a in range(readers):
        for b in range(readers):
            one, two = success[a], success[b]
            rows, columns = one.sum(axis=1) @ two.sum(axis=1), one.sum(axis=0) @ two.sum(axis=0)
            cell, total = (one * two).sum(), one.sum() * two.sum()
            sums[int(a != b)] += cell, rows - cell, columns - cell, total - rows - columns + cell
    pairs = np.outer([readers, readers * (readers - 1)], [1, n0 - 1, n1 - 1, (n1 - 1) * (n0 - 1)]) * n1 * n0
    return float((sums / pairs * pairs / pairs.sum()).sum() - sums[1, 3] / pairs[1, 3])


def study(readers: int, cases: int) -> tuple[np.ndarray, np.ndarray]:
    rng, truth = np.random.default_rng(2), np.tile([0, 1], cases // 2)
    skill = rng.normal(0.8, 0.2, (readers, 1))
    return rng.normal(skill * truth + rng.normal(0, 0.5, cases), 1, (readers, cases)), truth


def main() -> None:
    small, large = study(20, 200), study(100, 1000)
    assert abs(ustatistics(*small).variance / pairwise(*small) - 1) < 1e-9
    theirs, took, took_large = (
        min(repeat(call, number=1, repeat=3))
        for call in (partial(pairwise, *small), partial(ustatistics, *small), partial(ustatistics, *large))
    )
    print(
        f"  20 x  200  ours {took:6.3f} s  pairwise {theirs:7.3f} s  {theirs / took:6.1f} times as fast, same variance"
    )
    scaled = theirs * (100 / 20) ** 2 * (1000 / 200) ** 2
    times = f"{scaled / took_large:6.1f} times as fast (goal: under 3 s)"
    print(f" 100 x 1000  ours {took_large:6.3f} s  pairwise {scaled:7.1f} s, scaled up  {times}")


if __name__ == "__main__":
    main()
