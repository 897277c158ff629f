"""Logistic mixed model with crossed effects of readers and cases, fitted by the Laplace approximation.

Question: how do the odds of an answer change with class, certainty, position or group, when some readers are
better and some cases harder than others? The log odds of answer k are x_k b + sum_f u_f[level of k in f], with
u_f ~ N(0, s_f^2) for every factor f (reader, case).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined
from analysis.statistics.laplace import Laplace

METHOD = "logistic mixed model, Laplace approximation, Wald intervals from the joint Hessian"
LARGEST_SD = 20.0  # log odds; a larger standard deviation has diverged
LEAST_SD = 1e-4  # smaller standard deviations count as 0
START = 0.25  # initial variance of the fit
FAR = 1e-3  # squared distance to the maximum, in standard errors, beyond which a fit has not converged


@dataclass(frozen=True)
class MixedModel:
    """A fitted model.

    `fixed`: log odds by name, each with `odds_ratio` and `odds_ratio_ci`; `random`: standard deviation by factor, with
    its `variance`, `share` of the variance on the latent scale and number of `levels`. `reason` says why there is no
    fit; `left_out` counts rows with a missing value.
    """

    fixed: dict[str, Estimate]
    random: dict[str, Estimate]
    log_likelihood: float | None
    aic: float | None
    n: int
    left_out: int
    method: str = METHOD
    reason: str | None = None
    residual_share: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """A plain mapping for results.json."""
        plain = {key: entry for key, entry in vars(self).items() if key not in ("fixed", "random")}
        for part in ("fixed", "random"):
            plain[part] = {name: estimate.as_dict() for name, estimate in getattr(self, part).items()}
        return plain


def logistic(
    successes: ArrayLike,
    fixed: Mapping[str, ArrayLike],
    random: Mapping[str, ArrayLike],
    trials: ArrayLike | None = None,
) -> MixedModel:
    """Fit the log odds of success on fixed covariates and crossed random factors.

    `successes`: one per row, 0 or 1, or a count out of `trials`; `fixed`: name -> numbers (one coefficient) or text
    (one for each category but the first in order, "name[category]"); an intercept is added; `random`: name -> labels.
    Rows with None or NaN are left out and counted.

    The likelihood is maximised over b and s jointly, with the random effects integrated out by Laplace's
    approximation -log L = -log p(y | u) + |u|^2 / 2 + log|H| / 2 at the mode of u (Breslow and Clayton 1993, JASA
    88:9; Bates, Maechler, Bolker and Walker 2015, J Stat Softw 67:1, whose lme4 gives the same results). Standard
    errors come from the Hessian over b and s; p is Wald's. Shares of variance include pi^2 / 3 for the answer itself
    (Nakagawa and Schielzeth 2010, Biol Rev 85:935).

    There is no fit, but a reason, if there are no rows, all answers are the same, or the covariates separate the
    answers (the likelihood then has no finite maximum). A coefficient determined by others, or a factor with one level
    or one trial per level, is undefined with a reason, and the rest is fitted. Raises ValueError for columns of unequal
    length or counts that are not whole numbers from 0 to the number of trials.

    >>> reader = ["a"] * 8 + ["b"] * 8 + ["c"] * 8
    >>> truth = [0, 0, 0, 0, 1, 1, 1, 1] * 3
    >>> right = [0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1]
    >>> model = logistic(right, {"synthetic": truth}, {"reader": reader})
    >>> round(model.fixed["synthetic"].odds_ratio, 2), round(model.random["reader"].value, 2)
    (3.29, 0.83)
    """
    problem = _problem(successes, fixed, random, trials)
    reason = _no_fit(problem)
    if reason:
        nothing = {name: undefined(reason) for name in (*problem.names, *problem.aliased)}
        return MixedModel(
            nothing,
            {name: undefined(reason) for name in random},
            None,
            None,
            problem.y.size,
            problem.left_out,
            reason=reason,
        )
    laplace = Laplace(problem.y, problem.trials, problem.X, list(problem.factors.values()))
    best = _fit(laplace, problem)
    sd = best[laplace.covariates :]
    free = np.concatenate([np.ones(laplace.covariates, dtype=bool), sd > 0])
    covariance = _covariance(laplace, best, free)
    value, slope = laplace(best)
    log_likelihood = _constant(problem) - value
    total = float((sd**2).sum()) + math.pi**2 / 3
    if (sd > 0.99 * LARGEST_SD).any():
        reason = "a standard deviation grew without bound, because all answers within a level are the same"
    elif covariance is not None and slope[free] @ covariance @ slope[free] > FAR:
        reason = "the fit did not converge, so its figures are unreliable"
    return MixedModel(
        _coefficients(problem, best, covariance),
        _deviations(problem, sd, total),
        log_likelihood,
        2 * best.size - 2 * log_likelihood,
        problem.y.size,
        problem.left_out,
        reason=reason,
        residual_share=math.pi**2 / 3 / total,
    )


def averaged(log_odds: float, sd: float) -> float:
    """The mean probability if the log odds vary normally with standard deviation `sd` (Gauss-Hermite quadrature).

    >>> round(averaged(1.0, 0.0), 4), round(averaged(1.0, 1.5), 4)
    (0.7311, 0.6707)
    """
    import numpy as np

    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    return float(weights @ (1 / (1 + np.exp(-(log_odds + sd * nodes)))) / weights.sum())


class _Problem(NamedTuple):
    """Complete rows as arrays, with X scaled by its columns' root mean square; what cannot be estimated, and why."""

    y: Floats
    trials: Floats
    X: Floats
    units: Floats
    names: list[str]
    factors: dict[str, NDArray[np.intp]]
    aliased: dict[str, str]
    idle: dict[str, str]
    left_out: int


