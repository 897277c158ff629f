"""Which 95 % interval of the readers' mean has the right coverage with three to six readers?

Studies are drawn from the Roe-Metz model with five variance structures, for the AUC of five levels and for accuracy,
at four true values, and analysed with the methods in the literature for few readers. The output for every size is the
lowest, the highest and the mean coverage over the settings, and the share of settings with 93 to 97 %. `--each` prints
every setting; `--resampled N` adds resampling methods, for N studies of the first structure; `--table` solves Welch's
criterion again.
"""

import argparse
import csv
from functools import cache

import numpy as np
from joblib import Parallel, delayed
from scipy import interpolate, optimize, special, stats

from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics.few_readers import LEVELS, SHARES, TABLE, critical_values, welch
from analysis.statistics.mrmc import obuchowski_rockette
from analysis.statistics.readings import as_readings, figures
from analysis.statistics.resampling import crossed_bootstrap
from analysis.statistics.ustat import ustatistics

STRUCTURES = {
    "published": RoeMetz(),  # roughly the published study's
    "readers alike": RoeMetz(reader_sd=0, leaning_sd=0),
    "readers little apart": RoeMetz(reader_sd=0.1, leaning_sd=0.1, case_share=0.2),
    "readers far apart": RoeMetz(reader_sd=0.5, leaning_sd=0.4),
    "cases shared": RoeMetz(case_share=0.7),
}
VALUES = (0.5, 0.65, 0.8, 0.92)
RESAMPLES = 99  # in the nested bootstrap-t, where every replicate is analysed
BLOCK = 500  # studies at a time
SIZES = ("3x40", "3x100", "4x100", "6x200")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="number per setting (2000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="READERSxCASES")
    parser.add_argument("--each", action="store_true", help="print every setting")
    parser.add_argument("--resampled", type=int, default=0, metavar="N", help="studies for the bootstraps")
    parser.add_argument("--table", action="store_true", help="solve for the critical values again, and stop")
    options = parser.parse_args()
    if options.table:
        write_table()
        return
    structures = {"published": RoeMetz()} if options.resampled else STRUCTURES
    print(f"{options.resampled or options.studies} studies per setting, seed {options.seed}")
    for size in options.sizes:
        readers, cases = map(int, size.split("x"))
        settings = [
            (name, endpoint, value) for name in structures for endpoint in ("auc", "accuracy") for value in VALUES
        ]
        work = (delayed(coverage)(STRUCTURES[n], e, v, readers, cases, options) for n, e, v in settings)
        found = Parallel(n_jobs=options.jobs)(work)
        print(f"\n{size:32} {'lowest':>7} {'highest':>7} {'mean':>7} {'93-97 %':>8}")
        for method in found[0]:
            held = np.array([100 * one[method] for one in found])
            print(
                f"{method:32} {held.min():7.1f} {held.max():7.1f} {held.mean():7.1f} "
                f"{np.mean((held >= 93) & (held <= 97)):8.0%}",
                flush=True,
            )
        if options.each:
            for setting, one in zip(settings, found, strict=True):
                print(*setting, *(f"{name} {100 * share:.1f}" for name, share in one.items()), sep="; ")


def coverage(model: RoeMetz, endpoint: str, value: float, readers: int, cases: int, options) -> dict[str, float]:
    """The share of studies whose interval covers the truth, by method."""
    true = model.five_level_auc(value) if endpoint == "auc" else value
    held: dict[str, list[bool]] = {}

    def note(name: str, low: float, high: float) -> None:  # a study without an interval counts as not covered
        held.setdefault(name, []).append(low - 1e-12 <= true <= high + 1e-12)

    def drawn(number: int):
        rng = np.random.default_rng([options.seed, number])
        scores, truth = model.draw(rng, value, readers, cases, endpoint)
        return (to_levels(scores) if endpoint == "auc" else ((scores > 0) == (truth == 1)).astype(float)), truth, rng

    if options.resampled:
        for number in range(options.resampled):
            for name, ci in resampled(*drawn(number), endpoint).items():
                note(name, *(ci or (np.nan, np.nan)))
        return {name: float(np.mean(kept)) for name, kept in held.items()}
    for start in range(0, options.studies, BLOCK):
        numbers = range(start, min(start + BLOCK, options.studies))
        scores = np.array([drawn(number)[0] for number in numbers])
        truth = drawn(start)[1]
        parts = components(scores, truth, endpoint)
        for one in by_formula(*parts, readers, check=(scores[0], truth, endpoint)):
            for name, limits in one.items():
                note(name, *limits)
    return {name: float(np.mean(kept)) for name, kept in held.items()}


