"""Meta-analysis of several studies: random effects, meta-regression, asymmetry, and sensitivity with specificity.

Effects are on a scale with nearly normal errors (the logit of a proportion), and each has a known variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arrays import Floats
from analysis.statistics.distributions import normal_quantile, t_p, t_quantile
from analysis.statistics.estimate import Estimate, undefined

__all__ = ["asymmetry", "bivariate", "pool", "regress"]

POOLED = "random effects, REML, Hartung-Knapp"
REITSMA = "bivariate random effects of the logits (Reitsma), REML, normal interval"
FEW_FOR_ASYMMETRY = 10
FEW_FOR_PAIRS = 4


class _Fit(NamedTuple):
    tau2: float
    coefficients: Floats
    covariance: Floats
    df: int


def pool(effects: ArrayLike, variances: ArrayLike) -> Estimate:
    """The mean effect of studies like these, and a prediction interval for a further one.

    Effects y_i of k studies with known variances v_i: weights 1 / (v_i + tau2), tau2 between studies by restricted
    maximum likelihood, and the variance of the mean scaled by sum(w_i (y_i - mean)^2) / (k - 1), never below 1, with t
    on k - 1 (Hartung and Knapp 2001, Stat Med 20:3875; Knapp and Hartung 2003, Stat Med 22:2693). Prediction: mean +-
    t(k - 2) sqrt(tau2 + se^2) (Higgins, Thompson and Spiegelhalter 2009, J R Stat Soc A 172:137), from three studies.
    Q, I^2 and the tau2 of Paule and Mandel come from statsmodels.

    Args:
        effects: k numbers, all on the same scale.
        variances: their k variances, above 0.

    Returns:
        The mean with `se`, `ci`, `df`, p against 0; `tau2`, `tau2_paule_mandel`, `q`, `q_df`, `q_p`, `i2` (of Q, 0 to
        1), `prediction`, `weights` (shares), `k`. Undefined for fewer than two studies.

    Raises:
        ValueError: lengths differ, or a variance is not above 0.

    >>> found = pool([-0.89, -1.59, -1.35, -1.44, -0.22], [0.33, 0.19, 0.42, 0.02, 0.05])
    >>> round(found.value, 3), [round(limit, 3) for limit in found.ci], round(found.tau2, 3)
    (-1.06, [-1.897, -0.223], 0.3)
    """
    from scipy.special import chdtrc
    from statsmodels.stats.meta_analysis import combine_effects

    y, v = _given(effects, variances)
    if len(y) < 2:
        return undefined("there are fewer than two studies", POOLED, k=len(y))
    fit = _fit(y, v, np.ones((len(y), 1)))
    with np.errstate(divide="ignore", invalid="ignore"):  # for its I^2 of identical studies
        beside = combine_effects(y, v, method_re="iterated")
    weights = 1 / (v + fit.tau2)
    mean, se = float(fit.coefficients[0]), math.sqrt(fit.covariance[0, 0])
    q = max(0.0, float(beside.q))
    prediction = None
    if len(y) > 2:
        reach = t_quantile(0.95, len(y) - 2) * math.sqrt(fit.tau2 + se**2)
        prediction = (mean - reach, mean + reach)
    return _estimate(
        mean,
        se,
        fit.df,
        POOLED,
        tau2=fit.tau2,
        tau2_paule_mandel=float(beside.tau2),
        q=q,
        q_df=len(y) - 1,
        q_p=float(chdtrc(len(y) - 1, q)),
        i2=max(0.0, 1 - (len(y) - 1) / q) if q else 0.0,
        prediction=prediction,
        weights=(weights / weights.sum()).tolist(),
        k=len(y),
    )


def regress(effects: ArrayLike, variances: ArrayLike, covariates: ArrayLike, names: Sequence[str]) -> Estimate:
    """Does a property of the studies explain the differences between effects? Mixed-effects meta-regression.

    y_i = b0 + x_i b + u_i + e_i; tau2 of u by REML, standard errors and the F test of all b after Knapp and Hartung
    2003 (Stat Med 22:2693), never narrower than without. The value is the share of tau2 that x explains, 1 - tau2 /
    (tau2 without x), cut at 0; p is that of the F test. With few studies, it finds only large effects, and it does not
    prove a cause.

    Args:
        effects, variances: as in `pool`.
        covariates: k x m numbers, without a constant.
        names: m names.

    Returns:
        `coefficients` by name, each with `value`, `se`, `ci`, `p`; `statistic` (F), `df` (of the denominator), `df1`,
        `tau2`, `tau2_without`. Undefined if there are too many covariates for the studies, or they do not vary.

    Raises:
        ValueError: as for `pool`, or covariates have a wrong shape.

    >>> latitude = [[44], [55], [42], [13], [13]]
    >>> found = regress([-0.9, -1.6, -1.3, -0.2, 0.0], [0.3, 0.2, 0.1, 0.05, 0.1], latitude, ["x"])
    >>> round(found.coefficients["x"]["value"], 3), round(found.p, 3)
    (-0.035, 0.028)
    """
    from scipy.special import fdtrc

    y, v = _given(effects, variances)
    x = np.asarray(covariates, dtype=float)
    if x.shape != (len(y), len(names)):
        raise ValueError(f"covariates: expected {len(y)} x {len(names)}, got {' x '.join(map(str, x.shape))}")
    method = "meta-regression, REML, Knapp-Hartung"
    design = np.column_stack([np.ones(len(y)), x])
    if len(y) < design.shape[1] + 2:
        return undefined(f"{len(y)} studies are too few for {len(names)} covariate(s)", method, k=len(y))
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return undefined("a covariate does not vary, or is a combination of others", method, k=len(y))
    fit, without = _fit(y, v, design), _fit(y, v, np.ones((len(y), 1)))
    slopes = fit.coefficients[1:]
    statistic = float(slopes @ np.linalg.solve(fit.covariance[1:, 1:], slopes)) / len(slopes)
    each = {
        name: _estimate(float(b), math.sqrt(fit.covariance[i, i]), fit.df, method).as_dict()
        for i, (name, b) in enumerate(zip(["constant", *names], fit.coefficients, strict=True))
    }
    return Estimate(
        max(0.0, 1 - fit.tau2 / without.tau2) if without.tau2 > 0 else None,
        p=float(fdtrc(len(slopes), fit.df, statistic)),
        df=float(fit.df),
        method=method,
        reason=None if without.tau2 > 0 else "the studies do not differ by more than chance",
        extra={
            "statistic": statistic,
            "df1": len(slopes),
            "coefficients": each,
            "tau2": fit.tau2,
            "tau2_without": without.tau2,
            "k": len(y),
        },
    )


def asymmetry(effects: ArrayLike, variances: ArrayLike) -> Estimate:
    """Do effects differ between small and large studies? Egger's test as a meta-regression on the standard error.

    The slope of the effect on sqrt(v) (Sterne and Egger 2005), as in `regress`. It is biased if the variance depends on
    the effect, as for proportions; it is not computed for fewer than ten studies.

    Args:
        effects, variances: as in `pool`.

    Returns:
        The slope with `se`, `ci`, `df` and p; `limit`, the effect where the standard error is 0. Undefined for fewer
        than ten.

    >>> print(asymmetry([0.1, 0.2, 0.3], [0.1, 0.2, 0.1]).reason)
    3 studies are too few to test for asymmetry (at least ten are needed)
    >>> y, v = [0.1, 0.4, 0.2, 0.5, 0.3, 0.6, 0.2, 0.4, 0.5, 0.7], [1, 4, 2, 5, 2, 7, 3, 3, 5, 9]
    >>> round(asymmetry(y, [one / 100 for one in v]).value, 2)
    3.02
    """
    y, v = _given(effects, variances)
    if len(y) < FEW_FOR_ASYMMETRY:
        return undefined(
            f"{len(y)} studies are too few to test for asymmetry (at least ten are needed)", "Egger's test", k=len(y)
        )
    found = regress(y, v, np.sqrt(v)[:, None], ["se"])
    if "coefficients" not in found.extra:
        return undefined(found.reason or "", "Egger's test", k=len(y))
    slope = found.extra["coefficients"]["se"]
    return _estimate(
        slope["value"],
        slope["se"],
        slope["df"],
        "Egger's test as a meta-regression, Knapp-Hartung",
        limit=found.extra["coefficients"]["constant"]["value"],
        k=len(y),
    )


def bivariate(tp: ArrayLike, fn: ArrayLike, tn: ArrayLike, fp: ArrayLike) -> Estimate:
    """Joint sensitivity and specificity of several studies, correlated because a stricter threshold moves both.

    Logits of both, within-study variances 1 / tp + 1 / fn and 1 / tn + 1 / fp, and a bivariate normal between studies,
    by REML (Reitsma et al. 2005, J Clin Epidemiol 58:982). One half is added to every count if any is 0.
    Counts from several readers of the same images are not independent; within-study variances are then too small, which
    the spread between studies partly absorbs.

    Args:
        tp, fn, tn, fp: k counts each, positive = synthetic; shares of answers are allowed.

    Returns:
        The value is the mean sensitivity, `sensitivity` and `specificity` estimates each with `value` and `ci`;
        `tau2` (of the two logits), `rho` between studies, `mean` and `covariance` of the logits, `k`. Undefined for
        fewer than four studies.

    Raises:
        ValueError: a count is below 0, or a study has no image of a class.

    >>> found = bivariate([61, 75, 44, 82, 53], [39, 25, 56, 18, 47], [70, 55, 81, 60, 66], [30, 45, 19, 40, 34])
    >>> round(found.sensitivity["value"], 3), round(found.specificity["value"], 3), found.rho < -0.5
    (0.639, 0.667, True)
    """
    from scipy.optimize import minimize

    counts = np.array([np.asarray(one, dtype=float) for one in (tp, fn, tn, fp)])
    if counts.ndim != 2 or (counts < 0).any() or not np.isfinite(counts).all():
        raise ValueError("tp, fn, tn, fp: expected equally many counts of each, none below 0")
    if ((counts[0] + counts[1] == 0) | (counts[2] + counts[3] == 0)).any():
        raise ValueError("tp + fn, tn + fp: a study has no image of a class")
    k = counts.shape[1]
    if k < FEW_FOR_PAIRS:
        return undefined(f"{k} studies have both counts; a pair of means needs four", REITSMA, k=k)
    if (counts == 0).any():
        counts = counts + 0.5
    y = np.log(counts[[0, 2]] / counts[[1, 3]]).T
    within = (1 / counts[[0, 2]] + 1 / counts[[1, 3]]).T
    start = 0.5 * np.log(np.maximum(y.var(axis=0, ddof=1) - within.mean(axis=0), 0.01))
    tries = [
        minimize(lambda given: _pairs(given, y, within)[0], [*start, z], method="Nelder-Mead", options=_EXACT)
        for z in (-1.0, 0.0, 1.0)
    ]
    best = min(tries, key=lambda found: float(found.fun))
    _, mean, covariance = _pairs(best.x, y, within)
    each = [_share(float(m), math.sqrt(float(c))) for m, c in zip(mean, np.diag(covariance), strict=True)]
    return Estimate(
        each[0]["value"],
        ci=tuple(each[0]["ci"]),
        method=REITSMA,
        extra={
            "sensitivity": each[0],
            "specificity": each[1],
            "tau2": [math.exp(2 * float(one)) for one in best.x[:2]],
            "rho": math.tanh(float(best.x[2])),
            "mean": mean.tolist(),
            "covariance": covariance.tolist(),
            "k": k,
        },
    )


_EXACT = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 20_000, "maxfev": 20_000}


def _pairs(given: NDArray[Any], y: Floats, within: Floats) -> tuple[float, Floats, Floats]:
    """-2 log restricted likelihood of (log sd, log sd, atanh rho), with the means and their covariance."""
    spread = np.exp(np.clip(given[:2], -12, 6))
    rho = math.tanh(float(np.clip(given[2], -8, 8)))
    between = np.outer(spread, spread) * np.array([[1, rho], [rho, 1]])
    total = between + np.einsum("ki,ij->kij", within, np.eye(2))
    inverse = np.linalg.inv(total)
    information = inverse.sum(axis=0)
    mean = np.linalg.solve(information, np.einsum("kij,kj->i", inverse, y))
    rest = y - mean
    value = np.log(np.linalg.det(total)).sum() + math.log(np.linalg.det(information))
    return float(value + np.einsum("ki,kij,kj->", rest, inverse, rest)), mean, np.linalg.inv(information)


def _fit(y: Floats, v: Floats, design: Floats) -> _Fit:
    """Weighted least squares at the REML tau2, with the covariance of Knapp and Hartung."""
    from scipy.optimize import minimize_scalar

    most = 100 * max(float(np.var(y)), float(v.max()), 1e-12)
    grid = np.concatenate([[0.0], np.geomspace(most * 1e-9, most, 120)])
    lowest = int(np.argmin([_deviance(tau2, y, v, design) for tau2 in grid]))
    low, high = grid[max(lowest - 1, 0)], grid[min(lowest + 1, len(grid) - 1)]
    found = minimize_scalar(
        _deviance, bounds=(low, high), args=(y, v, design), method="bounded", options={"xatol": 1e-12}
    )
    tau2 = float(found.x) if lowest and found.fun < _deviance(0.0, y, v, design) else 0.0
    weights = 1 / (v + tau2)
    inverse = np.linalg.inv(design.T @ (weights[:, None] * design))
    coefficients = inverse @ (design.T @ (weights * y))
    df = len(y) - design.shape[1]
    scale = max(1.0, float((weights * (y - design @ coefficients) ** 2).sum()) / df)
    return _Fit(tau2, coefficients, scale * inverse, df)


def _deviance(tau2: float, y: Floats, v: Floats, design: Floats) -> float:
    """-2 log restricted likelihood without its constant."""
    weights = 1 / (v + tau2)
    information = design.T @ (weights[:, None] * design)
    rest = y - design @ np.linalg.solve(information, design.T @ (weights * y))
    return float(-np.log(weights).sum() + np.linalg.slogdet(information)[1] + (weights * rest**2).sum())


def _given(effects: ArrayLike, variances: ArrayLike) -> tuple[Floats, Floats]:
    y, v = np.asarray(effects, dtype=float), np.asarray(variances, dtype=float)
    if y.ndim != 1 or y.shape != v.shape:
        raise ValueError(f"effects and variances: expected equally many of each, got {y.shape} and {v.shape}")
    if not np.isfinite(y).all() or not (np.isfinite(v) & (v > 0)).all():
        raise ValueError("effects, variances: expected finite numbers, variances above 0")
    return y, v


def _estimate(value: float, se: float, df: float, method: str, **extra: Any) -> Estimate:
    reach = t_quantile(0.95, df) * se
    return Estimate(value, se, (value - reach, value + reach), t_p(value / se, df), method, df=float(df), extra=extra)


def _share(logit: float, se: float) -> dict[str, Any]:
    from scipy.special import expit

    reach = normal_quantile(0.95) * se
    return {"value": float(expit(logit)), "ci": [float(expit(logit - reach)), float(expit(logit + reach))]}
