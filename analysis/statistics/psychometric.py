"""The psychometric function: how the share of correct answers rises with the exposure.

Question: at which exposure is a reader halfway between guessing and knowing? The curve is logistic in the logarithm of
the stimulus, between the guess rate and 1 minus the lapse rate, fitted by maximum likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined

LARGEST_LAPSE = 0.1
CURVE = "logistic psychometric function of log stimulus, maximum likelihood"
METHOD = f"{CURVE}, 95% profile-likelihood interval"
OF_READERS = f"{METHOD}, readers random"
OVER_LAPSES = f"{CURVE}, 95% interval averaged over lapse rates, readers random"
STARTS = 7  # starting points of the search for the threshold
NODES = 11  # of the quadrature over readers
LAPSES = 5  # of the quadrature over lapse rates
SCORINGS = 25
DROP = 1.920729  # of the log likelihood at the ends of a 95 % interval: half a chi-square quantile

Found = tuple[float, Floats]
Bounds = list[tuple[float, float]]
Loss = Callable[[Floats], Found]


@dataclass(frozen=True)
class Psychometric:
    """`threshold` in the unit of the stimulus, where the curve is halfway up; `slope` per natural log unit; `lapse`.

    `deviance` is twice the difference in log likelihood from the saturated model, which has a share for every level; it
    measures the fit if each level has many answers; None for several readers.
    """

    threshold: Estimate
    slope: Estimate
    lapse: Estimate
    guess: float
    deviance: float | None = None

    def predict(self, stimulus: Any) -> Floats:
        """Return the share of correct answers at each stimulus. Raises ValueError if the fit is undefined."""
        if self.threshold.value is None or self.slope.value is None or self.lapse.value is None:
            raise ValueError(f"threshold: {self.threshold.reason}")
        import numpy as np

        x = np.log(as_floats(stimulus, "stimulus") / self.threshold.value)
        return _share(self.slope.value * x, self.guess, self.lapse.value)[0]


def fit(stimulus: Any, correct: Any, trials: Any, guess: float) -> Psychometric:
    """Fit threshold, slope and lapse rate of one reader, or of all answers pooled.

    `stimulus`: levels above 0 (n,), e.g. exposures in ms; `correct` and `trials`: numbers of correct and of all answers
    at each level (n,); `guess`: the share correct by guessing (1/2 for real or synthetic). The lapse
    rate lies between 0 and 0.1 (Wichmann and Hill 2001, Percept Psychophys 63:1293). Intervals by profile likelihood;
    a limit that the data do not determine is infinite (or 0). Undefined if answers do not improve with the stimulus, or
    only one level was shown. Raises ValueError for counts out of range or levels of 0 or less.

    >>> found = fit([100, 200, 400, 800], [52, 60, 88, 98], [100, 100, 100, 100], guess=0.5)
    >>> round(found.threshold.value), found.threshold.ci[0] < 300 < found.threshold.ci[1]
    (287, True)
    """
    import numpy as np

    levels, right, shown = _checked(stimulus, correct, trials, guess)
    if len(np.unique(levels)) < 2:
        return nothing("only one level was shown", guess)
    x = np.log(levels)
    bounds = [(x.min() - 3, x.max() + 3), (1e-3, 50.0), (0.0, LARGEST_LAPSE)]
    middles = np.unique(np.quantile(x, np.linspace(0, 1, STARTS)))
    starts = [np.array([middle, slope, 0.01]) for middle in (x.mean(), *middles) for slope in (1.0, 4.0)]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        return _loss(parameters, x, right, shown, guess)

    least, found = _best(loss, bounds, starts)
    if _saturated(np.ones(len(x)), right, shown) - least < 1e-6 or found[1] <= bounds[1][0] * 1.01:
        return nothing("the share of correct answers does not rise with the stimulus", guess)
    limits = [_profile(loss, bounds, least, found, i) for i in range(3)]
    extra = {"trials": int(shown.sum()), "levels": len(np.unique(levels))}
    return Psychometric(
        Estimate(float(np.exp(found[0])), ci=_unlogged(limits[0], bounds[0]), method=METHOD, extra=extra),
        Estimate(float(found[1]), ci=_opened(limits[1], bounds[1]), method=METHOD),
        Estimate(float(found[2]), ci=limits[2], method=METHOD),
        guess,
        max(0.0, 2 * (least - _saturated(levels, right, shown))),
    )


def fit_readers(stimulus: Any, correct: Any, readers: Any, guess: float) -> Psychometric:
    """Fit threshold, slope and lapse rate of several readers together, readers random.

    One entry per answer in each: `stimulus` above 0, `correct` 0 or 1, `readers` names. The logarithm of the threshold
    is normal over readers, slope and lapse rate are common: a non-linear mixed model with its likelihood integrated
    over readers (Moscatelli et al. 2012, J Vis 12(11):26) by adaptive Gauss-Hermite quadrature (Pinheiro and Bates
    1995, J Comput Graph Stat 4:12). The threshold is the geometric mean over readers like these. Its interval averages
    over lapse rates from 0 to 0.1, weighted by their likelihood (Berger, Liseo and Wolpert 1999, Stat Sci 14:1),
    because staircases say little about them and a profile over them is too wide. At each lapse rate it is a t interval
    with Satterthwaite's degrees of freedom (1946, Biometrics Bull 2:110): readers - 1 if readers differ and their own
    thresholds are known, normal if they do not differ. A limit that the data do not determine is infinite (or 0).
    `threshold.sd_log` is the standard deviation of log thresholds between readers. Slope and lapse rate have profile
    likelihood intervals. With one reader the result is that of `fit`, with intervals for that reader only. Undefined,
    and raises ValueError, as there.

    >>> exposures, readers = [100, 100, 200, 200, 400, 400, 800, 800] * 15, ["A"] * 40 + ["B"] * 40 + ["C"] * 40
    >>> correct = [0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1] * 5
    >>> found = fit_readers(exposures, correct, readers, guess=0.5)
    >>> round(found.threshold.value), found.threshold.extra["readers"]
    (287, 3)
    """
    import numpy as np

    levels, right, shown = _checked(stimulus, correct, np.ones(len(np.atleast_1d(stimulus))), guess)
    _, who = np.unique(np.asarray(readers), return_inverse=True)
    if len(who) != len(levels):
        raise ValueError("readers: expected one entry per answer")
    count = int(who.max()) + 1
    pooled = fit(levels, right, shown, guess)
    if count == 1 or pooled.threshold.value is None or pooled.slope.value is None or pooled.lapse.value is None:
        return pooled
    x = np.log(levels)
    bounds = [(x.min() - 3, x.max() + 3), (1e-3, 50.0), (0.0, LARGEST_LAPSE), (0.0, 2.0)]
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    order = np.argsort(who, kind="stable")
    x, right, firsts = x[order], right[order], np.flatnonzero(np.r_[True, np.diff(who[order]) > 0])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        return _loss_of_readers(parameters, x, right, firsts, nodes, np.log(weights / weights.sum()), guess)

    first = [np.log(pooled.threshold.value), pooled.slope.value, pooled.lapse.value]
    steep = [
        first[0],
        2 * first[1],
        LARGEST_LAPSE,
    ]  # with few answers there are often two peaks: this, and one without lapses
    least, found = _best(loss, bounds, [np.array([*first, 0.1]), np.array([*first, 0.4]), np.array([*steep, 0.25])])
    apart = np.maximum(found, [-np.inf, 0, 0, 0.1])  # a search cannot start at a spread of 0, where the gradient is 0
    limits = [_over_lapses(loss, bounds, apart, count)]
    limits += [_profile(loss, bounds, least, apart, i) for i in (1, 2)]
    extra = {"trials": len(x), "readers": count, "sd_log": float(found[3])}
    return Psychometric(
        Estimate(float(np.exp(found[0])), ci=_unlogged(limits[0], bounds[0]), method=OVER_LAPSES, extra=extra),
        Estimate(float(found[1]), ci=_opened(limits[1], bounds[1]), method=OF_READERS),
        Estimate(float(found[2]), ci=limits[2], method=OF_READERS),
        guess,
    )


def crossed_bootstrap(
    stimulus: Any, correct: Any, readers: Any, cases: Any, guess: float, replicates: int = 2000, seed: int = 0
) -> Estimate:
    """The threshold of all answers pooled, with an interval from resampling readers and cases, each with replacement.

    One entry per answer in each, as in `fit_readers`; `cases` are names. The weight of an answer is the product of how
    often its reader and its case were drawn (Owen 2007, Ann Appl Stat 1:386). The lapse rate is that of all answers.
    Percentile interval; replicates in which answers do not improve with the stimulus are left out and counted in
    `left_out`. Undefined if `fit` is, or if more than half of the replicates are left out.

    >>> exposures, readers = [100, 100, 200, 200, 400, 400, 800, 800] * 15, ["A", "B", "C"] * 40
    >>> correct = [0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1] * 5
    >>> cases = list(range(40)) * 3
    >>> found = crossed_bootstrap(exposures, correct, readers, cases, guess=0.5, replicates=200)
    >>> round(found.value), found.ci[0] < found.value < found.ci[1]
    (287, True)
    """
    import numpy as np

    pooled = fit(stimulus, correct, np.ones(len(np.atleast_1d(stimulus))), guess)
    method = f"pooled answers, bootstrap of readers and cases, {replicates} replicates"
    if pooled.threshold.value is None or pooled.slope.value is None or pooled.lapse.value is None:
        return undefined(pooled.threshold.reason or "", method)
    x, right = np.log(as_floats(stimulus, "stimulus")), as_floats(correct, "correct")
    rng, weights = np.random.Generator(np.random.PCG64(seed)), np.ones((replicates, len(x)))
    for names in (readers, cases):
        _, which = np.unique(np.asarray(names), return_inverse=True)
        count = int(which.max()) + 1
        weights *= rng.multinomial(count, np.full(count, 1 / count), size=replicates)[:, which]
    start = np.array([np.log(pooled.threshold.value), np.log(pooled.slope.value)])
    drawn = np.concatenate(
        [_refitted(x, right, part, guess, pooled.lapse.value, start) for part in np.array_split(weights, 20)]
    )
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < replicates / 2:
        return undefined("in most replicates the share of correct answers does not rise with the stimulus", method)
    low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
    extra = {"replicates": replicates, "left_out": replicates - len(drawn)}
    return Estimate(pooled.threshold.value, ci=(float(low), float(high)), method=method, extra=extra)


def _checked(stimulus: Any, correct: Any, trials: Any, guess: float) -> tuple[Floats, Floats, Floats]:
    levels, right, shown = (
        as_floats(values, name).ravel()
        for values, name in ((stimulus, "stimulus"), (correct, "correct"), (trials, "trials"))
    )
    if not len(levels) == len(right) == len(shown) or not len(levels):
        raise ValueError("stimulus, correct and trials: expected one entry per level in each")
    if not (levels > 0).all():
        raise ValueError("stimulus: expected levels above 0")
    if not (shown > 0).all() or not ((right >= 0) & (right <= shown)).all():
        raise ValueError("correct: expected 0 to trials, and trials above 0")
    if not 0 <= guess < 1 - LARGEST_LAPSE:
        raise ValueError(f"guess: expected a rate from 0 to {1 - LARGEST_LAPSE}, got {guess}")
    return levels, right, shown


def _loss(parameters: Floats, x: Floats, right: Floats, shown: Floats, guess: float) -> tuple[float, Floats]:
    """The negative log likelihood at (log threshold, slope, lapse), and its gradient."""
    import numpy as np

    middle, slope, lapse = parameters
    p, of_z, of_lapse = _share(slope * (x - middle), guess, lapse)
    at_p = -(right / p - (shown - right) / (1 - p))
    loss = -float((right * np.log(p) + (shown - right) * np.log1p(-p)).sum())
    of_z = at_p * of_z
    return loss, np.array([-slope * of_z.sum(), (of_z * (x - middle)).sum(), (at_p * of_lapse).sum()])


def _loss_of_readers(
    parameters: Floats, x: Floats, right: Floats, firsts: Any, nodes: Floats, log_weights: Floats, guess: float
) -> tuple[float, Floats]:
    """The same, integrated over readers, for answers sorted by reader; `firsts`: index of each reader's first answer.

    The `nodes` move to each reader's most likely position: a narrow likelihood would fall between fixed nodes, and the
    sum would have false peaks.
    """
    import numpy as np
    from scipy.special import logsumexp

    middle, slope, lapse, sd = parameters
    counts = np.diff(np.r_[firsts, len(x)])
    place, scale = _placed(parameters, x, right, firsts, counts, guess)
    z = place[:, None] + scale[:, None] * nodes
    own = np.repeat(z, counts, axis=0)
    away = x[:, None] - middle - sd * own
    p, of_z, of_lapse = _share(slope * away, guess, lapse)
    logs = np.add.reduceat(np.log(np.where(right[:, None] == 1, p, 1 - p)), firsts)
    logs += log_weights + (nodes**2 - z**2) / 2 + np.log(scale)[:, None]
    each = logsumexp(logs, axis=1)
    posterior = np.exp(logs - each[:, None])
    at_p = np.where(right[:, None] == 1, 1 / p, -1 / (1 - p))
    of_z = at_p * of_z
    parts = (-slope * of_z, of_z * away, at_p * of_lapse, -slope * of_z * own)
    gradient = [-(posterior * np.add.reduceat(part, firsts)).sum() for part in parts]
    return -float(each.sum()), np.array(gradient)


def _placed(at: Floats, x: Floats, right: Floats, firsts: Any, counts: Any, guess: float) -> tuple[Floats, Floats]:
    """Each reader's most likely deviation from the mean in units of the sd, and its standard error, by scoring."""
    import numpy as np

    middle, slope, lapse, sd = at
    place = np.zeros(len(firsts))
    for _ in range(SCORINGS):
        p, of_z, _ = _share(slope * (x - middle - sd * np.repeat(place, counts)), guess, lapse)
        pull = np.add.reduceat(of_z * (right - p) / (p * (1 - p)), firsts)
        information = 1 + (slope * sd) ** 2 * np.add.reduceat(of_z**2 / (p * (1 - p)), firsts)
        step = (-slope * sd * pull - place) / information
        place = place + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    return place, 1 / np.sqrt(information)


