"""Do the intervals of the threshold exposure cover the truth, and how long does the analysis take?

    python benchmarks/staircases.py [--studies 500] [--readers 8] [--cases 150]

Studies with a true threshold of 350 ms are drawn from `planning.staircases`, with readers that vary as by default,
vary less, or do not vary. The main interval in the report should contain 350 ms in 93 to 97 % of the studies, or more
if readers hardly vary; those of single readers should contain the reader's own threshold in 93 to 97 %. The pooled
interval, which treats all answers as independent, is shown for comparison. Then one complete study is timed.
"""

import argparse
import time

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.planning.staircases import GUESS, Staircases
from analysis.responses import load_frame
from analysis.statistics import psychometric
from analysis.statistics.estimate import Estimate

BLOCK = 25
TRUE_MS = 350.0
SPREADS = (0.35, 0.25, 0.0)
METHODS = ("readers random (main)", "pooled, answers independent", "one reader, own threshold")


def studies(numbers: range, spread: float, readers: int, cases: int, seed: int) -> np.ndarray:
    """Lower limit, value and upper limit of every method in units of the truth, for every study."""
    model, rows = Staircases(reader_sd=spread), []
    names = np.repeat(np.arange(readers), cases)
    for number in numbers:
        shown, right, own = model.draw(np.random.default_rng([seed, number]), TRUE_MS, readers, cases)
        answers = shown.ravel(), right.ravel()
        fits = (
            (psychometric.fit_readers(*answers, names, GUESS), TRUE_MS),
            (psychometric.fit(*answers, np.ones(names.size), GUESS), TRUE_MS),
            (psychometric.fit(shown[0], right[0], np.ones(cases), GUESS), own[0]),
        )
        rows.append([_limits(found.threshold, truth) for found, truth in fits])
    return np.array(rows, dtype=float)


def _limits(found: Estimate, truth: float) -> tuple[float, float, float]:
    if found.value is None or found.ci is None:
        return (np.nan, np.nan, np.nan)
    return found.ci[0] / truth, found.value / truth, found.ci[1] / truth


def whole(readers: int, cases: int, seed: int) -> float:
    """Seconds to load and measure one complete study."""
    shown, right, _ = Staircases().draw(np.random.default_rng(seed), TRUE_MS, readers, cases)
    rows = []
    for (r, c), ms in np.ndenumerate(shown):
        case = (c + r) % cases
        truth = case % 2
        said = truth if right[r, c] else 1 - truth
        row = {"design": "staircase", "reader": f"R{r}", "trial": f"t{r}-{c}", "position": c + 1, "block": 1 + c % 2}
        row |= {"case": f"c{case}", "truth": "synthetic" if truth else "real", "level": 5 if said else 1}
        rows.append(row | {"criterion": "exposure_ms", "value": ms, "response_ms": 2000 + int(ms)})
    table = pd.DataFrame(rows)
    start = time.perf_counter()
    measure(load_frame(table), Settings())
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=500, help="number per setting (500)")
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print(f"{options.readers} readers x {options.cases} cases, {options.studies} studies, seed {options.seed}")
    print(f"{'reader sd':>9}  {'method':28} {'coverage':>8} {'bias':>7} {'factor':>7} {'none':>5}")
    for spread in SPREADS:
        blocks = [range(k, min(k + BLOCK, options.studies)) for k in range(0, options.studies, BLOCK)]
        setting = spread, options.readers, options.cases, options.seed
        rows = np.concatenate(Parallel(n_jobs=options.jobs)(delayed(studies)(block, *setting) for block in blocks))
        for method, name in enumerate(METHODS):
            low, value, high = rows[:, method][np.isfinite(rows[:, method, 1])].T
            with np.errstate(divide="ignore"):
                factor = np.median(np.sqrt(high / low))
            held, none = np.mean((low <= 1) & (high >= 1)), options.studies - len(value)
            print(
                f"{spread:9.2f}  {name:28} {held:8.3f} {np.median(value) - 1:7.3f} {factor:7.3f} {none:5}", flush=True
            )
    took = whole(options.readers, options.cases, 1)
    print(f"one study of {options.readers} x {options.cases}, loaded and measured: {took:.1f} s")


if __name__ == "__main__":
    main()
