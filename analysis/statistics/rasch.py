"""The Rasch model: readers' ability and cases' difficulty on one scale, in logits.

Question: is this reader better, or were this reader's cases easier? If readers saw different cases, shares of correct
answers cannot be compared, but abilities can.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined

METHOD = "Rasch, marginal maximum likelihood"
NODES = 41
# A smaller spread counts as 0: the likelihood is flat there.
LEAST_SPREAD = 0.02
MOST_LOG_SPREAD = 3.0


class Rasch(NamedTuple):
    """One estimate per reader and per case, and the standard deviation of the random side; the mean difficulty is 0."""

    abilities: list[Estimate]
    difficulties: list[Estimate]
    spread: Estimate


def fit(correct: ArrayLike) -> Rasch:
    """logit P(right) = ability of the reader - difficulty of the case (Rasch 1960), by marginal maximum likelihood.

    `correct`: readers x cases, 1 right, 0 wrong, NaN = not read (or unsure, left out). The side with more members is
    normal with one standard deviation, integrated out by 41-point Gauss-Hermite quadrature (Bock and Aitkin 1981,
    Psychometrika 46:443); its members get posterior means, which shrink towards the mean, and standard deviations. The
    other side is estimated freely, with standard errors from the observed information (Louis 1982, J R Stat Soc B
    44:226); a member with only right or only wrong answers has no finite estimate, but a reason, and is left out of the
    fit. Intervals are normal. Raises ValueError for numbers other than 0 and 1.

    >>> found = fit([[1, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 0]])
    >>> [round(ability.value, 2) for ability in found.abilities]
    [0.84, 0.84, -0.85]
    """
    array = as_floats(correct, "correct", ndim=2)
    if not np.isin(array[~np.isnan(array)], (0, 1)).all():
        raise ValueError("correct: expected 1 (right), 0 (wrong) or NaN (not read)")
    cases_are_random = array.shape[1] >= array.shape[0]
    # `table` has the random side in rows; logit = sign x (free + random).
    table = array.T if cases_are_random else array
    free, random, spread = _fit(
        table, "reader" if cases_are_random else "case", "case" if cases_are_random else "reader"
    )
    if cases_are_random:
        return Rasch(free, [_moved(one, 0.0, -1) for one in random], spread)
    # Readers are centred at 0; centre the difficulties instead, which leaves all differences unchanged.
    known = [-one.value for one in free if one.value is not None]
    mean = float(np.mean(known)) if known else 0.0
    return Rasch([_moved(one, -mean) for one in random], [_moved(one, -mean, -1) for one in free], spread)


def _fit(table: Floats, free_name: str, random_name: str) -> tuple[list[Estimate], list[Estimate], Estimate]:
    read = ~np.isnan(table)
    right = np.where(read, table, 0.0)
    readings, totals = read.sum(axis=0), right.sum(axis=0)
    usable = (totals > 0) & (totals < readings)
    free = [
        undefined(_extreme(free_name, int(n), int(k)), METHOD, n=int(n)) for n, k in zip(readings, totals, strict=True)
    ]
    kept = read[:, usable].any(axis=1)
    random_readings = read[:, usable].sum(axis=1)
    random = [undefined(f"this {random_name} has no usable reading", METHOD, n=0) for _ in range(len(table))]
    if usable.sum() < 2:
        reason = f"two {free_name}s with both right and wrong answers are needed"
        for place in np.flatnonzero(usable):
            free[place] = undefined(reason, METHOD, n=int(readings[place]))
        return free, random, undefined(reason, METHOD)
    model = _Model(right[np.ix_(kept, usable)], read[np.ix_(kept, usable)].astype(float))
    theta, covariance = model.maximise()
    half_width = distributions.normal_quantile(0.95)
    spread, effects = math.exp(theta[-1]), theta[:-1]
    for place, value, variance in zip(np.flatnonzero(usable), effects, np.diag(covariance), strict=False):
        # If all members of one side do equally well, the spread of the other is unbounded and the likelihood flat.
        free[place] = (
            _normal(float(value), math.sqrt(variance), half_width, int(readings[place]))
            if variance > 0
            else undefined(
                f"every {free_name} has the same result, so the spread has no finite estimate",
                METHOD,
                n=int(readings[place]),
            )
        )
    means, deviations = model.posterior(theta)
    for place, mean, deviation in zip(np.flatnonzero(kept), means, deviations, strict=True):
        random[place] = _normal(float(mean), float(deviation), half_width, int(random_readings[place]))
    return free, random, _spread(spread, covariance, random_name)


class _Model:
    """The marginal likelihood of a table (random side x free side) of right answers among those read."""

    def __init__(self, right: Floats, read: Floats) -> None:
        self.right, self.read = right, read
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        self.nodes, self.log_weights = nodes, np.log(weights / weights.sum())

    def _at(self, theta: Floats) -> tuple[float, Floats, Floats, Floats]:
        """Log likelihood, P(right) free x nodes, posterior weights random x nodes, residual sums random x nodes."""
        logits = theta[:-1, None] + math.exp(theta[-1]) * self.nodes
        log_right, log_wrong = -np.logaddexp(0, -logits), -np.logaddexp(0, logits)
        joint = self.right @ log_right + (self.read - self.right) @ log_wrong + self.log_weights
        top = joint.max(axis=1, keepdims=True)
        weights = np.exp(joint - top)
        likelihood = float((np.log(weights.sum(axis=1)) + top[:, 0]).sum())
        weights /= weights.sum(axis=1, keepdims=True)
        chances = np.exp(log_right)
        residuals = self.right.sum(axis=1, keepdims=True) - self.read @ chances
        return likelihood, chances, weights, residuals

    def loss(self, theta: Floats) -> tuple[float, Floats]:
        """Minus the log likelihood and its gradient."""
        likelihood, chances, weights, residuals = self._at(theta)
        effects = self.right.sum(axis=0) - ((self.read.T @ weights) * chances).sum(axis=1)
        spread = math.exp(theta[-1]) * float((weights * residuals * self.nodes).sum())
        return -likelihood, -np.r_[effects, spread]

    def maximise(self) -> tuple[Floats, Floats]:
        """Return the estimates (effects, log spread) and their covariance; without that of the spread if it is 0."""
        from scipy.optimize import minimize

        shares = self.right.sum(axis=0) / self.read.sum(axis=0)
        start = np.r_[np.log(shares / (1 - shares)), 0.0]
        bounds = [(None, None)] * shares.size + [(math.log(LEAST_SPREAD / 2), MOST_LOG_SPREAD)]
        # L-BFGS keeps the log spread from reaching minus infinity if there is no spread.
        found = minimize(
            self.loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-8}
        )
        information = self._information(found.x)
        if found.x[-1] < math.log(LEAST_SPREAD):
            information = information[:-1, :-1]
        return found.x, np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)

    def _information(self, theta: Floats) -> Floats:
        """Observed information by Louis' identity: expected complete information minus the variance of its score."""
        _, chances, weights, residuals = self._at(theta)
        spread, size = math.exp(theta[-1]), theta.size
        slack = chances * (1 - chances)
        complete, squares = np.zeros((size, size)), np.zeros((size, size))
        for q, x in enumerate(self.nodes):
            w = weights[:, q]
            seen = w @ self.read
            complete[np.arange(size - 1), np.arange(size - 1)] += seen * slack[:, q]
            complete[:-1, -1] += spread * x * seen * slack[:, q]
            complete[-1, -1] += (spread * x) ** 2 * float(seen @ slack[:, q]) - spread * x * float(w @ residuals[:, q])
            scores = np.c_[self.right - self.read * chances[:, q], spread * x * residuals[:, q]]
            squares += scores.T @ (w[:, None] * scores)
        complete[-1, :-1] = complete[:-1, -1]
        means = np.c_[
            self.right - self.read * (weights @ chances.T),
            spread * (weights * residuals * self.nodes).sum(axis=1),
        ]
        return complete - squares + means.T @ means

    def posterior(self, theta: Floats) -> tuple[Floats, Floats]:
        """Posterior means and standard deviations of the random side."""
        _, _, weights, _ = self._at(theta)
        effects = math.exp(theta[-1]) * self.nodes
        means = weights @ effects
        return means, np.sqrt(np.maximum(weights @ effects**2 - means**2, 0))


