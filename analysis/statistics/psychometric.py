"""The psychometric function: how the share of right answers rises with the time a reader may look.

Which question: at which exposure is a reader half way between guessing and knowing? Logistic in the logarithm of the
stimulus, between the guess rate and 1 less the lapse rate, fitted by maximum likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined

LARGEST_LAPSE = 0.1
METHOD = "logistic psychometric function of log stimulus, maximum likelihood, 95% profile-likelihood interval"


@dataclass(frozen=True)
class Psychometric:
    """`threshold` in the stimulus's unit, where the curve is half way up; `slope` per natural log unit; `lapse`.

    `deviance` is twice the log likelihood short of the saturated model.
    """

    threshold: Estimate
    slope: Estimate
    lapse: Estimate
    guess: float
    deviance: float | None = None

    def predict(self, stimulus: Any) -> Floats:
        """The share of right answers at each stimulus. Raises ValueError where the fit is undefined."""
        if self.threshold.value is None or self.slope.value is None or self.lapse.value is None:
            raise ValueError(f"threshold: {self.threshold.reason}")
        import numpy as np

        x = np.log(as_floats(stimulus, "stimulus") / self.threshold.value)
        return _curve(x, self.slope.value, self.guess, self.lapse.value)


def fit(stimulus: Any, correct: Any, trials: Any, guess: float) -> Psychometric:
    """Threshold, slope and lapse rate of one reader, or of all pooled.

    `stimulus`: levels above 0 (n,), e.g. exposures in ms; `correct` and `trials`: how many answers at each level were
    right, of how many (n,); `guess`: the share of right answers without looking (1/2 for real or synthetic). The lapse
    rate lies between 0 and 0.1 (Wichmann and Hill 2001, Percept Psychophys 63:1293). Intervals by profile likelihood;
    a limit that the data leave open is infinite (or 0). Undefined where the answers do not rise with the stimulus, or
    only one level was shown. Raises ValueError for counts out of range, or levels of 0 and less.

    >>> found = fit([100, 200, 400, 800], [52, 60, 88, 98], [100, 100, 100, 100], guess=0.5)
    >>> round(found.threshold.value), found.threshold.ci[0] < 300 < found.threshold.ci[1]
    (287, True)
    """
    import numpy as np
    from scipy.optimize import minimize

    levels, right, shown = _checked(stimulus, correct, trials, guess)
    if len(np.unique(levels)) < 2:
        return _undefined("only one level was shown", guess)
    x = np.log(levels)
    middle = float(x.mean())
    bounds = [(x.min() - 3, x.max() + 3), (1e-3, 50.0), (0.0, LARGEST_LAPSE)]

    def loss(parameters: Floats) -> float:
        p = np.clip(_curve(x - parameters[0], parameters[1], guess, parameters[2]), 1e-12, 1 - 1e-12)
        return -float((right * np.log(p) + (shown - right) * np.log1p(-p)).sum())

    def best(fixed: dict[int, float], start: Floats | None = None) -> tuple[float, Floats]:
        free = [i for i in range(3) if i not in fixed]

        def of_free(values: Floats) -> float:
            whole = np.empty(3)
            whole[free] = values
            for i, value in fixed.items():
                whole[i] = value
            return loss(whole)

        starts = [start] if start is not None else [np.array([m, s, 0.01]) for m in (middle, *x) for s in (1.0, 4.0)]
        runs = [minimize(of_free, at[free], method="L-BFGS-B", bounds=[bounds[i] for i in free]) for at in starts]
        least = min(runs, key=lambda run: run.fun)
        whole = np.empty(3)
        whole[free] = least.x
        for i, value in fixed.items():
            whole[i] = value
        return float(least.fun), whole

    least, found = best({})
    flat = _flat(right, shown)
    if flat - least < 1e-6 or found[1] <= bounds[1][0] * 1.01:
        return _undefined("the share of right answers does not rise with the stimulus", guess)

    def profiled(i: int) -> tuple[float, float]:
        return _profile(lambda value: best({i: value}, found)[0], least, found[i], bounds[i])

    limits = [profiled(i) for i in range(3)]
    share = np.clip(right / shown, 1e-12, 1 - 1e-12)
    saturated = -float((right * np.log(share) + (shown - right) * np.log1p(-share)).sum())
    low, high = limits[0]
    threshold = (np.exp(low) if low > bounds[0][0] else 0.0, np.exp(high) if high < bounds[0][1] else np.inf)
    slope = limits[1][0], limits[1][1] if limits[1][1] < bounds[1][1] else np.inf
    extra = {"trials": int(shown.sum()), "levels": len(levels)}
    return Psychometric(
        Estimate(float(np.exp(found[0])), ci=(float(threshold[0]), float(threshold[1])), method=METHOD, extra=extra),
        Estimate(float(found[1]), ci=(float(slope[0]), float(slope[1])), method=METHOD),
        Estimate(float(found[2]), ci=limits[2], method=METHOD),
        guess,
        max(0.0, 2 * (least - saturated)),
    )


def _checked(stimulus: Any, correct: Any, trials: Any, guess: float) -> tuple[Floats, Floats, Floats]:
    levels, right, shown = (
        as_floats(values, name).ravel()
        for values, name in ((stimulus, "stimulus"), (correct, "correct"), (trials, "trials"))
    )
    if not len(levels) == len(right) == len(shown) or not len(levels):
        raise ValueError("stimulus, correct and trials: expected one entry a level in each")
    if not (levels > 0).all():
        raise ValueError("stimulus: expected levels above 0")
    if not (shown > 0).all() or not ((right >= 0) & (right <= shown)).all():
        raise ValueError("correct: expected 0 to trials, and trials above 0")
    if not 0 <= guess < 1 - LARGEST_LAPSE:
        raise ValueError(f"guess: expected a rate from 0 to {1 - LARGEST_LAPSE}, got {guess}")
    return levels, right, shown


def _curve(x: Floats, slope: float, guess: float, lapse: float) -> Floats:
    from scipy.special import expit

    return guess + (1 - guess - lapse) * expit(slope * x)


def _flat(right: Floats, shown: Floats) -> float:
    """The negative log likelihood of one share for all levels."""
    import numpy as np

    p = np.clip(right.sum() / shown.sum(), 1e-12, 1 - 1e-12)
    return -float((right * np.log(p) + (shown - right) * np.log1p(-p)).sum())


def _profile(
    loss_at: Callable[[float], float], least: float, value: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """Where the profile log likelihood falls by half the 95 % point of chi-square (1), or the bound."""
    from scipy.optimize import brentq
    from scipy.special import chdtri

    drop = float(chdtri(1, 0.05)) / 2

    def excess(at: float) -> float:
        return loss_at(at) - least - drop

    low = bounds[0] if excess(bounds[0]) <= 0 else brentq(excess, bounds[0], value, xtol=1e-6)
    high = bounds[1] if excess(bounds[1]) <= 0 else brentq(excess, value, bounds[1], xtol=1e-6)
    return float(low), float(high)


def _undefined(reason: str, guess: float) -> Psychometric:
    none = undefined(reason, METHOD)
    return Psychometric(none, none, none, guess)
