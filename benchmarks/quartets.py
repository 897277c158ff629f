"""Do the intervals of the share of real images found cover the truth, and how long does the analysis take?

    python benchmarks/quartets.py [--studies 500] [--readers 8] [--quartets 50]

Quartet studies are drawn from `planning.quartets` with a true share of 29 %, as in the cervical-spine study, and with
readers and quartets that do not vary, vary as by default, or vary more. The main interval in the report, and that of
the mixed model, should cover the truth in 93 to 97 % of the studies. Wilson's and the exact interval, which treat all
answers as independent, are shown for comparison. At a true share of 25 %, the tests at 5 % should reject in about 5 %.
Then one complete study is measured and timed.
"""

import argparse
import time

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.designs.quartet import choice
from analysis.designs.quartet.trials import Trials
from analysis.planning.quartets import Quartets
from analysis.responses import load_frame
from analysis.statistics import proportions

BLOCK = 50
SPREADS = [(0.0, 0.0), (0.3, 0.5), (0.5, 1.0)]
SHARES = [0.29, 0.25]
METHODS = ("readers and quartets random", "mixed model", "Wilson", "exact")


def trials(correct: np.ndarray) -> Trials:
    """The trials of a study as the model needs them."""
    readers, quartets = correct.shape
    table = pd.DataFrame({"correct": correct.ravel()})
    table["reader"], table["quartet"] = np.repeat(np.arange(readers), quartets), np.tile(np.arange(quartets), readers)
    return Trials(table, table, list(map(str, range(readers))), list(map(str, range(quartets))), 4)


def studies(numbers: range, share: float, spread: tuple[float, float], readers: int, quartets: int, seed: int):
    """Interval and p of every method for every study."""
    model, rows = Quartets(4, *spread), []
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        correct, _ = model.draw(rng, share, readers, quartets)
        k, n = int(correct.sum()), correct.size
        found = [
            choice.clustered(correct, 4),
            choice.model(trials(correct))["proportion"],
            proportions.interval(k, n),
            proportions.against_chance(k, n, 0.25),
        ]
        chi_square = choice.share(correct, 4)["proportion_correct"]["p_chisquare"]
        p = [one.p if one.p is not None else chi_square for one in found]
        rows.append([(*(one.ci or (np.nan, np.nan)), each) for one, each in zip(found, p, strict=True)])
    return np.array(rows, dtype=float)


def whole(readers: int, quartets: int, seed: int) -> float:
    """Seconds to load and measure one complete study."""
    rng = np.random.default_rng(seed)
    correct, _ = Quartets().draw(rng, 0.29, readers, quartets)
    rows = []
    for r in range(readers):
        for q in range(quartets):
            pick = 0 if correct[r, q] else rng.integers(1, 4)
            for i, place in enumerate(rng.permutation(4) + 1):
                row = {"design": "quartet", "reader": f"R{r}", "trial": f"t{r}-{q}", "position": q + 1}
                row |= {"case": f"q{q}-{i}", "truth": "synthetic" if i else "real", "source": f"source {i}"}
                row |= {"place": place, "chosen": int(i == pick), "realism": int(rng.integers(1, 5))}
                rows.append(row | {"response_ms": int(rng.integers(4000, 20000))})
    table = pd.DataFrame(rows)
    start = time.perf_counter()
    measure(load_frame(table), Settings())
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=500, help="number per setting (500)")
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--quartets", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print(f"{options.readers} readers x {options.quartets} quartets, {options.studies} studies, seed {options.seed}")
    print(
        f"{'share':>6} {'reader sd':>9} {'quartet sd':>10}  {'method':28} {'coverage':>8} {'rejects':>8} {'width':>6}"
    )
    for share in SHARES:
        for spread in SPREADS:
            setting = share, spread, options.readers, options.quartets, options.seed
            blocks = [range(k, min(k + BLOCK, options.studies)) for k in range(0, options.studies, BLOCK)]
            rows = np.concatenate(Parallel(n_jobs=options.jobs)(delayed(studies)(block, *setting) for block in blocks))
            for method, name in enumerate(METHODS):
                low, high, p = rows[:, method].T
                held, rejects = np.mean((low <= share) & (share <= high)), np.mean(p < 0.05)
                figures = f"{held:8.3f} {rejects:8.3f} {np.nanmean(high - low):6.3f}"
                print(f"{share:6.2f} {spread[0]:9.1f} {spread[1]:10.1f}  {name:28} {figures}", flush=True)
    print(f"one study, loaded and measured: {whole(options.readers, options.quartets, 1):.1f} s")
    print(f"100 readers x 100 quartets: {whole(100, 100, 1):.1f} s")


if __name__ == "__main__":
    main()