def components(scores: np.ndarray, truth: np.ndarray, endpoint: str) -> tuple[np.ndarray, ...]:
    """Mean, MS, error and Cov2 of every study (studies x readers x cases): `obuchowski_rockette` for many studies."""
    _, readers, cases = scores.shape
    sides = [scores[..., truth == side] for side in (1, 0)]
    if endpoint == "auc":
        counts = [np.stack([(side == level).sum(axis=2) for level in range(1, 6)], axis=2) for side in sides]
        below = (np.cumsum(counts[1], axis=2) - counts[1] / 2) / sides[1].shape[2]
        above = 1 - (np.cumsum(counts[0], axis=2) - counts[0] / 2) / sides[0].shape[2]
        placed = [
            np.take_along_axis(table, side.astype(int) - 1, axis=2)
            for table, side in zip((below, above), sides, strict=True)
        ]
        each = placed[0].mean(axis=2)
        scale = [np.sqrt((cases - 1) / cases) / (side.shape[2] - 1) for side in sides]
        influence = [(one - each[..., None]) * factor for one, factor in zip(placed, scale, strict=True)]
    else:
        each = scores.mean(axis=2)
        influence = [
            (side - side.mean(axis=2, keepdims=True)) * np.sqrt(side.shape[2] / (side.shape[2] - 1)) / cases
            for side in sides
        ]
    whole = np.concatenate(influence, axis=2)
    own, together = (whole**2).sum(axis=(1, 2)), (whole.sum(axis=1) ** 2).sum(axis=1)
    cov2 = np.maximum((together - own) / (readers * (readers - 1)), 0)
    return each.mean(axis=1), each.var(axis=1, ddof=1), own / readers, cov2


def by_formula(mean, ms, error, cov2, readers, check):
    """The limits of every interval, by study; the first study is checked against Discern's own functions."""
    found = obuchowski_rockette(check[0], check[1], endpoint=check[2])
    variance = ms / readers + cov2
    share = np.divide(ms / readers, variance, out=np.zeros_like(ms), where=variance > 0)
    constrained = np.maximum(ms, error - cov2)
    wider = constrained / readers + cov2
    more = np.divide(constrained / readers, wider, out=np.zeros_like(ms), where=wider > 0)
    se, df = np.sqrt(variance), readers - 1
    hillis = special.stdtrit(df / np.maximum(share, 1e-4) ** 2, 0.975) * se
    fiducial = np.interp(share, SHARES, behrens_fisher(df)) * se
    halves = {
        "OR, Hillis' df": (hillis, False),
        "OR, Hillis' df, logit": (hillis, True),
        "OR, variance of readers >= 0": (
            special.stdtrit(df / np.maximum(more, 1e-4) ** 2, 0.975) * np.sqrt(wider),
            False,
        ),
        "OR, t on J - 1": (special.stdtrit(df, 0.975) * se, False),
        "Behrens-Fisher": (fiducial, False),
        "Behrens-Fisher, logit": (fiducial, True),
    }
    if readers in critical_values():
        welchs = np.interp(share, SHARES, critical_values()[readers][LEVELS.index(0.05)]) * se
        halves = {"Welch, logit (offered)": (welchs, True), "Welch": (welchs, False)} | halves
    for study in range(len(mean)):
        limits = {
            name: (logit if on_logits else plain)(mean[study], half[study])
            for name, (half, on_logits) in halves.items()
        }
        if study == 0 and found.se:
            np.testing.assert_allclose(limits["OR, Hillis' df"], found.ci, rtol=1e-6)
            if readers in critical_values():
                np.testing.assert_allclose(limits["Welch, logit (offered)"], welch(found).ci, rtol=1e-6)
        yield limits


def plain(mean: float, half: float) -> tuple[float, float]:
    return (mean - half, mean + half) if half > 0 else (np.nan, np.nan)


def logit(mean: float, half: float) -> tuple[float, float]:
    if not 0 < mean < 1 or not half > 0:
        return plain(mean, half)
    centre, half = np.log(mean / (1 - mean)), half / (mean * (1 - mean))
    return 1 / (1 + np.exp(half - centre)), 1 / (1 + np.exp(-half - centre))