def _share(z: Floats, guess: float, lapse: float) -> tuple[Floats, Floats, Floats]:
    """Return the share of correct answers, and its derivatives with respect to `z` and the lapse rate."""
    import numpy as np
    from scipy.special import expit

    up = expit(z)
    p = np.clip(guess + (1 - guess - lapse) * up, 1e-12, 1 - 1e-12)
    return p, (1 - guess - lapse) * up * (1 - up), -up


def _refitted(x: Floats, right: Floats, weights: Floats, guess: float, lapse: float, start: Floats) -> Floats:
    """Log thresholds by Fisher scoring, one per row of `weights` (replicates x answers), NaN if there is none."""
    import numpy as np

    at = np.tile(start, (len(weights), 1))  # log threshold, log slope
    low, high = x.min() - 3, x.max() + 3
    for _ in range(SCORINGS):
        slope, away = np.exp(at[:, 1])[:, None], x - at[:, :1]
        p, of_z, _ = _share(slope * away, guess, lapse)
        score = weights * (right - p) / (p * (1 - p)) * of_z
        information = weights * of_z**2 / (p * (1 - p))
        by = (-slope * np.ones_like(away), slope * away)
        g = np.stack([(score * one).sum(1) for one in by], axis=1)
        a, b, d = (
            (information * one * other).sum(1) for one, other in ((by[0], by[0]), (by[0], by[1]), (by[1], by[1]))
        )
        determinant = np.maximum(a * d - b * b, 1e-12)
        step = np.stack([d * g[:, 0] - b * g[:, 1], a * g[:, 1] - b * g[:, 0]], axis=1) / determinant[:, None]
        at = at + np.clip(step, -0.5, 0.5)
    lost = (np.abs(step).max(1) > 1e-3) | (at[:, 0] <= low) | (at[:, 0] >= high)
    return np.where(lost, np.nan, at[:, 0])


