"""Do comparisons of generators, and of subgroups, keep their level, and do their intervals cover a known difference?

Every study draws new readers and images: 100 real images and three generators with 50 each, five levels. Readers differ
in how well they recognise synthetic images, in their thresholds, and with each generator. The first generator differs
from the others by a shift in what readers see (0 = no shift). The output for each measure is the true difference
between the first two generators, the share of studies whose 95 % interval contains it, and the shares in which it, and
any difference among the three, is significant at .05 (without a true difference, this is the size of the tests), also
for the pair with Hillis' degrees of freedom alone, which are the main method from six readers on.
Subgroups are halves of all images, without true differences. `--why` examines the pair's AUC with other methods.
"""

import argparse
import time
from collections import defaultdict

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import norm

from analysis.statistics import mrmc, sources
from analysis.statistics.distributions import t_p
from analysis.statistics.sources import FIGURES, Cell, by_source

REAL, EACH, KINDS = 100, 50, "ABC"
TRUTH = np.repeat([0, 1], [REAL, EACH * len(KINDS)])
NAMES = ["", *KINDS]
SOURCES = np.repeat(NAMES, [REAL, *[EACH] * len(KINDS)])
CUTS = np.array([-0.8, -0.1, 0.3, 1.1])  # between the five levels
USUAL = 0.5  # how much more synthetic an image of B or C looks than a real one
BETWEEN_CASES, WITHIN = 0.6, 0.8  # SD between images, and of one reader's impressions of them
SENSITIVITY, LIMITS, OWN = 0.3, 0.3, 0.15  # SD between readers: sensitivity, thresholds, each generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="number per setting (1000)")
    parser.add_argument("--readers", type=int, nargs="+", default=[5, 8])
    parser.add_argument(
        "--shifts", type=float, nargs="+", default=[0.0, 0.4], help="shifts of the first generator (0 0.4)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--why", action="store_true", help="only the AUC of the pair, with other methods")
    options = parser.parse_args()
    for readers in options.readers:
        for shift in options.shifts:
            start, true = time.perf_counter(), expected(shift)
            work = (delayed(study)(options.seed, n, readers, shift, true, options.why) for n in range(options.studies))
            found = Parallel(n_jobs=options.jobs)(work)
            print(f"\n{readers} readers, first generator shifted by {shift:g}; {options.studies} studies")
            (why if options.why else show)(found, true)
            print(f"{time.perf_counter() - start:.0f} s", flush=True)


def drawn(rng: np.random.Generator, readers: int, shift: float) -> np.ndarray:
    """The levels of one study, readers x cases."""
    looks = np.r_[0, USUAL - shift, np.full(len(KINDS) - 1, USUAL)]
    kind = np.searchsorted(NAMES, SOURCES)
    own = np.c_[np.zeros(readers), rng.normal(0, OWN, (readers, len(KINDS)))][:, kind]
    seen = looks[kind] + rng.normal(0, BETWEEN_CASES, TRUTH.size) + rng.normal(0, SENSITIVITY, (readers, 1)) * TRUTH
    seen = seen + own + rng.normal(0, LIMITS, (readers, 1)) + rng.normal(0, WITHIN, (readers, TRUTH.size))
    return np.digitize(seen, CUTS) + 1.0


def expected(shift: float, readers: int = 400_000) -> dict[str, float]:
    """The true difference between the first two generators by measure, over all readers and images."""
    rng = np.random.default_rng(1)
    told, limits = rng.normal(0, SENSITIVITY, readers), rng.normal(0, LIMITS, readers)
    spread = np.hypot(BETWEEN_CASES, WITHIN)

    def levels(mean):
        below = norm.cdf((CUTS - mean[:, None]) / spread)
        return np.diff(np.c_[np.zeros(readers), below, np.ones(readers)])

    real, values = levels(limits), []
    for looks in (USUAL - shift, USUAL):
        own = levels(looks + told + rng.normal(0, OWN, readers) + limits)
        above = 1 - np.cumsum(own, axis=1) + own / 2
        credit = np.arange(5) / 4
        rates = [side[:, 3:].sum(axis=1) / (1 - side[:, 2]) for side in (own, real)]
        values.append(
            {
                "fooled": own[:, :2].sum(axis=1).mean(),
                "accuracy": ((own @ credit + real @ (1 - credit)) / 2).mean(),
                "auc": (real * above).sum(axis=1).mean(),
                "dprime": (norm.ppf(rates[0]) - norm.ppf(rates[1])).mean(),
            }
        )
    return {figure: values[0][figure] - values[1][figure] if shift else 0.0 for figure in FIGURES}


