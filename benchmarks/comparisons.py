"""Do the intervals of a preference cover the truth?

    python benchmarks/comparisons.py [--studies 500] [--readers 8] [--cases 50]

Studies of two methods are drawn from `planning.quartets` with two alternatives: a true preference of 70 %, and readers
and cases that do not vary, vary as by default, or vary more. The main interval in the report, and that of the mixed
model, should cover the truth in 93 to 97 % of the studies. The exact interval, which treats all answers as independent,
is shown for comparison.
"""

import argparse

import numpy as np
from joblib import Parallel, delayed

from analysis.designs.common import clustered
from analysis.designs.comparison import judged
from analysis.planning.quartets import Quartets
from analysis.statistics import proportions

BLOCK, TRUE = 50, 0.7
SPREADS = [(0.0, 0.0), (0.3, 0.5), (0.5, 1.0)]
METHODS = ("readers and cases random", "mixed model", "exact")


def studies(numbers: range, spread: tuple[float, float], readers: int, cases: int, seed: int) -> np.ndarray:
    """The interval of every method in every study: studies x methods x 2."""
    rows = []
    for number in numbers:
        credits, _ = Quartets(2, *spread).draw(np.random.default_rng([seed, number]), TRUE, readers, cases)
        exact = proportions.interval(int(credits.sum()), credits.size, "exact")
        found = [clustered(credits), judged.model(credits), exact]
        rows.append([one.ci or (np.nan, np.nan) for one in found])
    return np.array(rows, dtype=float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=500, help="number per setting (500)")
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print(f"{options.readers} readers x {options.cases} cases, {options.studies} studies, seed {options.seed}")
    for spread in SPREADS:
        setting = spread, options.readers, options.cases, options.seed
        blocks = [range(k, min(k + BLOCK, options.studies)) for k in range(0, options.studies, BLOCK)]
        rows = np.concatenate(Parallel(n_jobs=options.jobs)(delayed(studies)(block, *setting) for block in blocks))
        for method, name in enumerate(METHODS):
            low, high = rows[:, method].T
            held = np.mean((low <= TRUE) & (high >= TRUE))
            print(
                f"sd {spread[0]:.1f} {spread[1]:.1f}  {name:26} coverage {held:.3f}  width {np.nanmean(high - low):.3f}"
            )


if __name__ == "__main__":
    main()
