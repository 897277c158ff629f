"""The Roe-Metz model of readers and cases: power and precision by formula and by simulation.

A reader's impression of a case is truth x separation + skill with the class + leaning + case + noise, all normal; case
and noise together have variance 1. Roe and Metz 1997, Acad Radiol 4:298; the reader's leaning, which affects decisions
but not areas, is our addition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np

from analysis.statistics.arrays import Floats

_NORMAL = NormalDist()
CUTS = (-1.0, -0.25, 0.25, 1.0)  # between the five levels, around the midpoint of the classes


@dataclass(frozen=True)
class RoeMetz:
    """Variation of readers and cases, in units of the impression's standard deviation within a reader and class.

    `reader_sd`: of a reader's skill with either class; `leaning_sd`: of a reader's leaning to one answer; `case_share`:
    the part of the unit variance that all readers share for a case. The defaults give approximately the components of
    the published study of PanoDiff-SR (arXiv 2507.09227), six readers and 100 + 100 cases.
    """

    reader_sd: float = 0.24
    leaning_sd: float = 0.2
    case_share: float = 0.34

    def __post_init__(self) -> None:
        if min(self.reader_sd, self.leaning_sd) < 0 or not 0 <= self.case_share <= 1:
            raise ValueError("expected reader_sd and leaning_sd of 0 or more, and case_share between 0 and 1")

    @property
    def chance(self) -> float:
        """Return the mean figure of readers at chance."""
        return 0.5

    def separation(self, value: float, endpoint: str) -> float:
        """Return the distance between the classes at which the readers' mean figure is `value` (between 0 and 1)."""
        _check_value(value)
        if endpoint == "auc":
            return math.sqrt(2 + 2 * self.reader_sd**2) * _NORMAL.inv_cdf(value)
        return 2 * math.sqrt(self._spread()) * _NORMAL.inv_cdf(value)

    def _spread(self) -> float:
        return 1 + self.reader_sd**2 + self.leaning_sd**2

    def moments(self, value: float, endpoint: str, synthetic_share: float = 0.5) -> Floats:
        """E[s(r, i, j) s(r', i', j')], 2 x 2 x 2 by same reader, same synthetic case, same real case (1 = same).

        For the AUC, two successes are a bivariate normal orthant, P(both) = Phi(a) - 2 T(a, sqrt((1 - rho) / (1 +
        rho))) with Owen's T (Gallas and Hillis 2014, J Med Imaging 1:031006); for accuracy, decisions at the midpoint.
        """
        _check_value(value)
        reader, lean, case = self.reader_sd**2, self.leaning_sd**2, self.case_share
        out = np.empty((2, 2, 2))
        for same in product((0, 1), repeat=3):
            r, i, j = same
            noise = case + (1 - case) * r
            if endpoint == "auc":
                out[same] = _both(value, (2 * reader * r + (i + j) * noise) / (2 + 2 * reader))
                continue
            within = [_both(value, ((reader + lean) * r + side * noise) / self._spread()) for side in (i, j)]
            across = _both(value, -lean * r / self._spread())
            w1, w0 = synthetic_share, 1 - synthetic_share
            out[same] = w1 * w1 * within[0] + w0 * w0 * within[1] + 2 * w1 * w0 * across
        return out

    def components(self, value: float, cases: int, endpoint: str, synthetic_share: float = 0.5) -> dict[str, float]:
        """Return Obuchowski-Rockette components of a study with `cases` cases: reader, error and cov2.

        >>> {name: round(part, 5) for name, part in RoeMetz().components(0.83, 200, "auc").items()}
        {'reader': 0.00357, 'error': 0.00079, 'cov2': 0.00022}
        """
        n1, n0 = class_sizes(cases, synthetic_share)
        moments = self.moments(value, endpoint, n1 / cases)
        share = np.outer([1 - 1 / n1, 1 / n1], [1 - 1 / n0, 1 / n0])
        fixed = [float((share * moments[r]).sum() - moments[r, 0, 0]) for r in (0, 1)]
        return {"reader": float(moments[1, 0, 0] - moments[0, 0, 0]), "error": fixed[1], "cov2": fixed[0]}

    def draw(
        self,
        rng: np.random.Generator,
        value: float,
        readers: int,
        cases: int,
        endpoint: str,
        synthetic_share: float = 0.5,
    ) -> tuple[Floats, Floats]:
        """Draw one study: impressions (readers x cases) minus the midpoint of the classes, and the cases' truth."""
        n1, n0 = class_sizes(cases, synthetic_share)
        truth = np.repeat([1.0, 0.0], [n1, n0])
        skill = rng.normal(0, self.reader_sd, (readers, 2))[:, truth.astype(int)]
        leaning = rng.normal(0, self.leaning_sd, (readers, 1))
        case = rng.normal(0, math.sqrt(self.case_share), cases)
        noise = rng.normal(0, math.sqrt(1 - self.case_share), (readers, cases))
        return (truth - 0.5) * self.separation(value, endpoint) + skill + leaning + case + noise, truth

    def five_level_auc(self, value: float, offset: float = 0.0) -> float:
        """The readers' mean area if impressions are given as five levels: slightly less than `value`, due to ties.

        `offset`: distance of the classes' midpoint from that of the levels.
        """
        half = self.separation(value, "auc") / 2
        nodes, weights = np.polynomial.hermite_e.hermegauss(41)
        scale = math.sqrt(1 + self.reader_sd**2)
        total = 0.0
        for node, weight in zip(nodes, weights, strict=True):
            shares = []
            for mean in (half + offset, offset - half):
                below = [_NORMAL.cdf((cut - mean - self.leaning_sd * float(node)) / scale) for cut in CUTS]
                shares.append(np.diff([0.0, *below, 1.0]))
            total += float(weight) * float(shares[0] @ (np.cumsum(shares[1]) - shares[1] / 2))
        return total / math.sqrt(2 * math.pi)


def class_sizes(cases: int, synthetic_share: float) -> tuple[int, int]:
    """Numbers of synthetic and real cases; ValueError unless there are two of each.

    >>> class_sizes(200, 0.5)
    (100, 100)
    """
    n1 = round(cases * synthetic_share)
    if min(n1, cases - n1) < 2:
        raise ValueError(f"cases: expected at least two of each class, got {n1} synthetic of {cases}")
    return n1, cases - n1


def _check_value(value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"value: expected a number between 0 and 1, got {value:g}")


def to_levels(impressions: Floats) -> Floats:
    """Impressions as levels 1 (surely real) to 5 (surely synthetic).

    >>> to_levels(np.array([-2.0, 0.0, 0.3])).tolist()
    [1.0, 3.0, 4.0]
    """
    return np.asarray(1.0 + np.searchsorted(CUTS, impressions), dtype=np.float64)


def _both(value: float, correlation: float) -> float:
    """P(two events of probability `value` both happen) if their underlying normals have this correlation."""
    from scipy.special import owens_t

    if correlation > 1 - 1e-12:
        return value
    a = _NORMAL.inv_cdf(value)
    return value - 2 * float(owens_t(a, math.sqrt((1 - correlation) / (1 + correlation))))
