"""Draw from the posterior of the hierarchical signal-detection model, and reject unreliable draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arrays import Floats, as_truth
from analysis.statistics.bayes.model import Data, Priors, contrast_basis, model, place

READERS, CASES = 3, 10  # minimum numbers of readers, and of answers by each reader for each class
RHAT, ESS = 1.01, 400.0
MISSING = "the Bayesian model needs NumPyro, which is not installed; install it with: pip install 'discern[bayes]'"
CHAINS, WARMUP, DRAWS = 4, 400, 600
ACCEPT = (0.85, 0.98)  # of the first attempt and, if it fails, of the second


class BayesError(ValueError):
    """The model cannot be fitted; `faults` says why, one sentence each."""

    def __init__(self, faults: Sequence[str]):
        super().__init__("\n".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True)
class Diagnostics:
    """Diagnostics of the sampler: the worst R-hat and effective sample size, and divergent transitions."""

    rhat: float
    ess: float
    divergences: int
    chains: int
    draws: int
    attempts: int
    worst: str

    @classmethod
    def of(cls, by_chain: dict[str, Floats], divergences: int, attempts: int = 1) -> Diagnostics:
        """Split R-hat and effective size (Gelman et al. 2013, Bayesian Data Analysis) of all; chains x draws x ..."""
        from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

        worst_rhat, worst_ess, worst = 0.0, math.inf, ""
        for name, values in by_chain.items():
            with np.errstate(all="ignore"):  # nothing is defined for a quantity that never moved
                sizes, ratios = np.asarray(effective_sample_size(values)), np.asarray(split_gelman_rubin(values))
            most = values.shape[0] * values.shape[1] * math.log10(values.shape[0] * values.shape[1])
            # Negatively correlated draws are worth more than independent ones; beyond a bound (Stan's), or below 0,
            # the estimate of the gain is noise.
            sizes = np.where((sizes <= 0) | (sizes > most), most, sizes)
            rhat, ess = float(np.max(ratios)), float(np.min(sizes))
            # NaN, from a quantity that never moved, counts as the worst value.
            if not rhat <= max(worst_rhat, RHAT) or not ess >= worst_ess:
                worst = name
            worst_rhat = max(worst_rhat, rhat if rhat == rhat else math.inf)
            worst_ess = min(worst_ess, ess if ess == ess else 0.0)
        chains, draws = next(iter(by_chain.values())).shape[:2]
        return cls(worst_rhat, worst_ess, divergences, chains, draws, attempts, worst)

    @property
    def fault(self) -> str | None:
        """Return why the draws must not be used, or None."""
        found = []
        if not self.rhat <= RHAT:
            found.append(f"R-hat of {self.worst} is {self.rhat:.3f} (at most {RHAT} is accepted)")
        if not self.ess >= ESS:
            found.append(f"the effective sample size of {self.worst} is {self.ess:.0f} (at least {ESS:.0f} is needed)")
        if self.divergences:
            found.append(f"{self.divergences} transition{'s' if self.divergences > 1 else ''} diverged")
        return f"the sampler did not converge: {'; '.join(found)}" if found else None


@dataclass(frozen=True)
class Draws:
    """Draws from the posterior, chains one after the other: arrays of draws x ... by name."""

    sites: dict[str, Floats]
    diagnostics: Diagnostics

    def __getitem__(self, name: str) -> Floats:
        return self.sites[name]


def prepare(
    levels: ArrayLike, truth: ArrayLike, groups: Sequence[str | None] | None = None, names: Sequence[str] = ()
) -> Data:
    """Return the study in the form that the model uses.

    Args:
        levels: readers x cases, 1 to 5, NaN where not answered.
        truth: 0 or 1 per case.
        groups: the group of each reader; ignored unless all readers have one and each group has two or more readers.
        names: names of the readers, for messages.

    Raises:
        BayesError: with every reason why the model does not fit the study.

    >>> data = prepare([[1, 2, 5, 4] * 10] * 3, [0, 0, 1, 1] * 10)
    >>> data.levels, data.answers.shape
    ((1, 2, 4, 5), (40, 12))
    """
    array = np.asarray(levels, dtype=np.float64)
    if array.ndim != 2:
        raise BayesError([f"levels: expected readers x cases, got an array of {array.ndim} dimension(s)"])
    synthetic = as_truth(truth, array.shape[1])
    names = tuple(names) or tuple(f"reader {number + 1}" for number in range(len(array)))
    answered = ~np.isnan(array)
    if not np.isin(array[answered], (1, 2, 3, 4, 5)).all():
        raise BayesError(["levels: expected whole numbers from 1 to 5, NaN where not answered"])
    faults = []
    if len(array) < READERS:
        faults.append(
            f"readers: the Bayesian model needs {READERS} or more to estimate how readers vary, got {len(array)}"
        )
    for name, row in zip(names, answered, strict=True):
        for words, of_class in (("real", ~synthetic), ("synthetic", synthetic)):
            if (count := int((row & of_class).sum())) < CASES:
                faults.append(
                    f"{name}: {count} answers on {words} cases; the Bayesian model needs {CASES} or more per reader"
                )
    used = tuple(int(level) for level in range(1, 6) if (array == level).any())
    if len(used) < 2:
        faults.append("levels: all answers are the same; the Bayesian model needs at least two different ones")
    if faults:
        raise BayesError(faults)
    cells = (array[:, :, None] == np.array(used)).transpose(1, 0, 2).reshape(array.shape[1], -1)
    return Data(cells.astype(np.float64), synthetic.astype(np.float64), _contrasts(groups, len(array)), used, names)


def group_names(groups: Sequence[str | None] | None) -> list[str]:
    """Return the groups used as a covariate, in order; none if a reader has no group or a group has only one reader.

    >>> group_names(["EC", "EC", "EP", "EP"]), group_names(["EC", "EC", "EP"])
    (['EC', 'EP'], [])
    """
    labels = list(groups or ())
    found = list(dict.fromkeys(label for label in labels if label))
    usable = len(found) > 1 and all(labels) and all(labels.count(name) > 1 for name in found)
    return found if usable else []


def _contrasts(groups: Sequence[str | None] | None, readers: int) -> Floats:
    names = group_names(groups)
    if not names or groups is None:
        return np.zeros((readers, 0))
    if len(groups) != readers:
        raise BayesError([f"groups: expected one per reader ({readers}), got {len(groups)}"])
    return contrast_basis(len(names))[[names.index(str(label)) for label in groups]]


@dataclass(frozen=True)
class Sampler:
    """NUTS (Hoffman and Gelman 2014) in NumPyro, on the CPU in double precision; compiled once for each size of study.

    `steps`: levels minus 2; `accept`: target acceptance; `depth`: maximum tree depth; `adapt`: whether the mass matrix
    is adapted during warm-up.
    """

    steps: int
    priors: Priors
    warmup: int = 400
    draws: int = 600
    accept: float = 0.85
    depth: int = 6
    adapt: bool = True

    def run(
        self, studies: Sequence[Data], seeds: Sequence[Sequence[int]], mass: Floats | None = None
    ) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
        """Run one chain for each study, side by side; all studies have the same size.

        Args:
            studies: as returned by `prepare`.
            seeds: seed of each chain.
            mass: an initial covariance of the parameters, in the order of their names.

        Returns:
            Every parameter, with `delta`, `eta` and `criteria` of the readers, as studies x draws x ...; and which
            transitions diverged, studies x draws. Raises BayesError if NumPyro is not installed.
        """
        check_installed()
        import jax

        noises = [np.random.default_rng(seed).standard_normal for seed in seeds]
        begin = [self.start(data, noise) for data, noise in zip(studies, noises, strict=True)]
        size = sum(np.size(value) for value in begin[0].values())
        with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
            drawn, diverged = _compiled(self)(
                np.array([np.random.SeedSequence(list(seed)).generate_state(2) for seed in seeds]),
                {name: np.stack([one[name] for one in begin]) for name in begin[0]},
                *(np.stack([getattr(data, name) for data in studies]) for name in ("answers", "truth", "contrasts")),
                np.eye(size) * 0.1 if mass is None else mass,
            )
        found = {name: np.asarray(value) for name, value in drawn.items()}
        return found | _of_readers(found, np.stack([data.contrasts for data in studies])), np.asarray(diverged)

    def start(self, data: Data, noise: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the start of a chain in the sampler's own space: the centre of the prior plus a little noise."""
        (readers, groups), priors, steps = data.contrasts.shape, self.priors, self.steps
        found: dict[str, Any] = {"delta_mean": 0.0, "delta_log_sd": priors.delta_sd[0], "delta_z": np.zeros(readers)}
        found |= {
            "leaning_mean": priors.leaning[0],
            "leaning_log_sd": priors.leaning_sd[0],
            "leaning": np.zeros(readers),
        }
        found["case_share"] = math.log(priors.case_share[0] / priors.case_share[1])
        if groups:
            found["group"] = np.zeros(groups)
        if steps:
            found |= {"eta_mean": priors.eta[0], "eta_log_sd": priors.eta_sd[0], "eta_z": np.zeros(readers)}
            for name, value, shape in (
                ("step_mean", priors.step[0], (steps,)),
                ("step_log_sd", priors.step_sd[0], (steps,)),
                ("openings", priors.step[0], (readers, steps)),
            ):
                found[name] = np.full(shape, value)
        return {name: found[name] + 0.1 * noise(np.shape(found[name])) for name in sorted(found)}