def _problem(
    successes: ArrayLike, fixed: Mapping[str, ArrayLike], random: Mapping[str, ArrayLike], trials: ArrayLike | None
) -> _Problem:
    y = as_floats(successes, "successes")
    n = np.ones(y.size) if trials is None else as_floats(trials, "trials")
    columns = {name: _column(values) for name, values in fixed.items()}
    labels = {
        name: np.array([_label(value) for value in np.asarray(values, object)], object)
        for name, values in random.items()
    }
    for name, values in {"trials": n, **columns, **labels}.items():
        if values.shape != y.shape:
            raise ValueError(f"{name}: expected {y.size} values, one per entry of successes, got {values.size}")
    known = ~(np.isnan(y) | np.isnan(n))
    for values in (*columns.values(), *labels.values()):
        known &= np.array([value is not None and value == value for value in values], dtype=bool)
    y, n = y[known], n[known]
    if (n < 1).any() or (y < 0).any() or (y > n).any() or (y % 1).any() or (n % 1).any():
        raise ValueError("successes: expected whole numbers from 0 to the number of trials (1 if none is given)")
    design = {"intercept": np.ones(y.size)}
    for name, values in columns.items():
        kept = values[known]
        if kept.dtype != object:
            design[name] = kept
            continue
        for category in sorted(set(kept))[1:]:
            design[f"{name}[{category}]"] = (kept == category).astype(float)
    names, aliased = _independent(design)
    factors, idle = {}, {}
    for name, values in labels.items():
        levels, index = np.unique(values[known].astype(str), return_inverse=True)
        if levels.size < 2:
            idle[name] = "it has only one level"
        elif levels.size == y.size and (n == 1).all():
            idle[name] = "every level has only one answer"
        else:
            factors[name] = index
    X = np.column_stack([design[name] for name in names]) if y.size else np.empty((0, len(names)))
    units = np.sqrt((X**2).mean(axis=0)) if y.size else np.ones(len(names))
    return _Problem(y, n, X / units, units, names, factors, aliased, idle, int((~known).sum()))


def _column(values: ArrayLike) -> NDArray[Any]:
    """Numbers as floats, text as labels."""
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(float)
    if all(value is None or isinstance(value, (bool, int, float, np.number)) for value in array):
        return array.astype(float)
    return np.array([_label(value) for value in array], dtype=object)


def _label(value: Any) -> str | None:
    return None if value is None or value != value else str(value)


def _independent(design: dict[str, Floats]) -> tuple[list[str], dict[str, str]]:
    """Return the columns that are not determined by earlier ones."""
    names: list[str] = []
    aliased = {}
    basis = np.empty((len(design["intercept"]), 0))
    for name, column in design.items():
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) <= 1e-8 * max(float(np.linalg.norm(column)), 1e-300):
            aliased[name] = "it is determined by the covariates before it"
            continue
        names.append(name)
        basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return names, aliased


def _no_fit(problem: _Problem) -> str | None:
    if not problem.y.size:
        return "no row is complete"
    if problem.y.sum() in (0, problem.trials.sum()):
        return "all answers are the same"
    separating = _separation(problem)
    if separating:
        return (
            f"the answers are completely separated by {', '.join(separating)}, so the odds ratio has no finite estimate"
        )
    return None


def _separation(problem: _Problem) -> list[str]:
    """The covariates of a direction along which the likelihood never falls (Albert and Anderson 1984, Biometrika 71:1).

    It is found by a linear programme: x b >= 0 for every success and <= 0 for every failure, and not all 0.
    """
    from scipy.optimize import linprog

    X = problem.X
    rows = np.vstack([X[problem.y > 0], -X[problem.y < problem.trials]])
    rows = np.unique(rows, axis=0)
    answer = linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1), method="highs")
    if answer.fun is None or answer.fun > -1e-7:
        return []
    involved = [name for name, b in zip(problem.names, answer.x, strict=True) if abs(b) > 1e-7]
    return [name for name in involved if name != "intercept"] or involved


