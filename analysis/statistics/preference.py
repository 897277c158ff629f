"""Preferences from paired comparisons with ties.

Question: on one scale, how much better is each method than the others? The Bradley-Terry model gives every method a
strength; the probability that one is preferred to another depends only on the difference in strength.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.statistics import distributions, proportions
from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Strengths:
    """Strengths on the log scale with mean 0, as arrays (methods,); None with a `reason` if they are undefined.

    `ci` is (methods, 2), 95 %, by the normal distribution. `tie` is Davidson's parameter nu: for equal methods a tie
    is nu times as likely as either preference; None without ties.
    """

    strength: Floats | None
    se: Floats | None = None
    ci: Floats | None = None
    tie: float | None = None
    log_likelihood: float | None = None
    method: str = ""
    reason: str | None = None


def bradley_terry(wins: Any, ties: Any = None) -> Strengths:
    """Maximum-likelihood strengths of the methods.

    `wins`: methods x methods, how often the row was preferred to the column; `ties`: the same, symmetric, how often
    neither was. P(i over j) = s_i / (s_i + s_j + nu sqrt(s_i s_j)) with s = exp(strength) (Bradley and Terry 1952,
    Biometrika 39:324; ties after Davidson 1970, JASA 65:317). Standard errors come from the inverse of the observed
    information with the mean strength fixed at 0. Undefined if every comparison was a tie, or if a method (or a set of
    methods) was never preferred to the others or never beaten by them, so that its strength is infinite, unless ties
    among three or more methods bound it. Raises ValueError for negative counts or matrices of unequal shape.

    >>> found = bradley_terry([[0, 14], [6, 0]])
    >>> found.strength.round(4).tolist(), found.se.round(4).tolist()      # half the log odds of 14 to 6
    ([0.4236, -0.4236], [0.244, 0.244])
    """
    import numpy as np
    from scipy.optimize import minimize

    won, tied = _counts(wins, ties)
    method = "Bradley-Terry, maximum likelihood" + (", Davidson's ties" if tied.any() else "")
    if reason := _unbounded(won, tied):
        return Strengths(None, method=method, reason=reason)
    count = len(won)
    rows, columns = np.triu_indices(count, 1)

    def loss(parameters: Floats) -> float:
        return -_log_likelihood(parameters[:count], parameters[count:], won, tied, rows, columns)

    start = np.zeros(count + bool(tied.any()))
    fitted = minimize(loss, start, method="BFGS", options={"gtol": 1e-9})
    best = _newton(loss, fitted.x, count)
    strength = best[:count] - best[:count].mean()
    information = _hessian(loss, best)
    # The likelihood does not change if all strengths shift equally; the generalised inverse fixes their mean at 0.
    covariance = np.linalg.pinv(information, rcond=1e-7, hermitian=True)
    se = np.sqrt(np.diag(covariance)[:count])
    half = distributions.normal_quantile(0.95) * se
    tie = float(np.exp(best[count])) if tied.any() else None
    ci = np.stack([strength - half, strength + half], axis=1)
    return Strengths(strength, se, ci, tie, -float(loss(best)), method)


def tally(scores: Any) -> tuple[Floats, Floats]:
    """Convert scores of methods compared side by side to wins and ties, each methods x methods, for `bradley_terry`.

    `scores`: comparisons x methods, higher = more of what was asked, NaN = no answer. In each comparison, every pair of
    methods with two scores counts once, as a win of the higher or as a tie. Raises ValueError for a wrong shape.

    >>> wins, ties = tally([[1, 0, 0], [1, 1, 0]])
    >>> wins.tolist(), ties.tolist()
    ([[0.0, 1.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    """
    import numpy as np

    given = as_floats(scores, "scores", 2)
    if given.ndim != 2:
        raise ValueError(f"scores: expected comparisons x methods, got the shape {given.shape}")
    first, second = given[:, :, None], given[:, None, :]
    ties = (first == second).sum(axis=0).astype(float)
    np.fill_diagonal(ties, 0)
    return (first > second).sum(axis=0).astype(float), ties


def sign_test(better: int, same: int, worse: int) -> Estimate:
    """The share of preferences for the first, without ties, and the exact sign test against one half.

    `value` is better / (better + worse) with the Clopper-Pearson interval; `p` is scipy's binomtest, two-sided.
    Undefined if all were ties. Raises ValueError for negative counts.

    >>> found = sign_test(14, 3, 6)
    >>> found.value, round(found.p, 4)
    (0.7, 0.1153)
    """
    from scipy.stats import binomtest

    for name, count in (("better", better), ("same", same), ("worse", worse)):
        if count < 0 or count != int(count):
            raise ValueError(f"{name}: expected a count of 0 or more, got {count}")
    method = "share of preferences without ties, Clopper-Pearson 95% interval, exact sign test"
    extra = {"better": int(better), "same": int(same), "worse": int(worse)}
    if not better + worse:
        return undefined("every comparison was a tie", method, **extra)
    share = proportions.interval(better, better + worse, "exact")
    p = float(binomtest(int(better), int(better + worse), 0.5).pvalue)
    return Estimate(share.value, share.se, share.ci, p, method, extra=extra)


def _counts(wins: Any, ties: Any) -> tuple[Floats, Floats]:
    import numpy as np

    won = as_floats(wins, "wins", 2)
    tied = np.zeros_like(won) if ties is None else as_floats(ties, "ties", 2)
    if won.ndim != 2 or won.shape[0] != won.shape[1] or len(won) < 2:
        raise ValueError(f"wins: expected a square table of two or more methods, got the shape {won.shape}")
    if tied.shape != won.shape or (tied != tied.T).any():
        raise ValueError("ties: expected a symmetric table with the same shape as wins")
    for name, table in (("wins", won), ("ties", tied)):
        if not (table >= 0).all() or np.diag(table).any():
            raise ValueError(f"{name}: expected counts of 0 or more, with 0 for a method against itself")
    return won, tied


def _unbounded(won: Floats, tied: Floats) -> str | None:
    """Return why the likelihood has no finite maximum, or None if it has one.

    It has none if strengths and log nu can move in a direction in which no observed outcome becomes less likely and one
    becomes more likely (Albert and Anderson 1984, Biometrika 71:1); a linear programme looks for such a direction.
    Without ties this is the condition of Ford 1957, Am Math Mon 64:28. Ties cannot replace a defeat, because they grow
    with nu.
    """
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse.csgraph import connected_components

    if connected_components(won + tied > 0, directed=False)[0] > 1:
        return "some methods were never compared with the others, so their strengths are not finite"
    if not won.any():
        return "every comparison was a tie"
    ahead = np.eye(len(won))[:, None] - np.eye(len(won))  # row minus column, for each pair of methods
    half = np.concatenate([ahead / 2, np.ones((*won.shape, 1))], axis=2)  # a tie relative to a win of the column
    wins = np.concatenate([ahead, np.zeros((*won.shape, 1))], axis=2)[won > 0]
    gains = np.concatenate([wins, wins - half[won > 0], half[tied > 0]] if tied.any() else [wins])
    found = linprog(-gains.sum(axis=0), A_ub=-gains, b_ub=np.zeros(len(gains)), bounds=(-1, 1))
    if found.fun < -1e-6:
        return "some methods were never preferred to the others or never beaten, so their strengths are not finite"
    return None


def _log_likelihood(
    strength: Floats, tie: Floats, won: Floats, tied: Floats, rows: np.ndarray, columns: np.ndarray
) -> float:
    import numpy as np

    first, second = strength[rows], strength[columns]
    terms = [first, second]
    if tie.size:
        terms.append(tie[0] + (first + second) / 2)
    total = np.logaddexp.reduce(terms, axis=0)
    found = (won[rows, columns] * (first - total) + won[columns, rows] * (second - total)).sum()
    if tie.size:
        found += (tied[rows, columns] * (terms[2] - total)).sum()
    return float(found)


def _hessian(loss: Any, at: Floats, step: float = 1e-4) -> Floats:
    """Second derivatives by central differences."""
    import numpy as np

    size = len(at)
    shifts = step * np.eye(size)
    found = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            a, b = shifts[i], shifts[j]
            mixed = loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)
            found[i, j] = found[j, i] = mixed / (4 * step * step)
    return found


def _newton(loss: Any, at: Floats, count: int, rounds: int = 3) -> Floats:
    """Refine the last digits of a quasi-Newton result by a few Newton steps."""
    import numpy as np

    for _ in range(rounds):
        shifts = 1e-5 * np.eye(len(at))
        gradient = np.array([(loss(at + s) - loss(at - s)) / 2e-5 for s in shifts])
        at = at - np.linalg.pinv(_hessian(loss, at), rcond=1e-7, hermitian=True) @ gradient
        at[:count] -= at[:count].mean()
    return at