@cache
def _compiled(sampler: Sampler) -> Callable[..., Any]:
    import jax
    from numpyro.infer.hmc import hmc
    from numpyro.infer.util import potential_energy

    density = partial(model, steps=sampler.steps, priors=sampler.priors)
    begin, advance = hmc(potential_fn_gen=lambda *study: partial(potential_energy, density, study, {}), algo="NUTS")

    def chain(key: Any, first: Any, answers: Any, truth: Any, contrasts: Any, mass: Any) -> Any:
        study = answers, truth, contrasts
        state = begin(
            first,
            sampler.warmup,
            step_size=0.2,
            inverse_mass_matrix=mass,
            adapt_mass_matrix=sampler.adapt,
            dense_mass=True,
            target_accept_prob=sampler.accept,
            max_tree_depth=sampler.depth,
            model_args=study,
            rng_key=jax.random.wrap_key_data(key),
        )

        def step(state: Any, _: Any) -> Any:
            state = advance(state, model_args=study)
            return state, (state.z, state.diverging)

        # Warm-up and draws share one loop, so it is compiled once.
        _, (drawn, diverged) = jax.lax.scan(step, state, None, length=sampler.warmup + sampler.draws)
        return jax.tree.map(lambda values: values[sampler.warmup :], drawn), diverged[sampler.warmup :]

    return jax.jit(jax.vmap(chain, in_axes=(0, 0, 0, 0, 0, None)))


