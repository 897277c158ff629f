"""Power and precision by formula: areas, accuracy, kappa, equivalence, and a difference of two modalities.

The formulas use the variance components of the Roe-Metz model (`planning.roe_metz`), or those of a pilot study
analysed with `analysis.statistics.mrmc`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from analysis.planning.quartets import Quartets
from analysis.planning.roe_metz import RoeMetz
from analysis.statistics import distributions
from analysis.statistics.arrays import one_of
from analysis.statistics.estimate import Estimate, undefined

ENDPOINTS = ("auc", "accuracy", "kappa", "quartet")
MOST_CASES = 20_000
MOST_READERS = 200


def power(
    endpoint: str,
    value: float,
    readers: int,
    cases: int,
    *,
    null: float | None = None,
    margin: float | None = None,
    model: RoeMetz | Quartets | None = None,
    components: Mapping[str, float] | None = None,
    alpha: float = 0.05,
) -> Estimate:
    """Power of a study of one pool, readers and cases random, if the readers' true mean figure is `value`.

    `endpoint`: "auc" or "accuracy" against `null` (.5), by the t test of Obuchowski and Rockette; "kappa" (Fleiss', two
    answers) against 0, by the normal test; "quartet", the share of trials in which the one real image is found, against
    chance by the same t test, where `cases` is the number of quartets and `model` a `Quartets`. With `margin`, the
    power to show equivalence, |figure - null| < margin, by two one-sided tests. With J readers se^2 = (VarR + Error +
    (J - 1) Cov2) / J on df = (J se^2)^2 / ((VarR + Error - Cov2)^2 / (J - 1)), the statistic being noncentral t
    (Hillis, Obuchowski and Berbaum 2011, Acad Radiol 18:129). The components are those of `model` at this number of
    cases, half of them synthetic, or `components` with keys reader, error, cov2 of a pilot and its number of cases
    under "cases", scaled by pilot cases / cases. For kappa see `kappa_error`.

    `half_width` is the expected half-width of the 95 % interval; `se`, `df` are those of the study's figure.

    >>> plan = power("auc", 0.6, readers=6, cases=200)
    >>> round(plan.value, 2), round(plan.half_width, 3)
    (0.51, 0.102)
    """
    one_of(endpoint, ENDPOINTS, "endpoint")
    check_design(readers, cases, alpha, margin)
    if endpoint == "kappa":
        return _kappa_power(value, readers, cases, 0.0 if null is None else null, margin, alpha)
    model = as_model(endpoint, model)
    null = model.chance if null is None else null
    if components is None:
        parts = model.components(value, cases, endpoint)
    else:
        scale = components["cases"] / cases
        parts = {"reader": components["reader"]} | {name: components[name] * scale for name in ("error", "cov2")}
    reader, error, cov2 = max(parts["reader"], 0.0), parts["error"], max(parts["cov2"], 0.0)
    ms = reader + error - cov2
    se = math.sqrt((ms + readers * cov2) / readers)
    df = (ms + readers * cov2) ** 2 / (ms**2 / (readers - 1))
    if margin is None:
        t = distributions.t_quantile(1 - alpha, df)
        chance = _t_beyond(t, df, (value - null) / se) + _t_beyond(t, df, (null - value) / se)
    else:
        t = distributions.t_quantile(1 - 2 * alpha, df)
        chance = sum(_t_beyond(t, df, (margin + way * (value - null)) / se) for way in (1, -1)) - 1
    extra = {"readers": readers, "cases": cases, "figure": value, "null": null, "components": parts}
    extra |= {"figure_se": se, "figure_df": df, "half_width": distributions.t_quantile(0.95, df) * se}
    if isinstance(model, Quartets):
        extra["design_effect"] = model.design_effect(value, readers, cases)
    test = f"against {null:g}" if margin is None else f"of equivalence within {margin:g} of {null:g}"
    name = f"power of the Obuchowski-Rockette test {test}, alpha {alpha:g}, noncentral t"
    return Estimate(min(max(chance, 0.0), 1.0), method=name, extra=extra)


def power_of_difference(
    effect: float,
    readers: int,
    cases: int,
    components: Mapping[str, float],
    pilot_cases: int,
    *,
    readers_random: bool = True,
    alpha: float = 0.05,
) -> Estimate:
    """Power to detect a difference of two modalities, with the same readers and cases, from a pilot's components.

    `effect`: the true difference; `components`: error, cov1, cov2, cov3 and modality_reader from
    `mrmc.obuchowski_rockette`, for `pilot_cases`. Readers and cases random: F with
    ncp = J effect^2 / 2 / D, D = VarTR + s (Error - Cov1 + (J - 1) (Cov2 - Cov3)), s = pilot cases / cases, on
    D^2 (J - 1) / (VarTR + s (Error - Cov1 - (Cov2 - Cov3)))^2, with negative VarTR and Cov2 - Cov3 set to 0. Readers
    fixed: chi-square with VarTR = 0. Hillis, Obuchowski and Berbaum 2011, Acad Radiol 18:129.

    >>> pilot = {"error": 0.00080229, "cov1": 0.00034661, "cov2": 0.00034407, "cov3": 0.00023903}
    >>> pilot["modality_reader"] = 0.0002004
    >>> round(power_of_difference(0.0438, 10, 165, pilot, 114).value, 2)         # RJafroc on VanDyke's data: .805
    0.81
    """
    from scipy.special import chdtri, chndtr, fdtri, ncfdtr

    check_design(readers, cases, alpha)
    scale = pilot_cases / cases
    reader = max(components["modality_reader"], 0.0) if readers_random else 0.0
    shared = scale * max(components["cov2"] - components["cov3"], 0.0)
    own = scale * (components["error"] - components["cov1"])
    denominator, ms = reader + own + (readers - 1) * shared, reader + own - shared
    ncp = readers * effect**2 / 2 / denominator
    extra = {"ncp": ncp, "readers": readers, "cases": cases, "effect": effect}
    if not readers_random:
        chance = 1 - chndtr(chdtri(1, alpha), 1, ncp)
        name = f"power of the chi-square test of a difference, readers fixed, alpha {alpha:g}"
        return Estimate(float(chance), method=name, extra=extra)
    df2 = denominator**2 / (ms**2 / (readers - 1))
    critical = float(fdtri(1, df2, 1 - alpha))
    name = f"power of the Obuchowski-Rockette F test of a difference, alpha {alpha:g}, noncentral F"
    chance = 1 - float(ncfdtr(1, df2, ncp, critical))
    return Estimate(chance, method=name, df=df2, extra=extra | {"critical": critical})


def kappa_error(kappa: float, readers: int, cases: int, share: float = 0.5) -> float:
    """Standard error of Fleiss' kappa of two answers, given with probability `share` and agreement `kappa`.

    Delta method on the two means in kappa, with beta-binomial counts (any two answers to a case
    are correlated by kappa; Landis and Koch 1977, Biometrics 33:671); at 0 it is Fleiss' sqrt(2 / (N m (m - 1))).

    >>> round(kappa_error(0, 6, 200), 4), round(math.sqrt(2 / (200 * 6 * 5)), 4), round(kappa_error(0.4, 6, 200), 4)
    (0.0183, 0.0183, 0.0337)
    """
    from scipy.stats import betabinom, binom

    if not 0 <= kappa < 1:
        raise ValueError(f"value: expected a kappa from 0 to below 1, got {kappa:g}")
    m, k = readers, np.arange(readers + 1)
    if kappa > 0:
        mass = betabinom.pmf(k, m, *(side * (1 - kappa) / kappa for side in (share, 1 - share)))
    else:
        mass = binom.pmf(k, m, share)
    agreement, said = (k * (k - 1) + (m - k) * (m - k - 1)) / (m * (m - 1)), k / m
    means = float(mass @ agreement), float(mass @ said)
    chance = means[1] ** 2 + (1 - means[1]) ** 2
    # d kappa / d (mean agreement), d kappa / d (mean share)
    slopes = 1 / (1 - chance), -(1 - means[0]) / (1 - chance) ** 2 * (4 * means[1] - 2)
    influence = slopes[0] * (agreement - means[0]) + slopes[1] * (said - means[1])
    return math.sqrt(float(mass @ influence**2) / cases)


def smallest_cases(endpoint: str, value: float, readers: int, *, target: float = 0.8, **settings: Any) -> Estimate:
    """The smallest even number of cases that gives `target` power with `readers` readers; `settings` as for `power`.

    Undefined if no number does: the variation between readers then limits the study, and more readers are needed.

    >>> smallest_cases("auc", 0.6, readers=10).value
    398
    """
    name = f"smallest number of cases for power {target:g} with {readers} readers"
    return _smallest(lambda cases: power(endpoint, value, readers, cases, **settings), 2, MOST_CASES, target, name)


def smallest_readers(endpoint: str, value: float, cases: int, *, target: float = 0.8, **settings: Any) -> Estimate:
    """The smallest number of readers that gives `target` power with `cases` cases; `settings` as for `power`.

    >>> smallest_readers("auc", 0.6, cases=200).value
    13
    """
    name = f"smallest number of readers for power {target:g} with {cases} cases"
    return _smallest(lambda readers: power(endpoint, value, readers, cases, **settings), 1, MOST_READERS, target, name)


def as_model(endpoint: str, model: RoeMetz | Quartets | None = None) -> RoeMetz | Quartets:
    """The model for an end point, by default the standard one. Raises ValueError for a model of another end point.

    >>> as_model("quartet").chance, as_model("auc").chance
    (0.25, 0.5)
    """
    kind = Quartets if endpoint == "quartet" else RoeMetz
    if model is not None and not isinstance(model, kind):
        raise ValueError(f"model: expected {kind.__name__} for the end point {endpoint}, got {type(model).__name__}")
    return model or kind()


def check_design(readers: int, cases: int, alpha: float = 0.05, margin: float | None = None) -> None:
    """Raise ValueError for an impossible design.

    >>> check_design(readers=6, cases=200)
    """
    if readers < 2:
        raise ValueError(f"readers: expected 2 or more, got {readers}")
    if cases < 4:
        raise ValueError(f"cases: expected 4 or more, got {cases}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha: expected a level between 0 and .5, got {alpha:g}")
    if margin is not None and margin <= 0:
        raise ValueError(f"margin: expected a number above 0, got {margin:g}")


def _kappa_power(kappa: float, readers: int, cases: int, null: float, margin: float | None, alpha: float) -> Estimate:
    normal = NormalDist()
    se = kappa_error(kappa, readers, cases)
    if margin is None:
        at_null = kappa_error(null, readers, cases)
        z = distributions.normal_quantile(1 - alpha) * at_null
        chance = normal.cdf((kappa - null - z) / se) + normal.cdf((null - kappa - z) / se)
        name = f"power of the normal test of Fleiss' kappa against {null:g}, readers fixed, alpha {alpha:g}"
    else:
        z = distributions.normal_quantile(1 - 2 * alpha)
        chance = sum(normal.cdf((margin + way * (kappa - null)) / se - z) for way in (1, -1)) - 1
        name = f"power to show kappa within {margin:g} of {null:g}, readers fixed, alpha {alpha:g}"
    extra = {"readers": readers, "cases": cases, "figure": kappa, "null": null, "figure_se": se}
    extra["half_width"] = distributions.normal_quantile(0.95) * se
    return Estimate(min(max(chance, 0.0), 1.0), method=name, extra=extra)


def _smallest(plan: Callable[[int], Estimate], step: int, most: int, target: float, name: str) -> Estimate:
    """Return the smallest sufficient multiple of `step`, by bisection: power rises with size."""
    if not 0 < target < 1:
        raise ValueError(f"target: expected a power between 0 and 1, got {target:g}")
    sizes = range(2 * step, most + 1, step)
    utmost = plan(sizes[-1]).value or 0.0
    if utmost < target:
        return undefined(f"not reached: even {most} give a power of only {utmost:.2f}", name)
    size = sizes[bisect_left(sizes, target, key=lambda size: plan(size).value or 0.0)]
    found = plan(size)
    return Estimate(size, method=name, extra={"power": found.value, "half_width": found.half_width})


def _t_beyond(t: float, df: float, ncp: float) -> float:
    """P(T > t) for a noncentral t; beyond 30 standard errors, where the series fails, by Johnson and Welch's normal."""
    from scipy.special import nctdtr

    if abs(ncp) > 30:
        return distributions.normal_upper((t * (1 - 1 / (4 * df)) - ncp) / math.sqrt(1 + t * t / (2 * df)))
    return float(1 - nctdtr(df, ncp, t))