def _fit(laplace: Laplace, problem: _Problem) -> Floats:
    """Return the most likely b and s, with the fixed part scaled to be nearly spherical."""
    from scipy.optimize import minimize

    start = _without_random(problem)
    probability = 1 / (1 + np.exp(-problem.X @ start))
    weight = problem.trials * probability * (1 - probability)
    scale = np.linalg.inv(np.linalg.cholesky(problem.X.T @ (weight[:, None] * problem.X))).T
    p = laplace.covariates
    levels = np.array([index.max() + 1 for index in problem.factors.values()], dtype=float)
    # Approximate standard error of a variance near START: (START + 1 / information of a level) sqrt(2 / levels).
    step = (START + levels / weight.sum()) * np.sqrt(2 / np.maximum(levels, 1))

    # Optimise variances, not standard deviations: at s = 0 the slope in s is 0 whether or not this is the optimum.
    def objective(point: Floats) -> tuple[float, Floats]:
        sd = np.sqrt(point[p:] * step)
        value, slope = laplace(np.concatenate([start + scale @ point[:p], sd]))
        return value, np.concatenate([scale.T @ slope[:p], slope[p:] / (2 * sd) * step])

    begin = np.concatenate([np.zeros(p), START / step])
    bounds = [(None, None)] * p + [(LEAST_SD**2 / own, LARGEST_SD**2 / own) for own in step]
    options = {"maxiter": 500, "ftol": 1e-15, "gtol": 1e-6}
    best = minimize(objective, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    sd = np.sqrt(best[p:] * step)
    return np.concatenate([start + scale @ best[:p], np.where(sd > 2 * LEAST_SD, sd, 0.0)])


def _without_random(problem: _Problem) -> Floats:
    """Logistic regression by Newton's method, as the start of the fit."""
    b = np.zeros(problem.X.shape[1])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-problem.X @ b))
        weight = problem.trials * probability * (1 - probability)
        slope = problem.X.T @ (problem.y - problem.trials * probability)
        step = np.linalg.solve(problem.X.T @ (weight[:, None] * problem.X), slope)
        b = b + step
        if slope @ step < 1e-10:
            break
    return b


def _covariance(laplace: Laplace, best: Floats, free: NDArray[np.bool_]) -> Floats | None:
    """Inverse of the Hessian over b and the s above 0, by central differences of the gradient."""
    index = np.flatnonzero(free)
    hessian = np.empty((index.size, index.size))
    for row, j in enumerate(index):
        step = np.zeros(best.size)
        step[j] = 1e-4 * max(1.0, abs(float(best[j])))
        hessian[row] = (laplace(best + step)[1] - laplace(best - step)[1])[index] / (2 * step[j])
    hessian = (hessian + hessian.T) / 2
    try:
        np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.linalg.inv(hessian), dtype=np.float64)


def _coefficients(problem: _Problem, best: Floats, covariance: Floats | None) -> dict[str, Estimate]:
    out = {}
    for j, name in enumerate(problem.names):
        value = float(best[j] / problem.units[j])
        extra: dict[str, Any] = {"odds_ratio": _exp(value)}
        if covariance is None:
            reason = "the likelihood is flat here, so there is no standard error"
            out[name] = Estimate(value, method=METHOD, reason=reason, extra=extra)
            continue
        se = math.sqrt(covariance[j, j]) / float(problem.units[j])
        half = distributions.normal_quantile(0.95) * se
        ci = value - half, value + half
        extra["odds_ratio_ci"] = [_exp(limit) for limit in ci]
        out[name] = Estimate(value, se, ci, distributions.normal_p(value / se), METHOD, extra=extra)
    return out | {name: undefined(reason, METHOD) for name, reason in problem.aliased.items()}


def _exp(log_odds: float) -> float | None:
    """Return None if the result exceeds a float; the covariate's unit is then far too small or too large."""
    return math.exp(log_odds) if log_odds < 700 else None


def _deviations(problem: _Problem, sd: Floats, total: float) -> dict[str, Estimate]:
    out = {}
    for (name, index), own in zip(problem.factors.items(), sd.tolist(), strict=True):
        extra = {"variance": own**2, "share": own**2 / total, "levels": int(index.max()) + 1}
        out[name] = Estimate(own, method=METHOD, extra=extra)
    return out | {name: undefined(f"no variance between levels: {why}", METHOD) for name, why in problem.idle.items()}


def _constant(problem: _Problem) -> float:
    """Return the log of the binomial coefficients, which the fit does not need."""
    from scipy.special import gammaln

    y, n = problem.y, problem.trials
    return float((gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)).sum())