def _saturated(levels: Floats, right: Floats, shown: Floats) -> float:
    """Return the negative log likelihood with a separate share for every level."""
    import numpy as np

    _, which = np.unique(levels, return_inverse=True)
    hits, trials = np.bincount(which, right), np.bincount(which, shown)
    p = np.clip(hits / trials, 1e-12, 1 - 1e-12)
    return -float((hits * np.log(p) + (trials - hits) * np.log1p(-p)).sum())


def _best(loss: Loss, bounds: Bounds, starts: list[Floats], fixed: tuple[int, float] | None = None) -> Found:
    """Return the smallest loss and its location, from the best of `starts`; `fixed`: a parameter held at a value."""
    from scipy.optimize import minimize

    if fixed is not None:
        place, value = fixed
        bounds = [(value, value) if i == place else bound for i, bound in enumerate(bounds)]
    runs = (minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds) for start in starts)
    least = min(runs, key=lambda run: float(run.fun))
    return float(least.fun), least.x


def _over_lapses(loss: Loss, bounds: Bounds, start: Floats, readers: int) -> tuple[float, float]:
    """Return the limits of the mean log threshold over readers, averaged over the lapse rate; or their bounds.

    At each rate, with the spread of readers fixed, the profile limits give a variance on either side. It has two parts:
    between readers, with degrees of freedom one less than the number of readers, and from their answers, treated as
    known. If the profile does not close on a side, the variance there is infinite. The weight of a rate is the
    likelihood integrated over the threshold, between the bounds.
    """
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import ndtri, softmax, stdtr

    nodes, weights = np.polynomial.legendre.leggauss(LAPSES)
    rows = []
    for lapse, weight in zip(LARGEST_LAPSE * (1 + nodes) / 2, weights, strict=True):
        least, at = _best(loss, bounds, [np.where(np.arange(4) == 2, lapse, start)], (2, lapse))
        held = [*bounds[:2], (lapse, lapse), (at[3], at[3])]
        ends = np.array(_profile(loss, held, least, at, 0))
        errors, closed = np.abs(ends - at[0]) / ndtri(0.975), ends != bounds[0]
        # The maximum-likelihood variance between readers is too small by a factor of readers / (readers - 1).
        variances = errors**2 + at[3] ** 2 / readers / (readers - 1)
        known = variances[closed] if closed.any() else variances
        share = np.clip(at[3] ** 2 / (readers - 1) / known.mean(), 1e-6, 1)
        df = (readers - 1) / share**2
        spreads = np.where(closed, np.sqrt(variances), np.inf)
        rows.append((np.log(weight * errors.mean()) - least, at[0], *spreads, df))
    logs, middles, below, above, df = np.array(rows).T
    shares, (lowest, highest) = softmax(logs), bounds[0]

    def tail(value: float) -> float:
        away = value - middles
        return float((shares * stdtr(df, away / np.where(away < 0, below, above))).sum())

    low = lowest if tail(lowest) > 0.025 else brentq(lambda value: tail(value) - 0.025, lowest, highest, xtol=1e-4)
    high = highest if tail(highest) < 0.975 else brentq(lambda value: tail(value) - 0.975, lowest, highest, xtol=1e-4)
    return float(low), float(high)


