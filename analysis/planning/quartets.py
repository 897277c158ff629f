"""A model of finding the one real image among several: power and precision by formula and by simulation.

The log odds of finding it are those at which the assumed share is found on average, plus a reader's skill and a
quartet's ease, both normal. `analysis.statistics.mixed` fits the same model to such a study.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.statistics.arrays import Floats
from analysis.statistics.estimate import Estimate

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class Quartets:
    """Number of images in a trial, and the variation of readers and quartets, as standard deviations of the log odds.

    The defaults: four images, and quartets that vary so that correct choices agree with a kappa of about .05, close to
    the cervical-spine study (arXiv 2510.22166: .061 over images). It does not report the variation of readers. Raises
    ValueError for fewer than two images or a negative spread.
    """

    alternatives: int = 4
    reader_sd: float = 0.3
    quartet_sd: float = 0.5

    def __post_init__(self) -> None:
        if self.alternatives < 2 or min(self.reader_sd, self.quartet_sd) < 0:
            raise ValueError("expected 2 alternatives or more, and reader_sd and quartet_sd of 0 or more")

    @property
    def chance(self) -> float:
        """Return the share found by guessing."""
        return 1 / self.alternatives

    def separation(self, value: float, endpoint: str = "quartet") -> float:
        """The log odds of an average reader and quartet at which the share `value` (between 0 and 1) is found."""
        from scipy.optimize import brentq

        if not 0 < value < 1:
            raise ValueError(f"value: expected a number between 0 and 1, got {value:g}")
        spread = math.hypot(self.reader_sd, self.quartet_sd)

        def excess(odds: float) -> float:
            return float(_WEIGHTS @ _probability(odds + spread * _NODES)) - value

        reach = 10 + 10 * spread
        return float(brentq(excess, -reach, reach, xtol=1e-12))

    def variances(self, value: float) -> tuple[float, float]:
        """The variance of the share found between readers and between quartets, on the scale of the share itself."""
        odds = self.separation(value)
        crossed = _probability(odds + self.reader_sd * _NODES[:, None] + self.quartet_sd * _NODES[None, :])
        readers, quartets = crossed @ _WEIGHTS, _WEIGHTS @ crossed
        return float(_WEIGHTS @ readers**2) - value**2, float(_WEIGHTS @ quartets**2) - value**2

    def components(self, value: float, cases: int, endpoint: str = "quartet") -> dict[str, float]:
        """Return Obuchowski-Rockette components of a study with `cases` quartets: reader, error and cov2.

        >>> {name: round(part, 5) for name, part in Quartets().components(0.29, 50).items()}
        {'reader': 0.00337, 'error': 0.00405, 'cov2': 0.00019}
        """
        readers, quartets = self.variances(value)
        return {"reader": readers, "error": (value * (1 - value) - readers) / cases, "cov2": quartets / cases}

    def design_effect(self, value: float, readers: int, quartets: int) -> float:
        """Return the variance of the share relative to that of the same number of independent answers.

        1 + (quartets - 1) x (correlation of one reader's answers) + (readers - 1) x (that of answers to one quartet).
        """
        own, shared = (part / (value * (1 - value)) for part in self.variances(value))
        return 1 + (quartets - 1) * own + (readers - 1) * shared

    def draw(
        self, rng: np.random.Generator, value: float, readers: int, cases: int, endpoint: str = "quartet"
    ) -> tuple[Floats, Floats]:
        """Draw one study: 1 where a reader found the real image, else 0 (readers x quartets), and a 1 per quartet."""
        skill = rng.normal(0, self.reader_sd, (readers, 1))
        ease = rng.normal(0, self.quartet_sd, (1, cases))
        found = rng.random((readers, cases)) < _probability(self.separation(value) + skill + ease)
        return found.astype(np.float64), np.ones(cases)


def exact_power(
    value: float, readers: int, quartets: int, *, model: Quartets | None = None, alpha: float = 0.05
) -> Estimate:
    """Power of the exact two-sided binomial test against chance, with answers reduced by the design effect.

    This is scipy's binomtest with readers x quartets / design effect answers, rounded down; if readers and quartets do
    not vary, it is the power of the test that treats every answer as independent. `answers` is the reduced number.

    >>> plain = Quartets(reader_sd=0, quartet_sd=0)
    >>> round(exact_power(0.29, 8, 50, model=plain).value, 2), round(exact_power(0.29, 8, 50).value, 2)
    (0.43, 0.21)
    """
    from scipy.stats import binom

    model = model or Quartets()
    effect = model.design_effect(value, readers, quartets)
    n = int(readers * quartets / effect + 1e-9)
    k = np.arange(n + 1)
    null = binom.pmf(k, n, model.chance)
    order = np.argsort(null, kind="stable")
    # p of a count: the sum over all counts that are no more likely.
    tails = np.cumsum(null[order])[np.searchsorted(null[order], null * (1 + 1e-7), side="right") - 1]
    chance = float(binom.pmf(k, n, value)[tails < alpha].sum())
    extra = {"readers": readers, "cases": quartets, "figure": value, "null": model.chance}
    extra |= {"design_effect": effect, "answers": n}
    return Estimate(chance, method=f"power of the exact binomial test, design effect, alpha {alpha:g}", extra=extra)


def normal_power(
    value: float, readers: int, quartets: int, *, model: Quartets | None = None, alpha: float = 0.05
) -> Estimate:
    """The same by the normal approximation (statsmodels' normal_power_het), design effects at chance and at `value`.

    >>> plain = Quartets(reader_sd=0, quartet_sd=0)
    >>> round(normal_power(0.29, 8, 50, model=plain).value, 2), round(normal_power(0.29, 8, 50).value, 2)
    (0.46, 0.27)
    """
    from statsmodels.stats.power import normal_power_het

    model = model or Quartets()
    effects = {share: model.design_effect(share, readers, quartets) for share in (model.chance, value)}
    null, true = (math.sqrt(share * (1 - share) * effects[share]) for share in (model.chance, value))
    chance = normal_power_het(value - model.chance, readers * quartets, alpha, null, true)
    extra = {"readers": readers, "cases": quartets, "figure": value, "null": model.chance}
    extra |= {"design_effect": effects[value]}
    return Estimate(float(chance), method=f"power of the normal test, design effect, alpha {alpha:g}", extra=extra)


def _probability(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)), dtype=np.float64)