def _of_readers(drawn: dict[str, Floats], contrasts: Floats) -> dict[str, Floats]:
    """`delta`, `eta` and `criteria` of the readers and `case_share` as a share; `drawn`: studies x draws x ..."""
    mean = drawn["delta_mean"][..., None]
    if "group" in drawn:
        mean = mean + np.einsum("srg,sdg->sdr", contrasts, drawn["group"])
    found = {"delta": mean + np.exp(drawn["delta_log_sd"])[..., None] * drawn["delta_z"]}
    openings = drawn.get("openings", np.zeros((*drawn["leaning"].shape, 0)))
    if "eta_z" in drawn:
        found["eta"] = drawn["eta_mean"][..., None] + np.exp(drawn["eta_log_sd"])[..., None] * drawn["eta_z"]
    found["criteria"] = place(drawn["leaning"], openings, np)
    found["case_share"] = 1 / (1 + np.exp(-drawn["case_share"]))
    return found


def check_installed() -> None:
    """Raise BayesError if NumPyro is not installed.

    >>> check_installed()
    """
    from importlib.util import find_spec

    if find_spec("numpyro") is None or find_spec("jax") is None:
        raise BayesError([MISSING])


def draw(data: Data, priors: Priors, seed: int) -> Draws:
    """Return the draws of four chains; if the first attempt fails, a second uses smaller steps and twice the draws.

    >>> draw(prepare([[1, 5] * 20] * 3, [0, 1] * 20), Priors(), seed=0)["delta"].shape  # doctest: +SKIP
    (2400, 3)
    """
    for attempt, accept in enumerate(ACCEPT, 1):
        sampler = Sampler(len(data.levels) - 2, priors, WARMUP * attempt, DRAWS * attempt, accept)
        by_chain, diverged = sampler.run([data] * CHAINS, [[seed, attempt, chain] for chain in range(CHAINS)])
        told = {name: values for name, values in by_chain.items() if not name.endswith("_z")}
        found = Diagnostics.of(told, int(diverged.sum()), attempt)
        if found.fault is None:
            break
    return Draws({name: np.concatenate(values) for name, values in told.items()}, found)