def resampled(scores, truth, rng, endpoint) -> dict[str, tuple[float, float] | None]:
    found = obuchowski_rockette(scores, truth, endpoint=endpoint)
    names = (
        "crossed bootstrap, percentile",
        "nested bootstrap-t",
        "wild bootstrap-t",
        "sign-flipping of readers, inverted",
    )
    formulas = {
        "Welch, logit (offered)": welch(found).ci,
        "OR, Hillis' df": found.ci,
        "OR, unbiased covariances": obuchowski_rockette(scores, truth, "unbiased", endpoint=endpoint).ci,
        "U-statistics, BDG df": ustatistics(scores, truth, endpoint=endpoint).ci,
    }
    if not found.se:
        return formulas | dict.fromkeys(names)
    mean, se = found.value, found.se
    percentile = crossed_bootstrap(scores, truth, endpoint, 1000, int(rng.integers(2**31)), rule=None).ci
    t = []
    for _ in range(RESAMPLES):
        cases = np.concatenate(
            [rng.choice(np.flatnonzero(truth == side), int((truth == side).sum())) for side in (1, 0)]
        )
        own = scores[rng.integers(len(scores), size=len(scores))][:, cases]
        again = obuchowski_rockette(own, truth[cases], endpoint=endpoint)
        if again.se:
            t.append((again.value - mean) / again.se)
    low, high = np.quantile(t, (0.025, 0.975)) if t else (np.nan, np.nan)
    each = np.array(found.per_reader)
    walsh = (
        (each.min(), each.max()) if len(each) == 6 else (-np.inf, np.inf)
    )  # 2 of 64 signs; with fewer than six readers, 5 % cannot be reached
    wild = wild_t(scores, truth, endpoint, rng) * se
    return formulas | dict(
        zip(names, (percentile, (mean - high * se, mean - low * se), (mean - wild, mean + wild), walsh), strict=True)
    )


def wild_t(scores, truth, endpoint, rng) -> float:
    """The 95 % quantile of |t|, with readers' deviations and cases' influences multiplied by random signs."""
    one = figures(as_readings(scores, truth, endpoint), endpoint, "jackknife")
    each, influence = one.value[0], one.influence[0]
    readers = len(each)
    together = influence.sum(axis=0)
    cov2 = max((together @ together - (influence**2).sum()) / (readers * (readers - 1)), 0.0)
    signs = rng.choice((-1, 1), (999, readers)) * (each - each.mean()) * np.sqrt(readers / (readers - 1))
    shared = rng.choice((-1, 1), (999, together.size)) @ together * np.sqrt(cov2 / max(together @ together, 1e-12))
    se = np.sqrt(signs.var(axis=1, ddof=1) / readers + cov2)
    return float(np.nanquantile(np.abs(signs.mean(axis=1) + shared) / np.where(se > 0, se, np.nan), 0.95))


@cache
def behrens_fisher(df: int) -> np.ndarray:
    """The 97.5 % quantiles of sqrt(w) t + sqrt(1 - w) z at `SHARES`: Behrens and Fisher's fiducial solution."""
    chi = stats.chi2.ppf((np.arange(400) + 0.5) / 400, df) / df
    spread = [np.sqrt(share / chi + 1 - share) for share in SHARES]
    return np.array([optimize.brentq(lambda c, s=s: stats.norm.sf(c / s).mean() - 0.025, 1, 99) for s in spread])


def write_table() -> None:
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["readers", "level", *(f"{share:.4f}" for share in SHARES)])
        for readers in range(3, 11):
            for level in LEVELS:
                critical, off = solve(readers - 1, level)
                print(f"{readers} readers, {level:g}: {off.min():.3f} to {off.max():.3f} times the level", flush=True)
                writer.writerow([readers, level, *(f"{one:g}" for one in critical)])


def solve(df: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Welch's critical values at `SHARES`, and their actual error at true shares from 0 to 1, in units of `level`.

    The smoothest rising curve from the normal quantile to the t quantile whose error is `level` at every true share.
    """
    chances = np.r_[(np.arange(300) + 0.5) / 3000, 0.1 + (np.arange(300) + 0.5) / 300 * 0.9]  # finer below a tenth
    weights = np.repeat([0.1 / 300, 0.9 / 300], 300)
    chi = stats.chi2.ppf(chances, df) / df
    true = np.r_[np.linspace(0, 1, 41), 0.985, 0.995][:, None]
    spread = true * chi + 1 - true
    share, nodes = true * chi / spread, np.linspace(0, 1, 12)
    low, high = stats.norm.isf(level / 2), stats.t.isf(level / 2, df)

    def curve(x):
        rise = np.cumsum(np.exp(x)) / np.exp(x).sum()
        return interpolate.PchipInterpolator(nodes, np.r_[low, low + (high - low) * rise])

    def errs(critical):
        return 2 * (stats.norm.sf(critical(share) * np.sqrt(spread)) @ weights) / level

    def off(x):
        return np.r_[10 * np.log(errs(curve(x))), 0.05 * np.diff(x)]

    found = optimize.least_squares(off, np.zeros(11), max_nfev=60)
    rounded = np.round(curve(found.x)(SHARES), 3)
    return rounded, errs(lambda w: np.interp(w, SHARES, rounded))


if __name__ == "__main__":
    main()
