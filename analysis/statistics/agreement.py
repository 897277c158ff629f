"""Agreement among readers beyond chance, from a table of subjects (cases) x raters (readers).

Question: would another reader say the same about this case? It does not say who is right. Fleiss' kappa, Gwet's AC1 and
AC2, Brennan-Prediger and Krippendorff's alpha differ only in their definition of chance agreement. Intervals generalise
to other cases, not to other readers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, as_floats, one_of
from analysis.statistics.estimate import Estimate, undefined

WEIGHTS = ("identity", "linear", "quadratic", "ordinal")
# Our convention, after Feinstein and Cicchetti 1990 (J Clin Epidemiol 43:543): much agreement, little kappa.
PARADOX_AGREEMENT, PARADOX_KAPPA, PARADOX_GAP = 0.75, 0.4, 0.2
ROUNDING = 1e-15  # variances below this count as 0


class Table(NamedTuple):
    """Counts of each category for each subject (subjects x categories), and the numbers left out."""

    counts: Floats
    categories: Floats
    left_out: dict[str, int]


def tabulate(ratings: ArrayLike, categories: Sequence[float] | None = None) -> Table:
    """Count the readings of each subject by category; subjects without any reading are left out and counted.

    `ratings`: subjects x raters, NaN or None = missing. `categories`: all categories that could be chosen (default:
    those that were). Raises ValueError if a rating is not among them.

    >>> tabulate([[1, 2, 2], [1, None, None]]).counts.tolist()
    [[1.0, 2.0], [1.0, 0.0]]
    """
    array = as_floats(ratings, "ratings", ndim=2)
    seen = np.unique(array[~np.isnan(array)])
    known = seen if categories is None else np.unique(as_floats(list(categories), "categories"))
    if strange := sorted(set(seen) - set(known)):
        raise ValueError(f"ratings: {strange[0]:g} is not among the categories {[float(c) for c in known]}")
    counts = (
        np.stack([(array == category).sum(axis=1) for category in known], axis=1)
        if known.size
        else np.zeros((len(array), 0))
    )
    readings = counts.sum(axis=1)
    left_out = {
        "missing_readings": int(np.isnan(array).sum()),
        "subjects_without_reading": int((readings == 0).sum()),
        "subjects_with_one_reading": int((readings == 1).sum()),
    }
    return Table(counts[readings > 0].astype(float), known, left_out)


def weight_matrix(weights: str, categories: Floats) -> Floats:
    """Partial credit for two different categories, 1 on the diagonal (Gwet 2014, Inter-Rater Reliability, 4th ed.).

    "identity" gives none; "linear" and "quadratic" depend on the distance between category values; "ordinal" on the
    number of pairs of ranks spanned.

    >>> weight_matrix("linear", np.array([1.0, 2.0, 3.0]))[0].tolist()
    [1.0, 0.5, 0.0]
    """
    one_of(weights, WEIGHTS, "weights")
    if weights == "identity" or categories.size < 2:
        return np.eye(categories.size)
    if weights == "ordinal":
        span = np.abs(np.subtract.outer(np.arange(categories.size), np.arange(categories.size))) + 1
        distance = span * (span - 1) / 2
    else:
        distance = np.abs(np.subtract.outer(categories, categories)) ** (1 if weights == "linear" else 2)
    return 1 - distance / distance.max()


def fleiss_kappa(ratings: ArrayLike, categories: Sequence[float] | None = None) -> Estimate:
    """Fleiss' kappa: (pa - pe) / (1 - pe), pe the sum of squared category shares; missing readings allowed.

    `se` and `ci` are valid for any kappa (linearised over subjects, t with n - 1 degrees of freedom: Gwet 2014; same as
    irrCAC). `se_null`, `z` and `p` test kappa = 0 (Fleiss, Nee and Landis 1979, Psychol Bull 86:974; extended here to
    unequal numbers of readings). `extra` has the agreement, the kappa of each category and, if many readings agree and
    kappa is low only because one category is rare, a `paradox` in words.

    >>> wards = [[1, 1, 1], [1, 1, 2], [2, 2, 2], [2, 2, 1], [3, 3, 3], [1, 1, 1]]
    >>> estimate = fleiss_kappa(wards)
    >>> round(estimate.value, 4), round(estimate.se, 4), round(estimate.se_null, 4)
    (0.6364, 0.248, 0.1754)
    """
    table = tabulate(ratings, categories)
    estimate = _chance_corrected(table, np.eye(table.categories.size), "fleiss", "Fleiss' kappa")
    if estimate.value is None:
        return estimate
    se_null = _fleiss_null_se(table.counts)
    ac1 = _chance_corrected(table, np.eye(table.categories.size), "gwet", "Gwet's AC1").value
    extra = estimate.extra | {"se_null": se_null, "by_category": _by_category(table)}
    shares = (table.counts / table.counts.sum(axis=1, keepdims=True)).mean(axis=0)
    return _named_paradox(_tested(estimate, se_null, extra), ac1, shares)


def gwet_ac1(ratings: ArrayLike, categories: Sequence[float] | None = None) -> Estimate:
    """Gwet's AC1: chance agreement is sum of pi (1 - pi) / (q - 1) over the q categories; robust to skewed shares.

    Gwet 2008 (Br J Math Stat Psychol 61:29); standard error, t interval and p as in irrCAC. Pass all
    `categories` that could be chosen, because q matters.

    >>> estimate = gwet_ac1([[1, 1], [1, 1], [1, 1], [1, 2], [1, 1], [2, 2]])
    >>> round(estimate.value, 4), round(estimate.se, 4)
    (0.7333, 0.2963)
    """
    table = tabulate(ratings, categories)
    return _chance_corrected(table, np.eye(table.categories.size), "gwet", "Gwet's AC1")


def gwet_ac2(ratings: ArrayLike, categories: Sequence[float] | None = None, weights: str = "quadratic") -> Estimate:
    """Gwet's AC2: AC1 with partial credit between categories (`weights`: linear, quadratic, ordinal, identity).

    >>> round(gwet_ac2([[1, 2], [2, 2], [3, 3], [4, 5], [5, 5], [1, 1]], range(1, 6)).value, 4)
    0.9231
    """
    table = tabulate(ratings, categories)
    return _chance_corrected(table, weight_matrix(weights, table.categories), "gwet", f"Gwet's AC2, {weights} weights")


def brennan_prediger(
    ratings: ArrayLike, categories: Sequence[float] | None = None, weights: str = "identity"
) -> Estimate:
    """Brennan and Prediger 1981 (Educ Psychol Meas 41:687): by chance, all q categories are equally likely.

    >>> brennan_prediger([[1, 1], [1, 2], [2, 2], [1, 1]]).value
    0.5
    """
    table = tabulate(ratings, categories)
    return _chance_corrected(table, weight_matrix(weights, table.categories), "uniform", "Brennan-Prediger")


def percent_agreement(ratings: ArrayLike) -> Estimate:
    """Share of pairs of readings of the same subject that are equal, not corrected for chance; t interval.

    >>> percent_agreement([[1, 1], [1, 2], [2, 2], [1, 1]]).value
    0.75
    """
    table = tabulate(ratings)
    return _chance_corrected(table, np.eye(table.categories.size), "none", "percent agreement")


def krippendorff_alpha(ratings: ArrayLike, level: str = "nominal") -> Estimate:
    """Krippendorff's alpha = 1 - observed / expected disagreement, for one `level` of measurement.

    The squared distance of two values c, k is 1 ("nominal"), the squared number of readings from c to k minus half of
    those at both ends ("ordinal"), (c - k)^2 ("interval") or ((c - k) / (c + k))^2 ("ratio"); Krippendorff 2011,
    Computing Krippendorff's Alpha-Reliability. Only subjects with at least two readings count. The standard error is
    linearised over subjects with fixed distances and without the small-sample factor of the expected disagreement
    (Gwet's method, as in irrCAC for raw ratings); t interval.

    >>> ratings = [[1, 1, None, 1], [2, 2, 3, 2], [3, 3, 3, 3], [1, 2, 3, 4], [4, 4, 4, 4], [None, 5, 5, 5]]
    >>> [round(krippendorff_alpha(ratings, level).value, 3) for level in ("nominal", "ordinal", "interval", "ratio")]
    [0.67, 0.794, 0.802, 0.743]
    """
    one_of(level, ("nominal", "ordinal", "interval", "ratio"), "level")
    table = tabulate(ratings)
    name = f"Krippendorff's alpha, {level}"
    counts = table.counts[table.counts.sum(axis=1) > 1]
    n, pooled = len(counts), counts.sum(axis=0)
    readings, total = counts.sum(axis=1), float(counts.sum())
    if not n:
        return undefined("no subject has two or more readings", name, subjects=0, **table.left_out)
    distance = _squared_distance(level, table.categories, pooled)
    if distance is None:
        return undefined("the ratio level needs values of 0 or more", name, subjects=n, **table.left_out)
    between = distance @ pooled
    expected = float(pooled @ between / (total * (total - 1)))
    if expected <= 0:
        return undefined(
            "all readings are the same, so no disagreement is expected by chance", name, subjects=n, **table.left_out
        )
    within = np.einsum("uc,ck,uk->u", counts, distance, counts) / (readings - 1)
    observed = float(within.sum()) / total
    extra: dict[str, float] = {"subjects": n, "observed": observed, "expected": expected, **table.left_out}
    # The variance of the ratio of two sums over subjects follows from each subject's influence on both.
    plain = expected * (total - 1) / total
    pull = within - observed * readings - 2 * observed / plain * (counts @ between / total - plain * readings)
    se = math.sqrt(n / (n - 1) * float((pull**2).sum())) / (total * plain) if n > 1 else None
    return _over_subjects(1 - observed / expected, se, n, name, extra)


def cohen_kappa(
    a: ArrayLike, b: ArrayLike, weights: str | None = None, categories: Sequence[float] | None = None
) -> Estimate:
    """Cohen's kappa of two readers, or of one reader twice; `weights` None, "linear" or "quadratic".

    `a`, `b`: one rating per subject; pairs with a missing rating are left out and counted. `se` (interval, t with n - 1
    degrees of freedom) and `se_null` (test of kappa = 0, p) follow Fleiss, Cohen and Everitt 1969 (Psychol Bull
    72:323), as in statsmodels. `categories` matters only for weighted kappa, and only if the extreme ones were never
    used.

    >>> estimate = cohen_kappa([1, 1, 2, 2, 3, 3, 3, 1], [1, 1, 2, 3, 3, 3, 2, 1], weights="linear")
    >>> round(estimate.value, 4), round(estimate.se, 4), round(estimate.p, 4)
    (0.7333, 0.1713, 0.0119)
    """
    from statsmodels.stats.inter_rater import cohens_kappa

    weights = one_of(weights or "identity", WEIGHTS, "weights")
    name = "Cohen's kappa" + ("" if weights == "identity" else f", {weights} weights")
    first, second = as_floats(a, "a"), as_floats(b, "b")
    if first.size != second.size:
        raise ValueError(f"b: expected {first.size} ratings as in a, got {second.size}")
    both = ~(np.isnan(first) | np.isnan(second))
    table = tabulate(np.stack([first[both], second[both]], axis=1), categories)
    n, left_out = int(both.sum()), int((~both).sum())
    if not n:
        return undefined("no subject has both ratings", name, n=0, left_out=left_out)
    joint = np.zeros((table.categories.size,) * 2)
    np.add.at(joint, tuple(np.searchsorted(table.categories, x[both]) for x in (first, second)), 1 / n)
    credit = weight_matrix(weights, table.categories)
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    agreed, chance = float((joint * credit).sum()), float(rows @ credit @ columns)
    extra = {"n": n, "left_out": left_out, "agreement": agreed, "chance_agreement": chance}
    if 1 - chance < 1e-12:
        return undefined("both used the same category throughout, so agreement by chance is certain", name, **extra)
    # Rounding may make a zero variance negative; statsmodels still takes its square root.
    with np.errstate(invalid="ignore", divide="ignore"):
        found = cohens_kappa(n * joint, weights=1 - credit)
    variances = found.var_kappa, found.var_kappa0
    se, se_null = (math.sqrt(variance) if variance > ROUNDING else 0.0 for variance in variances)
    extra |= {"se_null": se_null}
    estimate = _over_subjects(float(found.kappa), se, n, name, extra)
    if se_null > 1e-12:
        estimate = _tested(estimate, se_null, extra)
    if weights != "identity":
        return estimate
    return _named_paradox(estimate, _chance_corrected(table, credit, "gwet", "").value, (rows + columns) / 2)


def _chance_corrected(table: Table, weights: Floats, chance: str, name: str) -> Estimate:
    """(pa - pe) / (1 - pe) with Gwet's linearised variance over subjects; `chance` defines pe."""
    counts, q = table.counts, table.categories.size
    readings = counts.sum(axis=1)
    n, judged = len(counts), readings > 1
    extra: dict[str, float] = {"subjects": n, **table.left_out}
    if not judged.any():
        return undefined("no subject has two or more readings", name, **extra)
    pairs = np.where(judged, readings * (readings - 1), 1)
    agreed = np.where(judged, (counts * (counts @ weights - 1)).sum(axis=1) / pairs, 0)
    pa = float(agreed[judged].mean())
    shares = counts / readings[:, None]
    pi = shares.mean(axis=0)
    if chance == "gwet" and q < 2:
        return undefined("only one category is known; pass all that could be chosen", name, agreement=pa, **extra)
    if chance == "fleiss":
        pe_subject, pe = shares @ weights @ pi, float(pi @ weights @ pi)
    elif chance == "gwet":
        scale = weights.sum() / (q * (q - 1))
        pe_subject, pe = scale * shares @ (1 - pi), float(scale * pi @ (1 - pi))
    else:
        pe = float(weights.sum()) / q**2 if chance == "uniform" else 0.0
        pe_subject = np.full(n, pe)
    extra |= {"agreement": pa, "chance_agreement": pe}
    if 1 - pe < 1e-12:
        return undefined("all readings are the same, so agreement by chance is certain", name, **extra)
    value = (pa - pe) / (1 - pe)
    pull = np.where(judged, n / judged.sum() * (agreed - pe) / (1 - pe), 0)
    pull -= 2 * (1 - value) * (pe_subject - pe) / (1 - pe)
    se = math.sqrt(float(((pull - value) ** 2).sum()) / (n * (n - 1))) if n > 1 else None
    estimate = _over_subjects(value, se, n, name, extra)
    # A test of percent agreement against 0 would be meaningless.
    return replace(estimate, p=None) if chance == "none" else estimate


def _over_subjects(value: float, se: float | None, n: int, name: str, extra: dict) -> Estimate:
    """Add the t interval over `n` subjects, or the reason why there is none."""
    if se is None:
        return Estimate(
            value, method=name, reason="there is only one subject, so no variance over subjects", extra=extra
        )
    if se < 1e-12:
        return Estimate(
            value,
            0.0,
            method=name,
            reason="every subject contributes the same, so the variance over subjects is 0",
            extra=extra,
        )
    half = distributions.t_quantile(0.95, n - 1) * se
    ci = float(value - half), float(min(1.0, value + half))
    return Estimate(
        value, se, ci, distributions.t_p(value / se, n - 1), f"{name}, t 95% interval over subjects", n - 1, extra=extra
    )


def _fleiss_null_se(counts: Floats) -> float:
    """Standard error of Fleiss' kappa when readings do not depend on the subject, for unequal numbers of readings.

    kappa is linearised in the agreement P of each subject with two or more readings and the mean share
    M = sum pi_k r_k / r of each subject; both variances and their covariance follow from the multinomial distribution.
    With r readings of every subject it is the formula of Fleiss, Nee and Landis 1979.
    """
    readings = counts.sum(axis=1)
    judged = readings[readings > 1]
    pi = (counts / readings[:, None]).mean(axis=0)
    second, third = float((pi**2).sum()), float((pi**3).sum())
    spread = third - second**2
    var_p = 2 / (judged * (judged - 1)) * (second - second**2 + 2 * (judged - 2) * spread)
    n, n_judged = readings.size, judged.size
    variance = var_p.sum() / n_judged**2 + 4 * spread * (1 / readings).sum() / n**2
    variance -= 8 * spread * (1 / judged).sum() / (n * n_judged)
    return math.sqrt(variance) / (1 - second)


def _by_category(table: Table) -> dict[str, float | None]:
    kappas = {}
    for category, chosen in zip(table.categories, table.counts.T, strict=True):
        split = np.stack([chosen, table.counts.sum(axis=1) - chosen], axis=1)
        two = Table(split, np.array([0.0, 1.0]), {})
        kappas[f"{category:g}"] = _chance_corrected(two, np.eye(2), "fleiss", "").value
    return kappas


def _squared_distance(level: str, categories: Floats, pooled: Floats) -> Floats | None:
    if level == "nominal":
        return 1 - np.eye(categories.size)
    if level == "ordinal":
        middle = np.cumsum(pooled) - pooled / 2
        return np.subtract.outer(middle, middle) ** 2
    apart = np.subtract.outer(categories, categories)
    if level == "interval":
        return apart**2
    if (categories < 0).any():
        return None
    together = np.add.outer(categories, categories)
    return np.divide(apart, together, out=np.zeros_like(apart), where=together > 0) ** 2


def _tested(estimate: Estimate, se_null: float, extra: dict) -> Estimate:
    """Replace the t test by the test of kappa = 0, with the standard error under that hypothesis."""
    z = (estimate.value or 0.0) / se_null
    method = f"{estimate.method}, z test with the standard error under kappa = 0"
    return replace(estimate, p=distributions.normal_p(z), method=method, extra=extra | {"z": z})


def _named_paradox(estimate: Estimate, ac1: float | None, shares: Floats) -> Estimate:
    """Add `paradox` in words if readings agree and kappa is low but AC1 is not: one category dominates `shares`."""
    agreed, kappa = estimate.extra["agreement"], estimate.value
    if ac1 is None or kappa is None:
        return estimate
    if agreed < PARADOX_AGREEMENT or kappa >= PARADOX_KAPPA or ac1 - kappa < PARADOX_GAP:
        return estimate
    words = (
        f"prevalence paradox: {agreed:.0%} of paired readings agree, yet kappa is {kappa:.2f}, because "
        f"{shares.max():.0%} of readings fall in one category; Gwet's AC1 is {ac1:.2f}"
    )
    return replace(estimate, extra=estimate.extra | {"paradox": words})
