"""The Bayesian model: an independent second implementation, refused input, evidence against chance."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import integrate, special, stats

import analysis
from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics import bayes
from analysis.statistics.bayes import chance
from analysis.statistics.bayes.quantities import Posterior
from analysis.statistics.bayes.sampling import Diagnostics, Draws

GOOD = Diagnostics(1.0, 2000.0, 0, 4, 600, 1, "delta")


@pytest.fixture(scope="module")
def published():
    responses = analysis.load("panodiff").responses
    return responses.matrix("level").astype(int), responses.truth


@pytest.fixture(scope="module")
def fitted(published):
    return bayes.fit(*published)


def normal(value, mean=0.0, sd=1.0):
    """The logarithm of a normal density."""
    return -(((value - mean) / sd) ** 2) / 2 - np.log(sd) - np.log(2 * np.pi) / 2


class Second:
    """The same posterior, written anew from the text of the model alone, with scipy's distributions.

    A point is a dictionary as the sampler has it: spreads as logarithms, the share of the case as a logit.
    """

    def __init__(self, levels, truth):
        self.levels, self.truth = levels, truth

    def log_prior(self, at):
        total = 0.0
        total += normal(at["delta_mean"], 0, np.sqrt(2)) + normal(at["delta_log_sd"], np.log(0.3), 0.5)
        total += normal(at["eta_mean"], 0, 0.3) + normal(at["eta_log_sd"], np.log(0.15), 0.5)
        total += normal(at["leaning_mean"], 0, 0.5) + normal(at["leaning_log_sd"], np.log(0.3), 0.5)
        total += normal(at["step_mean"], -0.2, 0.7).sum() + normal(at["step_log_sd"], np.log(0.7), 0.5).sum()
        total += normal(at["delta_z"]).sum() + normal(at["eta_z"]).sum()
        total += normal(at["leaning"], at["leaning_mean"], np.exp(at["leaning_log_sd"])).sum()
        total += normal(at["openings"], at["step_mean"], np.exp(at["step_log_sd"])).sum()
        share = 1 / (1 + np.exp(-at["case_share"]))
        return total + np.log(12 * share * (1 - share) ** 2) + np.log(share * (1 - share))  # beta(2, 3)

    def edges(self, at):
        """Below and above each level of each reader."""
        lower = np.cumsum(np.log1p(np.exp(at["openings"])), axis=1)
        criteria = np.column_stack([np.zeros(len(lower)), lower])
        criteria += at["leaning"][:, None] - (criteria[:, 1] + criteria[:, 2])[:, None] / 2
        infinite = np.full((len(lower), 1), np.inf)
        return np.hstack([-infinite, criteria, infinite])

    def shares(self, at, nodes):
        """P(level) by class, reader, level and case effect."""
        edges = self.edges(at)[None, :, :, None]
        delta = at["delta_mean"] + np.exp(at["delta_log_sd"]) * at["delta_z"]
        ratio = np.exp(at["eta_mean"] + np.exp(at["eta_log_sd"]) * at["eta_z"])
        real = np.sqrt(2 / (1 + ratio**2))
        spread = np.stack([real, real * ratio])[:, :, None, None]
        share = 1 / (1 + np.exp(-at["case_share"]))
        middle = np.stack([-delta, delta])[:, :, None, None] / 2 + spread * np.sqrt(share) * nodes
        return np.diff(special.ndtr((edges - middle) / (spread * np.sqrt(1 - share))), axis=2)

    def log_likelihood(self, at, nodes, log_weights):
        table = np.log(self.shares(at, nodes) + 1e-300)
        readers = np.arange(len(self.levels))
        total = table[self.truth, readers[:, None], self.levels - 1].sum(axis=0)
        total = total + log_weights
        top = total.max(axis=1, keepdims=True)
        return float((top[:, 0] + np.log(np.exp(total - top).sum(axis=1))).sum())

    def log_likelihood_by_quadrature(self, at):
        """The same by scipy's adaptive quadrature, case by case."""
        readers, total = np.arange(len(self.levels)), 0.0
        for truth, own in zip(self.truth, self.levels.T, strict=True):

            def joint(effect, truth=truth, own=own):
                one = self.shares(at, np.array([effect]))[truth, readers, own - 1, 0]
                return float(np.prod(one) * stats.norm.pdf(effect))

            total += np.log(integrate.quad(joint, -7, 7, epsabs=0, epsrel=1e-6, points=(-1, 0, 1))[0])
        return total


