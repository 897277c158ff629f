"""Interim looks: boundaries that spend the error of a test over planned looks, and estimates after stopping.

The statistic of look k is assumed normal with mean drift x sqrt(information) and variance 1, and two looks have the
correlation sqrt(I_j / I_k), j < k. This holds for the mean over readers when readers or cases are added to existing
ones. With few readers, a t statistic is converted by its p (`as_normal`). Jennison and Turnbull 2000, Group
Sequential Methods with Applications to Clinical Trials, chapters 2, 7, 8, 11 and 19.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from analysis.statistics.arrays import Floats, one_of

SPENDING = ("obrien-fleming", "pocock")
MOST_LOOKS = 10
_NORMAL = NormalDist()
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
FARTHEST = 12.0  # standard errors; nothing is spent beyond


@dataclass(frozen=True)
class Boundaries:
    """A two-sided test with planned looks: |z| >= `critical` stops it, with the two-sided p `levels`.

    `information` is each look's share of the information at the last look; `spent` the part of `alpha` used by then.
    """

    information: tuple[float, ...]
    critical: tuple[float, ...]
    levels: tuple[float, ...]
    spent: tuple[float, ...]
    alpha: float
    spending: str


class Exits(NamedTuple):
    """The probability of crossing the upper and the lower boundary at each look, and not before."""

    upper: Floats
    lower: Floats


class Since(NamedTuple):
    """The starting point of further looks: information so far, and the score."""

    information: float
    score: float


BEGINNING = Since(0.0, 0.0)


class Adjusted(NamedTuple):
    """The drift adjusted for the looks: median-unbiased, with its interval and two-sided p."""

    drift: float
    low: float
    high: float
    p: float


def spend(share: float, alpha: float = 0.05, spending: str = "obrien-fleming") -> float:
    """The part of a two-sided `alpha` that may be spent once this share of the information is available.

    Lan and DeMets 1983 (Biometrika 70:659), each side alpha / 2: 2 (1 - Phi(z / sqrt(share))) with z the normal
    quantile of 1 - alpha / 4, similar to O'Brien-Fleming; alpha / 2 x log(1 + (e - 1) share), similar to Pocock.

    >>> round(spend(0.5), 5), round(spend(0.5, spending="pocock"), 4), spend(1)
    (0.00305, 0.031, 0.05)
    """
    one_of(spending, SPENDING, "spending")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha: expected a level between 0 and .5, got {alpha:g}")
    if share >= 1:
        return alpha
    if spending == "pocock":
        return alpha * math.log(1 + (math.e - 1) * share)
    z = _NORMAL.inv_cdf(1 - alpha / 4) / math.sqrt(share)
    return 2 * math.erfc(z / math.sqrt(2))


def boundaries(information: Sequence[float], alpha: float = 0.05, spending: str = "obrien-fleming") -> Boundaries:
    """Critical values of every look, such that a study without an effect stops with probability `alpha`.

    `information`: rising, one per look; only the shares of the last matter. Raises ValueError for invalid numbers, and
    for more than ten looks.

    >>> [round(z, 3) for z in boundaries([1, 2, 3]).critical]                      # gsDesign, sfLDOF: 3.710 2.511 1.993
    [3.71, 2.511, 1.993]
    >>> [round(z, 3) for z in boundaries([1, 2, 3], spending="pocock").critical]   # sfLDPocock: 2.279 2.295 2.296
    [2.279, 2.295, 2.296]
    """
    from scipy.optimize import brentq

    shares = _shares(information)
    spent = tuple(spend(share, alpha, spending) for share in shares)
    critical: list[float] = []
    for look, total in enumerate(spent):
        side = (total - (spent[look - 1] if look else 0.0)) / 2

        def too_much(z: float, side: float = side) -> float:
            found = exits(shares[: len(critical) + 1], [*critical, z])
            return float(found.upper[-1]) - side

        critical.append(FARTHEST if too_much(FARTHEST) >= 0 else float(brentq(too_much, 0, FARTHEST, xtol=1e-10)))
    levels = tuple(math.erfc(z / math.sqrt(2)) for z in critical)
    return Boundaries(shares, tuple(critical), levels, spent, alpha, spending)


def exits(
    information: Sequence[float], critical: Sequence[float], drift: float = 0.0, since: Since = BEGINNING
) -> Exits:
    """Probabilities of stopping at each look, by the recursion of Armitage, McPherson and Rowe 1969.

    `information` rises; `critical`: of |z|, one per look; `drift`: the effect, such that z has the mean drift x
    sqrt(information); `since`: information and score z x sqrt(information) of a look already taken, as the starting
    point. J Roy Stat Soc A 132:235, by Gauss-Legendre quadrature.

    >>> both = exits([1, 2, 3, 4, 5], [2.413] * 5)           # Jennison and Turnbull, table 2.1: Pocock's C(5, .05)
    >>> round(float(both.upper.sum() + both.lower.sum()), 4)
    0.05
    """
    from scipy.special import ndtr

    upper, lower = np.zeros(len(critical)), np.zeros(len(critical))
    before, scores, mass = since.information, np.array([since.score]), np.array([1.0])
    for look, (now, bound) in enumerate(zip(information, critical, strict=True)):
        step, edge = now - before, bound * math.sqrt(now)
        spread, likely = math.sqrt(step), scores + drift * step
        upper[look] = mass @ ndtr((likely - edge) / spread)
        lower[look] = mass @ ndtr((-edge - likely) / spread)
        # Density of the score within the boundaries at the nodes, times their weights.
        nodes = _NODES * edge
        apart = (nodes[:, None] - likely) / spread
        mass = (np.exp(-apart * apart / 2) @ mass) / (spread * math.sqrt(2 * math.pi)) * _WEIGHTS * edge
        scores, before = nodes, now
    return Exits(upper, lower)


def as_normal(p: float | None, above: bool) -> float:
    """The normal statistic with this two-sided p, used to compare a t statistic with the boundaries.

    The probability of a false stop at a look is then the nominal level (Jennison and Turnbull 2000, chapter 11). None
    (a test that could not be made) counts as 0.

    >>> round(as_normal(0.05, above=True), 2), as_normal(None, above=True)
    (1.96, 0.0)
    """
    if p is None:
        return 0.0
    z = -_NORMAL.inv_cdf(max(p, 1e-300) / 2)
    return z if above else -z


def conditional_power(z: float, look: int, planned: Boundaries, drift: float | None = None) -> float:
    """The probability that a later look crosses the boundary on the side of z, given z at `look` (0 = first).

    `drift`: the assumed effect, in standard errors of the last look (the mean of z at the last look); None for the
    effect estimated at the look itself.

    >>> planned = boundaries([1, 2, 3])
    >>> round(conditional_power(1.0, 1, planned), 3), round(conditional_power(1.0, 1, planned, drift=3.24), 3)
    (0.092, 0.434)
    """
    _check_look(look, planned)
    shares = planned.information
    if look == len(shares) - 1:
        raise ValueError("look: expected an earlier look; there is none after the last")
    if drift is None:
        drift = z / math.sqrt(shares[look])
    since = Since(shares[look], z * math.sqrt(shares[look]))
    found = exits(shares[look + 1 :], planned.critical[look + 1 :], drift, since)
    return float((found.upper if z >= 0 else found.lower).sum())


def adjusted(z: float, look: int, planned: Boundaries, level: float = 0.95) -> Adjusted:
    """The drift after stopping at `look` (0 = first) with the statistic z: median-unbiased, interval and p.

    Stage-wise ordering: a result is more extreme the earlier it crossed, and then the larger z is (Tsiatis, Rosner and
    Mehta 1984, Biometrics 40:797; Jennison and Turnbull 2000, section 8.4). Futility is treated as not binding. The
    drift is the mean that z would have at the last look; divided by its standard error there it is the effect.

    >>> planned = boundaries([1, 2, 3])
    >>> [round(float(part), 3) for part in adjusted(2.6, 1, planned)]
    [3.183, 0.781, 5.584, 0.009]
    """
    from scipy.optimize import brentq

    _check_look(look, planned)
    centre = z / math.sqrt(planned.information[look])
    reach = 8 / math.sqrt(planned.information[0])

    def off(drift: float, chance: float) -> float:
        return as_extreme(z, look, planned, drift) - chance

    chances = 0.5, (1 - level) / 2, (1 + level) / 2
    drift, low, high = (float(brentq(off, centre - reach, centre + reach, (one,), xtol=1e-10)) for one in chances)
    tail = as_extreme(z, look, planned)
    return Adjusted(drift, low, high, min(1.0, 2 * min(tail, 1 - tail)))


def as_extreme(z: float, look: int, planned: Boundaries, drift: float = 0.0) -> float:
    """The probability of a result at least as high as z at `look` (0 = first): an earlier stop above, or >= z here.

    >>> planned = boundaries([1, 2, 3])
    >>> round(as_extreme(3.71, 0, planned), 4), round(as_extreme(1.993, 2, planned), 4)
    (0.0001, 0.025)
    """
    _check_look(look, planned)
    found = exits(planned.information[: look + 1], [*planned.critical[:look], abs(z)], drift)
    if z >= 0:
        return float(found.upper.sum())
    return 1 - float(found.lower.sum())


def _shares(information: Sequence[float]) -> tuple[float, ...]:
    given = [float(one) for one in information]
    if not 1 <= len(given) <= MOST_LOOKS:
        raise ValueError(f"information: expected 1 to {MOST_LOOKS} looks, got {len(given)}")
    if not all(before < now < math.inf for before, now in zip([0.0, *given[:-1]], given, strict=True)):
        raise ValueError("information: expected numbers above 0, each larger than the one before")
    return tuple(one / given[-1] for one in given)


def _check_look(look: int, planned: Boundaries) -> None:
    if not 0 <= look < len(planned.critical):
        raise ValueError(f"look: expected 0 to {len(planned.critical) - 1}, got {look}")