def study(seed: int, number: int, readers: int, shift: float, true: dict[str, float], why: bool) -> dict[str, tuple]:
    """The results of one study, by measure: whether the truth is covered, the pair, all three, or two halves differ."""
    rng = np.random.default_rng([seed, number])
    levels, cells = drawn(rng, readers, shift), list(by_source(TRUTH, SOURCES).values())
    if why:
        return otherwise(levels, cells, true["auc"])
    half = np.arange(TRUTH.size) % 2 == 0
    halves = [Cell((TRUTH == 1) & side, (TRUTH == 0) & side) for side in (half, ~half)]
    parts = [Cell(cell.synthetic & of.synthetic, of.real) for of in halves for cell in cells[:2]]
    said = {}
    for figure in FIGURES:
        found = sources.figures(levels, cells, figure)
        pair = sources.difference(found, 0, 1, figure)
        of_halves = sources.together(sources.figures(levels, halves, figure), figure)
        interaction = sources.interaction(sources.figures(levels, parts, figure), [(0, 1), (2, 3)], figure)
        usual = mrmc.of_figures(found.value[:2], found.influence[:2], figure)
        tests = pair, usual, sources.together(found, figure), of_halves, interaction
        said[figure] = pair.ci[0] <= true[figure] <= pair.ci[1], *(one.p < 0.05 for one in tests)
    return said


def show(found: list[dict[str, tuple]], true: dict[str, float]) -> None:
    heads = ("held", "pair", "Hillis", "three", "halves", "interaction")
    print(f"{'':10} {'true':>7} {''.join(f'{head:>12}' for head in heads)}")
    for figure in FIGURES:
        shares = 100 * np.mean([one[figure] for one in found], axis=0)
        print(f"{figure:10} {true[figure]:7.3f} {''.join(f'{share:12.1f}' for share in shares)}")


def otherwise(levels: np.ndarray, cells: list[Cell], true: float) -> dict[str, tuple]:
    """The AUC of the first pair: value, variance and p by several methods; `cut`: whether Cov2 - Cov3 was negative.

    Every p tests the true difference, so that the share below .05 is the size of the test for any shift.
    """
    one = sources.difference(sources.figures(levels, cells, "auc"), 0, 1, "auc")
    both = np.array([np.where(cell.synthetic | cell.real, levels, np.nan) for cell in cells[:2]])
    unbiased = mrmc.obuchowski_rockette(both, TRUTH, "unbiased")
    ustatistics = mrmc.ustatistics(both, TRUTH)
    t = (one.value - true) / one.se
    readers = len(levels)
    return {
        "value": (one.value, 0.0, 1.0),
        "offered": (one.value, one.se**2, t_p(t, one.df or np.inf)),
        "t on J - 1": (one.value, one.se**2, t_p(t, readers - 1)),
        "normal": (one.value, one.se**2, 2 * norm.sf(abs(t))),
        "unbiased": (one.value, unbiased.se**2, t_p((one.value - true) / unbiased.se, unbiased.df or np.inf)),
        "U-statistics": (
            one.value,
            ustatistics.se**2,
            t_p((one.value - true) / ustatistics.se, ustatistics.df or np.inf),
        ),
        "cut": (float(one.components["cov2"] <= 0), one.df, 1.0),
    }


def why(found: list[dict[str, tuple]], true: dict[str, float]) -> None:
    told = defaultdict(list)
    for one in found:
        for name, numbers in one.items():
            told[name].append(numbers)
    table = {name: np.array(numbers) for name, numbers in told.items()}
    values, cut = table.pop("value")[:, 0], table.pop("cut")
    print(f"mean difference {values.mean():.4f} (true {true['auc']:.4f}), its variance {values.var(ddof=1):.3g}")
    print(f"covariance of readers cut at 0 in {cut[:, 0].mean():.1%}; median df {np.median(cut[:, 1]):.1f}")
    print(f"{'':14} {'variance':>9} {'p < .05':>8}")
    for name, numbers in table.items():
        print(
            f"{name:14} {numbers[:, 1].mean() / values.var(ddof=1):9.3f} {100 * (numbers[:, 2] < 0.05).mean():7.1f} %"
        )


if __name__ == "__main__":
    main()