def point(posterior, number):
    """One draw as the second implementation takes it."""
    sites = posterior.draws.sites
    at = {name: sites[name][number] for name in sites if name not in ("delta", "eta", "criteria")}
    for name in ("delta", "eta"):
        at[f"{name}_z"] = (sites[name][number] - at[f"{name}_mean"]) / np.exp(at[f"{name}_log_sd"])
    return at | {"case_share": np.log(at["case_share"] / (1 - at["case_share"]))}


@pytest.mark.slow
def test_the_grid_of_case_effects_gives_what_adaptive_quadrature_gives(fitted, published):
    from analysis.statistics.bayes.model import grid

    second = Second(published[0][:, ::10], published[1][::10])
    for number in (0, 1000):
        at = point(fitted, number)
        coarse = second.log_likelihood(at, *grid(6))
        assert coarse == pytest.approx(second.log_likelihood_by_quadrature(at), abs=0.01)


@pytest.mark.slow
def test_the_posterior_of_the_published_study_is_that_of_a_second_implementation(fitted, published):
    """By random walk (Metropolis et al. 1953) on a density written anew: means agree within Monte Carlo error."""
    second, rng, nodes = Second(*published), np.random.default_rng(5), np.linspace(-4, 4, 33)
    log_weights = stats.norm.logpdf(nodes) - np.log(stats.norm.pdf(nodes).sum())
    names = ("delta_mean", "delta_log_sd", "case_share", "eta_mean", "leaning_mean", "leaning_log_sd")
    total = len(fitted.draws["delta"])
    points = [point(fitted, number) for number in range(0, total, 4)]
    shapes = {name: np.shape(value) for name, value in points[0].items()}
    flat = np.array([np.concatenate([np.ravel(one[name]) for name in shapes]) for one in points])
    root = np.linalg.cholesky(np.cov(flat.T)) * 2.38 / np.sqrt(flat.shape[1])

    def named(vector):
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
        return {name: part.reshape(shapes[name]) for name, part in zip(shapes, np.split(vector, ends), strict=True)}

    def density(vector):
        at = named(vector)
        return second.log_prior(at) + second.log_likelihood(at, nodes, log_weights)

    steps, here = 40_000, flat.mean(axis=0)  # from the middle, with a tenth left out for the way from there
    value, kept, taken = density(here), [], 0
    for _ in range(steps):
        there = here + root @ rng.standard_normal(here.size)
        other = density(there)
        if np.log(rng.random()) < other - value:
            here, value, taken = there, other, taken + 1
        at = named(here)
        kept.append([float(at[name]) for name in names])
    assert 0.1 < taken / steps < 0.5
    batches = np.array(kept)[steps // 10 :].reshape(20, -1, len(names)).mean(axis=1)
    error = batches.std(axis=0, ddof=1) / np.sqrt(len(batches))
    for place, name in enumerate(names):
        ours = np.array([one[name] for one in points])
        spread = ours.std()
        assert error[place] < 0.25 * spread, name  # or agreement would say nothing
        assert abs(batches[:, place].mean() - ours.mean()) < 4 * np.hypot(error[place], spread / np.sqrt(400)), name


@pytest.mark.slow
def test_these_readers_come_out_as_the_classical_figures_and_new_ones_less_surely(fitted, published):
    from analysis.statistics import mrmc

    levels, truth = published
    fixed = mrmc.obuchowski_rockette(levels, truth, readers="fixed")
    these, new, one = (ask("auc") for ask in (fitted.readers, fitted.new_readers, fitted.new_reader))
    assert fitted.diagnostics.fault is None
    assert these.value == pytest.approx(fixed.value, abs=0.01)
    assert these.se == pytest.approx(fixed.se, rel=0.3)
    assert these.se < new.se < one.se
    assert fitted.readers("fractional").value == pytest.approx(0.684, abs=0.005)
    assert new.above_chance > 0.99
    assert fitted.bayes_factor().log10 > 2


def test_a_study_that_is_too_small_is_refused_by_every_name():
    levels = np.tile([1.0, 5.0], (2, 6))
    levels[1, :4] = np.nan
    with pytest.raises(bayes.BayesError) as bad:
        bayes.fit(levels, [0, 1] * 6, names=["Ada", "Ben"])
    assert [fault.split(" cases")[0] for fault in bad.value.faults] == [
        "readers: the Bayesian model needs 3 or more to estimate how readers vary, got 2",
        *[f"Ada: 6 answers on {of}" for of in ("real", "synthetic")],
        *[f"Ben: 4 answers on {of}" for of in ("real", "synthetic")],
    ]


def test_answers_that_are_all_the_same_or_no_levels_are_refused():
    with pytest.raises(bayes.BayesError, match="all answers are the same"):
        bayes.fit(np.full((3, 40), 2), [0, 1] * 20)
    with pytest.raises(bayes.BayesError, match="whole numbers from 1 to 5"):
        bayes.fit(np.full((3, 40), 1.5), [0, 1] * 20)


def test_without_numpyro_the_report_says_how_to_install_it_and_writes_nothing(tmp_path):
    script = (
        "import sys; sys.modules['numpyro'] = None\n"
        "from analysis.report import main\n"
        f"sys.exit(main(['--example', '--bayes', '--out', {str(tmp_path / 'out')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'discern[bayes]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_importing_the_report_does_not_load_jax():
    script = "import sys, analysis.report, analysis.designs.bayes; print({'jax', 'numpyro'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"rhat": 1.02}, "R-hat of delta is 1.020"),
        ({"ess": 120.0}, "effective sample size of delta is 120"),
        ({"divergences": 1}, "1 transition diverged"),
        ({"rhat": np.nan}, "R-hat"),
    ],
)
def test_draws_that_did_not_converge_give_no_number(how, said):
    diagnostics = Diagnostics(**(vars(GOOD) | how))
    sites = {"delta": np.zeros((10, 3)), "criteria": np.zeros((10, 3, 1)), "delta_log_sd": np.zeros(10)}
    data = bayes.prepare(np.tile([1, 5], (3, 20)), [0, 1] * 20)
    posterior = Posterior(data, bayes.Priors(), Draws(sites, diagnostics))
    for found in (posterior.readers("auc"), posterior.new_readers("half"), posterior.bayes_factor()):
        assert found.value is None
        assert said in found.reason