def _normal(value: float, se: float, width: float, n: int) -> Estimate:
    return Estimate(value, se, (value - width * se, value + width * se), method=METHOD, extra={"n": n})


def _spread(spread: float, covariance: Floats, name: str) -> Estimate:
    method = f"{METHOD}, standard deviation over {name}s"
    if spread < LEAST_SPREAD:
        return Estimate(0.0, method=method, reason=f"the {name}s do not differ more than by chance")
    log_se = math.sqrt(max(0.0, float(covariance[-1, -1])))
    half = distributions.normal_quantile(0.95) * log_se
    if half > MOST_LOG_SPREAD:
        return Estimate(
            spread, method=method, reason="the answers hardly determine the spread, so there is no interval"
        )
    return Estimate(spread, spread * log_se, (spread * math.exp(-half), spread * math.exp(half)), method=method)


def _extreme(name: str, n: int, k: int) -> str:
    if not n:
        return f"this {name} has no usable reading"
    return f"all {n} answers are {'right' if k else 'wrong'}, so the estimate is infinite"


def _moved(one: Estimate, by: float, sign: int = 1) -> Estimate:
    """The estimate times `sign`, plus `by`."""
    if one.value is None or one.ci is None:
        return one
    low, high = sorted(sign * limit + by for limit in one.ci)
    return replace(one, value=sign * one.value + by, ci=(low, high))
