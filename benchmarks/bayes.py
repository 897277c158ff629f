"""Is the Bayesian model calibrated, do its intervals cover the truth, and how long does it take?

    python benchmarks/bayes.py calibration --studies 500
    python benchmarks/bayes.py coverage --size 3x40 --studies 500
    python benchmarks/bayes.py speed

`calibration` draws studies from the priors: the rank of the truth among the draws must be uniform (Talts et al. 2018,
arXiv 1804.06788). `coverage` draws them from the Roe-Metz model (`planning.roe_metz`), which does not depend on the
priors, and also analyses each study with Obuchowski-Rockette, readers and cases random. Many studies are sampled in
parallel, with one chain of 199 draws each, by the report's own sampler, with a mass matrix from 20 pilot studies of the
same kind and trees of at most 15 steps. `speed` times the fit of 6 readers x 200 cases as in the report.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np

from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics import bayes
from analysis.statistics.bayes.model import Data, Priors, place, spreads
from analysis.statistics.bayes.quantities import Posterior
from analysis.statistics.bayes.sampling import Diagnostics, Draws, Sampler
from analysis.statistics.mrmc import obuchowski_rockette
from analysis.statistics.proportions import interval

LEVELS = (1, 2, 3, 4, 5)
DRAWS, WARMUP, SIDE_BY_SIDE, PILOTS, REPORT_EVERY = 199, 100, 20, 3, 100
# Approximate variances of the posterior, for the first pilot.
VARIANCES = {"delta_mean": 0.07, "delta_log_sd": 0.2, "delta_z": 0.8, "leaning_mean": 0.08, "leaning_log_sd": 0.2}
VARIANCES |= {"leaning": 0.03, "case_share": 0.3, "eta_mean": 0.06, "eta_log_sd": 0.25, "eta_z": 0.9}
VARIANCES |= {"step_mean": 0.2, "step_log_sd": 0.25, "openings": 0.3}
RANKED = (
    "delta_mean",
    "delta_log_sd",
    "case_share",
    "eta_mean",
    "leaning_mean",
    "delta",
    "auc_these",
    "auc_new",
    "accuracy_new",
)


def from_priors(rng: np.random.Generator, readers: int, cases: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """A study with parameters drawn from the priors: levels, truth, and the parameters."""
    p = Priors()
    truth = np.repeat([1, 0], cases // 2)
    one = {"delta_mean": rng.normal(0, p.delta), "case_share": rng.beta(*p.case_share)}
    for name in ("delta", "eta", "leaning"):
        one[f"{name}_log_sd"] = rng.normal(*getattr(p, f"{name}_sd"))
    one |= {"eta_mean": rng.normal(*p.eta), "leaning_mean": rng.normal(*p.leaning)}
    one |= {"step_mean": rng.normal(*p.step, 3), "step_log_sd": rng.normal(*p.step_sd, 3)}
    for name in ("delta", "eta", "leaning"):
        one[name] = rng.normal(one[f"{name}_mean"], np.exp(one[f"{name}_log_sd"]), readers)
    openings = rng.normal(one["step_mean"], np.exp(one["step_log_sd"]), (readers, 3))
    one["criteria"] = place(one["leaning"], openings, np)
    case, noise = rng.standard_normal(cases), rng.standard_normal((readers, cases))
    rho = one["case_share"]
    scaled = spreads(one["eta"], np)[truth].T * (np.sqrt(rho) * case + np.sqrt(1 - rho) * noise)
    impressions = (truth - 0.5) * one["delta"][:, None] + scaled
    return 1.0 + (impressions[:, :, None] > one["criteria"][:, None]).sum(axis=2), truth, one


def prepared(levels: np.ndarray, truth: np.ndarray) -> Data:
    """The study with all five levels, used or not, so that all studies have the same size."""
    cells = (levels[:, :, None] == np.array(LEVELS)).transpose(1, 0, 2).reshape(len(truth), -1)
    return Data(cells.astype(float), truth.astype(float), np.zeros((len(levels), 0)), LEVELS)


def posteriors(studies: list, seed: int) -> Iterator[tuple[Posterior, int]]:
    """The posterior and the number of divergent transitions of each study, in batches; the last batch is padded."""
    data = [prepared(levels, truth) for levels, truth in studies]
    began, sampler = time.process_time(), Sampler(3, Priors(), WARMUP, DRAWS, 0.8, 4, adapt=False)
    names = sorted(VARIANCES)
    sizes = {name: np.size(value) for name, value in sampler.start(data[0], np.zeros).items()}
    mass = np.diag(np.concatenate([np.full(sizes[name], VARIANCES[name]) for name in names]))
    for turn in range(PILOTS):
        seeds = [[seed, 10**6 + turn, number] for number in range(SIDE_BY_SIDE)]
        drawn, _ = sampler.run([data[number % len(data)] for number in range(SIDE_BY_SIDE)], seeds, mass)
        drawn["case_share"] = np.log(drawn["case_share"] / (1 - drawn["case_share"]))
        flat = np.concatenate([drawn[name].reshape(SIDE_BY_SIDE, DRAWS, -1) for name in names], axis=2)
        within = (flat - flat.mean(axis=1, keepdims=True)).reshape(-1, flat.shape[2])
        mass = within.T @ within / len(within)
    print(f"# pilots: {time.process_time() - began:.0f} s of processor time", flush=True)
    for first in range(0, len(data), SIDE_BY_SIDE):
        part = data[first : first + SIDE_BY_SIDE]
        padded = part + [part[-1]] * (SIDE_BY_SIDE - len(part))
        drawn, diverged = sampler.run(padded, [[seed, first + number] for number in range(SIDE_BY_SIDE)], mass)
        for number, one in enumerate(part):
            sites = {name: values[number] for name, values in drawn.items()}
            # Short chains: the sampler's remaining problems are reported, and nothing is discarded.
            found = Diagnostics.of({name: values[None] for name, values in sites.items() if name[-2:] != "_z"}, 0)
            yield Posterior(one, Priors(), Draws(sites, found), first + number), int(diverged[number].sum())
        print(f"# {first + len(part)} studies, {time.process_time() - began:.0f} s of processor time", flush=True)


def calibration(readers: int, cases: int, studies: int, seed: int) -> None:
    from scipy.stats import chisquare, kstest

    drawn = [from_priors(np.random.default_rng([seed, number]), readers, cases) for number in range(studies)]
    ranks: dict[str, list[float]] = {name: [] for name in RANKED}
    held = dict.fromkeys(RANKED, 0)
    sampler = []
    for (_, _, true), (posterior, diverged) in zip(drawn, posteriors([one[:2] for one in drawn], seed), strict=True):
        sites = posterior.draws.sites
        own = posterior._figures(true["delta"], true["eta"], true["criteria"])
        new = population(posterior, true)
        known = {name: (sites[name], true[name]) for name in RANKED[:5]}
        known["delta"] = sites["delta"][:, 0], true["delta"][0]
        known["auc_these"] = posterior._values("auc").mean(axis=1), own["auc"].mean()
        known["auc_new"] = posterior._new["auc"].mean(axis=1), new["auc"].mean()
        known["accuracy_new"] = posterior._new["fractional"].mean(axis=1), new["fractional"].mean()
        for name, (values, truth) in known.items():
            ranks[name].append((values < truth).sum())
            low, high = limits(values)
            held[name] += low <= truth <= high
        sampler.append((posterior.diagnostics.rhat, posterior.diagnostics.ess, diverged))
    print(f"{readers} x {cases}, {studies} studies from the priors, seed {seed}, {DRAWS} draws each")
    told(sampler)
    print(f"{'quantity':>16} {'in 95 % CI':>12} {'chi-square p':>12} {'KS p':>8}")
    for name in RANKED:
        found = np.array(ranks[name])
        counts = np.histogram(found, np.linspace(0, DRAWS + 1, 21) - 0.5)[0]
        uniform = (found + np.random.default_rng(seed).random(studies)) / (DRAWS + 1)
        p = chisquare(counts).pvalue, kstest(uniform, "uniform").pvalue
        print(f"{name:>16} {held[name] / studies:12.3f} {p[0]:12.3f} {p[1]:8.3f}", flush=True)


def population(posterior: Posterior, true: dict) -> dict[str, np.ndarray]:
    """Every measure for a very large number of readers from the true population."""
    names = (
        "delta_mean",
        "delta_log_sd",
        "leaning_mean",
        "leaning_log_sd",
        "eta_mean",
        "eta_log_sd",
        "step_mean",
        "step_log_sd",
    )
    sites = {name: np.asarray(true[name])[None] for name in names}
    return Posterior(posterior.data, Priors(), Draws(sites, posterior.diagnostics), posterior.seed)._new


def limits(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval from order statistics, which contains one more draw in exactly 95 % of cases."""
    cut = round(0.025 * (len(values) + 1))
    ordered = np.sort(values)
    return float(ordered[cut - 1]), float(ordered[-cut])