def _profile(loss: Loss, bounds: Bounds, least: float, found: Floats, place: int) -> tuple[float, float]:
    """Return where the profile log likelihood of one parameter reaches the ends of a 95 % interval, or its bound."""
    import numpy as np
    from scipy.optimize import brentq

    def excess(value: float) -> float:
        start = np.where(np.arange(len(found)) == place, value, found)
        return _best(loss, bounds, [start], (place, value))[0] - least - DROP

    (lowest, highest), value = bounds[place], float(found[place])
    low = lowest if excess(lowest) <= 0 else brentq(excess, lowest, value, xtol=1e-4)
    high = highest if excess(highest) <= 0 else brentq(excess, value, highest, xtol=1e-4)
    return float(low), float(high)


def _opened(limits: tuple[float, float], bounds: tuple[float, float]) -> tuple[float, float]:
    """Replace an upper limit at its bound by infinity."""
    import numpy as np

    return limits[0], limits[1] if limits[1] < bounds[1] else float(np.inf)


def _unlogged(limits: tuple[float, float], bounds: tuple[float, float]) -> tuple[float, float]:
    """Convert limits of a logarithm to limits of the stimulus; limits at a bound are open."""
    import numpy as np

    low, high = limits
    return float(np.exp(low)) if low > bounds[0] else 0.0, float(np.exp(high)) if high < bounds[1] else float(np.inf)


def nothing(reason: str, guess: float) -> Psychometric:
    """Return an undefined fit with its reason.

    >>> nothing("only one level was shown", guess=0.5).threshold.reason
    'only one level was shown'
    """
    none = undefined(reason, METHOD)
    return Psychometric(none, none, none, guess)