def test_chains_that_disagree_are_seen():
    rng = np.random.default_rng(0)
    draws = {"a": rng.normal(size=(4, 500)), "b": rng.normal(size=(4, 500)) + np.arange(4)[:, None]}
    assert Diagnostics.of(draws, 0).worst == "b"
    assert Diagnostics.of(draws, 0).fault is not None
    assert Diagnostics.of({"a": draws["a"]}, 0).fault is None
    assert Diagnostics.of({"a": np.zeros((4, 500))}, 0).fault is not None


def test_draws_that_swing_about_their_mean_are_not_too_few():
    """Alternating draws have an estimated effective size below 0, which means very large."""
    rng = np.random.default_rng(1)
    swing = np.abs(rng.normal(size=(4, 500))) * (-1.0) ** np.arange(500)
    assert Diagnostics.of({"a": swing}, 0).fault is None


def test_the_bayes_factor_is_the_ratio_of_evidences_where_readers_are_known():
    """With d' and spread of the readers known, both evidences are those of their mean, which is normal."""
    delta, spread = np.array([0.1, 0.5, 0.9]), 0.4
    priors = bayes.Priors()
    found = chance.factor(np.tile(delta, (50, 1)), np.full(50, spread), priors, lambda weights: {})
    within = spread / np.sqrt(3)
    off = stats.norm.pdf(0.5, 0, np.hypot(within, priors.delta))
    assert found.value == pytest.approx(off / stats.norm.pdf(0.5, 0, within))
    wide = next(line for line in found.sensitivity if line["mean_sd"] > 2)
    off = stats.norm.pdf(0.5, 0, np.hypot(within, 2 * priors.delta))
    assert wide["value"] == pytest.approx(off / stats.norm.pdf(0.5, 0, within))


def test_a_middle_level_that_nobody_uses_is_no_level():
    data = bayes.prepare(np.tile([1, 2, 4, 5], (3, 10)), [0, 0, 1, 1] * 10)
    assert data.levels == (1, 2, 4, 5)


def test_missing_answers_take_no_part():
    levels = np.tile([1.0, 2, 4, 5], (3, 12))
    levels[0, :4] = np.nan
    data = bayes.prepare(levels, [0, 0, 1, 1] * 12)
    assert data.answers.sum() == np.isfinite(levels).sum()
    assert not data.answers[:4, :4].any()


def test_groups_of_one_reader_are_no_covariate():
    scores, truth = RoeMetz().draw(np.random.default_rng(0), 0.7, 5, 60, "auc")
    levels = to_levels(scores)
    assert bayes.prepare(levels, truth, ["a", "a", "b", "b", "b"]).contrasts.shape == (5, 1)
    assert bayes.prepare(levels, truth, ["a", "a", "a", "a", "b"]).contrasts.shape == (5, 0)
    assert bayes.prepare(levels, truth, ["a", "a", "b", "b", None]).contrasts.shape == (5, 0)
