"""Do 95 % intervals cover the truth, and do tests against chance reject one time in twenty?

Studies of 6 readers x 200 cases are drawn from the Roe-Metz model (`planning.roe_metz`) and analysed with readers and
cases random. An interval should contain the true mean in 93 to 97 % of studies; if the truth is chance, a test at 5 %
should reject in 4 to 6 %. The crossed bootstrap's percentile interval is included, to show how good it is with six
readers.
"""

import argparse

import numpy as np
from joblib import Parallel, delayed

from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics.mrmc import obuchowski_rockette, ustatistics
from analysis.statistics.resampling import crossed_bootstrap

BLOCK = 100
SETTINGS = [("auc", 0.5), ("auc", 0.65), ("auc", 0.8), ("accuracy", 0.5), ("accuracy", 0.65), ("accuracy", 0.8)]
METHODS = {
    "Obuchowski-Rockette, jackknife": lambda s, t, e: obuchowski_rockette(s, t, endpoint=e),
    "Obuchowski-Rockette, DeLong": lambda s, t, e: obuchowski_rockette(s, t, "delong", endpoint=e),
    "Obuchowski-Rockette, unbiased": lambda s, t, e: obuchowski_rockette(s, t, "unbiased", endpoint=e),
    "U-statistics": lambda s, t, e: ustatistics(s, t, endpoint=e),
    "crossed bootstrap, 1,000": lambda s, t, e: crossed_bootstrap(s, t, e, 1000, rule=None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="number per setting (2000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--readers", type=int, default=6)
    parser.add_argument("--cases", type=int, default=200)
    options = parser.parse_args()
    model = RoeMetz()
    size = f"{options.readers} readers x {options.cases} cases"
    print(f"{size}, {options.studies} studies per setting, seed {options.seed}, {model}")
    print(f"{'truth':>18}  {'method':32} {'coverage':>8} {'rejects':>8} {'mean se':>8} {'true sd':>8}")
    for endpoint, value in SETTINGS:
        true = model.five_level_auc(value) if endpoint == "auc" else value
        blocks = [range(k, min(k + BLOCK, options.studies)) for k in range(0, options.studies, BLOCK)]
        setting = endpoint, value, options.readers, options.cases, options.seed
        rows = np.concatenate(Parallel(n_jobs=options.jobs)(delayed(studies)(block, *setting) for block in blocks))
        for method, name in enumerate(METHODS):
            figure, low, high, p, se = rows[:, method].T
            coverage, rejects = np.mean((low <= true) & (true <= high)), np.mean(p < 0.05)
            spread = f"{se.mean():8.4f} {figure.std():8.4f}"
            print(f"{endpoint:>10} {true:7.4f}  {name:32} {coverage:8.3f} {rejects:8.3f} {spread}", flush=True)


def studies(numbers: range, endpoint: str, value: float, readers: int, cases: int, seed: int) -> np.ndarray:
    """Estimate, interval, p and standard error of every method for every study."""
    model, rows = RoeMetz(), []
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        scores, truth = model.draw(rng, value, readers, cases, endpoint)
        scores = to_levels(scores) if endpoint == "auc" else ((scores > 0) == (truth == 1)).astype(float)
        found = [method(scores, truth, endpoint) for method in METHODS.values()]
        # A study without a test (all areas equal) neither covers nor rejects.
        rows.append([(one.value, *(one.ci or (np.nan, np.nan)), one.p or np.nan, one.se or np.nan) for one in found])
    return np.array(rows)


if __name__ == "__main__":
    main()
