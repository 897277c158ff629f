"""The hierarchical ordinal signal-detection model: its priors, and its density for NumPyro.

A reader's impression of case i is normal. In units in which its variance over cases, averaged over classes, is 1,
its mean is -delta/2 for real and +delta/2 for synthetic cases and its standard deviation s0 and s1
(s0^2 + s1^2 = 2, log(s1 / s0) = eta); a share rho of the variance is the case's, the same for all readers. The reader
chooses the level whose criteria enclose the impression. So delta is d_a, and the area under the smooth curve
is Phi(delta / sqrt 2). delta, eta, the leaning (the middle criterion) and the openings that make the steps between
criteria (`place`) are normal over readers. Case effects are integrated out on an even grid: answers have few
categories, so one table of reader x class x level x grid point holds all probabilities.

Sources: Dorfman and Alf 1969 (J Math Psychol 6:487), Roe and Metz 1997 (Acad Radiol 4:298), Rouder and Lu 2005
(Psychon Bull Rev 12:573) for hierarchical signal detection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.statistics.arrays import Floats

TINY = 1e-300


@dataclass(frozen=True)
class Priors:
    """Prior knowledge of readers; docs/explanation/bayes.md gives its sources.

    Pairs are (mean, standard deviation) of a normal distribution, for `*_sd` that of the spread's logarithm; for
    `case_share` they are the two shape parameters of a beta distribution.

    Args:
        delta: standard deviation of the mean reader's d_a about chance; with sqrt 2, all areas are equally likely.
        delta_sd: spread of d_a between readers.
        group: standard deviation of the difference in d_a between any two groups.
        eta: the mean reader's log ratio of the standard deviations of synthetic and real cases.
        eta_sd: its spread between readers.
        leaning: the mean reader's middle criterion, from halfway between the classes.
        leaning_sd: its spread between readers.
        step: the mean reader's opening between neighbouring criteria (`place`).
        step_sd: its spread between readers.
        case_share: the share of the variance within a reader and class that all readers share on a case.
    """

    delta: float = math.sqrt(2)
    delta_sd: tuple[float, float] = (math.log(0.3), 0.5)
    group: float = 0.5
    eta: tuple[float, float] = (0.0, 0.3)
    eta_sd: tuple[float, float] = (math.log(0.15), 0.5)
    leaning: tuple[float, float] = (0.0, 0.5)
    leaning_sd: tuple[float, float] = (math.log(0.3), 0.5)
    step: tuple[float, float] = (-0.2, 0.7)
    step_sd: tuple[float, float] = (math.log(0.7), 0.5)
    case_share: tuple[float, float] = (2.0, 3.0)


@dataclass(frozen=True)
class Data:
    """A study in the form that the model uses.

    Args:
        answers: cases x (readers x levels), 1 where this reader gave this level to this case.
        truth: 1 = synthetic.
        contrasts: readers x (groups - 1); no column if there is one group.
        levels: the levels of 1 to 5 that were used, ascending.
    """

    answers: Floats
    truth: Floats
    contrasts: Floats
    levels: tuple[int, ...]
    names: tuple[str, ...] = field(default=())

    @property
    def readers(self) -> int:
        return len(self.contrasts)


def grid(readers: int) -> tuple[Floats, Floats]:
    """Points and log weights for a standard normal case effect; more readers need a finer grid.

    The log likelihood of a study is within 0.01 of that with 401 points, even for 12 readers and a case share of .7.

    >>> points, log_weights = grid(6)
    >>> len(points), round(float(np.exp(log_weights) @ points**2), 2)
    (17, 1.0)
    """
    half = math.ceil(3.6 / (0.6 * (3 / max(readers, 3)) ** (1 / 3)))
    points = np.arange(-half, half + 1) * (3.6 / half)
    log_weights = -(points**2) / 2
    return points, log_weights - np.log(np.exp(log_weights).sum())


def contrast_basis(groups: int) -> Floats:
    """Return groups x (groups - 1) contrasts; columns sum to 0, rows are sqrt 2 apart, so no group is the reference.

    >>> basis = contrast_basis(3)
    >>> float(round(np.linalg.norm(basis[0] - basis[2]), 6)), bool(np.allclose(basis.sum(axis=0), 0))
    (1.414214, True)
    """
    centred = np.eye(groups) - 1 / groups
    return np.asarray(np.linalg.svd(centred)[0][:, : groups - 1], dtype=np.float64)


def model(answers: Any, truth: Any, contrasts: Any, *, steps: int, priors: Priors) -> None:
    """The joint density as a NumPyro model; `steps` is the number of levels minus 2.

    With two levels, the ratio of the variances cannot be separated from the criterion, and is set to 1. For a
    likelihood:

    >>> from functools import partial
    >>> two_levels = partial(model, steps=0, priors=Priors())
    >>> two_levels.keywords["steps"]
    0
    """
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist

    readers, groups = contrasts.shape
    nodes, log_weights = grid(readers)

    def normal(name: str, mean: Any, sd: Any, columns: tuple[int, ...]) -> Any:
        return numpyro.sample(name, dist.Normal(jnp.broadcast_to(mean, columns), sd).to_event())

    def mean_and_sd(name: str, mean: tuple[float, float], sd: tuple[float, float], columns: tuple[int, ...]) -> Any:
        middle = normal(f"{name}_mean", mean[0], mean[1], columns)
        return middle, jnp.exp(normal(f"{name}_log_sd", sd[0], sd[1], columns))

    mean, sd = mean_and_sd("delta", (0.0, priors.delta), priors.delta_sd, ())
    if groups:
        mean = mean + contrasts @ normal("group", 0.0, priors.group / math.sqrt(2), (groups,))
    # delta and eta, poorly determined by the answers, are drawn as deviates; criteria, well determined, directly.
    delta = mean + sd * normal("delta_z", 0.0, 1.0, (readers,))
    eta, openings = jnp.zeros(readers), jnp.zeros((readers, 0))
    if steps:
        mean, sd = mean_and_sd("eta", priors.eta, priors.eta_sd, ())
        eta = mean + sd * normal("eta_z", 0.0, 1.0, (readers,))
        mean, sd = mean_and_sd("step", priors.step, priors.step_sd, (steps,))
        openings = normal("openings", mean, sd, (readers, steps))
    mean, sd = mean_and_sd("leaning", priors.leaning, priors.leaning_sd, ())
    leaning = normal("leaning", mean, sd, (readers,))
    criteria = place(leaning, openings, jnp)
    rho = numpyro.sample("case_share", dist.Beta(*priors.case_share))
    table = jnp.log(level_table(delta, eta, criteria, rho, nodes, jnp))  # class x reader x level x node
    by_class = answers @ table.reshape(2, -1, len(nodes))  # class x case x node
    by_case = jnp.where(truth[:, None] > 0.5, by_class[1], by_class[0]) + log_weights
    top = by_case.max(axis=1, keepdims=True)
    numpyro.factor("answers", (jnp.log(jnp.exp(by_case - top).sum(axis=1)) + top[:, 0]).sum())


def place(leaning: Any, openings: Any, xp: Any) -> Any:
    """The criteria, ... x (levels - 1), ascending; the middle one, or the middle of the middle two, is at `leaning`.

    A step is log(1 + exp(opening)): almost 0 for a reader who never uses the level, yet never very large.

    >>> place(np.zeros(1), np.array([[0.0, 0.0]]), np).round(2).tolist()
    [[-0.69, 0.0, 0.69]]
    """
    steps = xp.logaddexp(0.0, openings)
    upward = xp.concatenate([xp.zeros_like(leaning)[..., None], xp.cumsum(steps, axis=-1)], axis=-1)
    last = upward.shape[-1] - 1
    middle = (upward[..., last // 2] + upward[..., (last + 1) // 2]) / 2
    return upward - middle[..., None] + leaning[..., None]


def spreads(eta: Any, xp: Any) -> Any:
    """Return the standard deviations of real and synthetic impressions, 2 x ..., with a mean square of 1.

    >>> spreads(np.array([0.0, 0.3]), np).round(2).tolist()
    [[1.0, 0.84], [1.0, 1.14]]
    """
    real = xp.sqrt(2 / (1 + xp.exp(2 * eta)))
    return xp.stack([real, real * xp.exp(eta)])


def level_table(delta: Any, eta: Any, criteria: Any, rho: Any, nodes: Any, xp: Any) -> Any:
    """P(level | class, reader, case effect): 2 x readers x levels x nodes. `rho` 0 and node 0: over all cases.

    >>> level_table(np.array([2.0]), np.zeros(1), np.array([[0.0]]), 0.0, np.zeros(1), np).round(2).tolist()
    [[[[0.84], [0.16]]], [[[0.16], [0.84]]]]
    """
    if xp is np:
        from scipy.special import erfc
    else:
        from jax.scipy.special import erfc
    sd = spreads(eta, xp)[:, :, None, None]
    means = xp.stack([-delta / 2, delta / 2])[:, :, None, None]
    shifted = (criteria[None, :, :, None] - means) / sd - xp.sqrt(rho) * nodes
    cuts = shifted / xp.sqrt(1 - rho)
    # Use the smaller tail at each cut: differences of large ones lose all digits far from the centre.
    above, tail = cuts > 0, 0.5 * erfc(xp.abs(cuts) / math.sqrt(2))
    below = xp.where(above, 1 - tail, tail)
    low, high = tail[:, :, :-1], tail[:, :, 1:]
    inner = xp.where(above[:, :, :-1], low - high, xp.where(above[:, :, 1:], 1 - low - high, high - low))
    last = xp.where(above, tail, 1 - tail)[:, :, -1:]
    return xp.concatenate([below[:, :, :1], inner, last], axis=2) + TINY