def told(sampler: list) -> None:
    rhat, ess, diverged = np.array(sampler).T
    print(
        f"sampler: R-hat median {np.median(rhat):.3f}, 99th percentile {np.quantile(rhat, 0.99):.3f}; least effective "
        f"size median {np.median(ess):.0f}, 1st percentile {np.quantile(ess, 0.01):.0f}; "
        f"{int(diverged.sum())} divergent transitions in {int((diverged > 0).sum())} studies"
    )


def coverage(readers: int, cases: int, studies: int, seed: int, value: float, reader_sd: float) -> None:
    model = RoeMetz(reader_sd=reader_sd)
    drawn = []
    for number in range(studies):
        scores, truth = model.draw(np.random.default_rng([seed, number]), value, readers, cases, "auc")
        drawn.append((to_levels(scores), truth))
    true = model.five_level_auc(value)
    rows, sampler = [], []
    for (levels, truth), (posterior, diverged) in zip(drawn, posteriors(drawn, seed), strict=True):
        values = posterior._new["auc"].mean(axis=1)
        low, high = limits(values)
        other = obuchowski_rockette(levels, truth)
        classic = other.ci or (np.nan, np.nan)
        rows.append([values.mean(), low, high, other.value, *classic])
        sampler.append((posterior.diagnostics.rhat, posterior.diagnostics.ess, diverged))
        if len(rows) % REPORT_EVERY == 0 or len(rows) == studies:
            print(f"{readers} x {cases}, {len(rows)} studies, seed {seed}, {model}, true mean AUC {true:.4f}")
            told(sampler)
            compared(np.array(rows, dtype=float), true)


def compared(rows: np.ndarray, true: float) -> None:
    mean, low, high, figure, or_low, or_high = rows.T
    studies = len(rows)
    print(f"{'method':>24} {'coverage':>9} {'its interval':>16} {'width':>7} {'bias':>8} {'excludes .5':>11}")
    ours = ("Bayesian", mean, low, high)
    for name, center, bottom, top in (ours, ("Obuchowski-Rockette", figure, or_low, or_high)):
        held = (bottom <= true) & (true <= top)
        within = interval(int(held.sum()), studies).ci
        excludes = (bottom > 0.5) | (top < 0.5)
        print(
            f"{name:>24} {held.mean():9.3f} {within[0]:7.3f} to {within[1]:.3f} {np.nanmean(top - bottom):7.3f} "
            f"{np.nanmean(center) - true:8.4f} {excludes.mean():11.3f}",
            flush=True,
        )


def speed(seed: int) -> None:
    scores, truth = RoeMetz().draw(np.random.default_rng(seed), 0.65, 6, 200, "auc")
    for run_number in ("first, with compilation", "second"):
        wall, processor = time.perf_counter(), time.process_time()
        posterior = bayes.fit(to_levels(scores), truth, seed=seed)
        figures = [posterior.new_readers(name) for name in ("auc", "fractional")]
        factor = posterior.bayes_factor()
        print(
            f"6 x 200, {run_number}: {time.perf_counter() - wall:.0f} s, {time.process_time() - processor:.0f} s of "
            f"processor time; {posterior.diagnostics}; AUC {figures[0].value:.4f}, Bayes factor {factor.value:.3g}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=("calibration", "coverage", "speed"), help="speed, if none")
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--size", default="3x40", help="readers x cases (3x40)")
    parser.add_argument("--value", type=float, default=0.65, help="mean AUC of the impressions (0.65)")
    parser.add_argument(
        "--reader-sd", type=float, default=RoeMetz().reader_sd, help="standard deviation of the readers' skill"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    readers, cases = (int(number) for number in options.size.split("x"))
    for what in options.what or ["speed"]:
        if what == "speed":
            speed(options.seed)
        elif what == "calibration":
            calibration(readers, cases, options.studies, options.seed)
        else:
            coverage(readers, cases, options.studies, options.seed, options.value, options.reader_sd)


if __name__ == "__main__":
    main()
