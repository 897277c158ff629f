"""The Laplace approximation of a logistic mixed model's likelihood, with its gradient, for crossed factors.

With spherical effects u ~ N(0, I) and log odds X b + Z S u (S the diagonal of standard deviations), the negative log
likelihood is about f(u) + log|H| / 2 at the mode of f(u) = -log p(y | u) + |u|^2 / 2, where H = I + S Z' W Z S.
The block of the largest factor in H is diagonal and is eliminated; the remainder is dense and only as large as the
other factors together: 6 readers x 200 cases need a 6 x 6 Cholesky factor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.arrays import Floats


class _Factored(NamedTuple):
    """H by blocks: `first` (the largest factor's diagonal), `ratio` = B / first, `rest` (inverse of the remainder)."""

    first: Floats
    ratio: Floats
    rest: Floats
    log_determinant: float

    def solve(self, v: Floats) -> Floats:
        size = self.first.size
        tail = self.rest @ (v[size:] - self.ratio.T @ v[:size])
        return np.concatenate([v[:size] / self.first - self.ratio @ tail, tail])


class Laplace:
    """Negative log likelihood (without constants) of y successes in n trials, as a function of (b, s).

    `index`: the level of each row, for every factor. Each call starts from the last mode found.
    """

    def __init__(self, y: Floats, trials: Floats, X: Floats, index: list[NDArray[np.intp]]) -> None:
        self.y, self.trials, self.X = y, trials, X
        self.covariates, self.effects = X.shape[1], len(index)
        sizes = [int(levels.max()) + 1 for levels in index]
        # Factors are sorted by size, largest first; levels are numbered consecutively.
        self._order = sorted(range(len(index)), key=lambda f: -sizes[f])
        self._sizes = np.array([sizes[f] for f in self._order], dtype=int)
        starts = np.concatenate([[0], np.cumsum(self._sizes)])
        self._total = int(starts[-1])
        self._levels = [index[f] + start for f, start in zip(self._order, starts, strict=False)]
        self._owner = np.repeat(np.arange(self.effects), self._sizes)
        self._mode = np.zeros(self._total)

    def __call__(self, point: Floats) -> tuple[float, Floats]:
        """The negative log likelihood and its gradient over (b, s)."""
        b, given = point[: self.covariates], point[self.covariates :]
        s = given[self._order]
        fixed = self.X @ b
        u, factored, eta, mean = self._find_mode(fixed, s)
        value = self._penalised(eta, u) + factored.log_determinant / 2
        residual, weight = self.y - self.trials * mean, self.trials * mean * (1 - mean)
        # Diagonal of Z S H^-1 S Z', one factor at a time.
        leverage = self._leverage(factored, s)
        hat = sum((sd * part for sd, part in zip(s, leverage, strict=True)), np.zeros(self.y.size))
        bend = weight * (1 - 2 * mean) * hat / 2
        back = factored.solve(self._gather(bend, s))
        pull = bend - weight * self._spread(back, s)
        slope = np.empty(point.size)
        slope[: self.covariates] = self.X.T @ (pull - residual)
        for f, levels in enumerate(self._levels):
            own = u[levels]
            change = (pull - residual) @ own + residual @ back[levels] + weight @ leverage[f]
            slope[self.covariates + self._order[f]] = change
        return value, slope

    def _find_mode(self, fixed: Floats, s: Floats) -> tuple[Floats, _Factored, Floats, Floats]:
        u = self._mode
        eta = fixed + self._spread(u, s)
        value = self._penalised(eta, u)
        settled = False
        for _ in range(100):
            mean = _inverse_logit(eta)
            factored = self._factor(self.trials * mean * (1 - mean), s)
            if settled:
                break
            slope = self._gather(self.y - self.trials * mean, s) - u
            step = factored.solve(slope)
            # One more step: the error of log|H| is of first order in the error of the mode, not second.
            settled = float(slope @ step) < 1e-12 * (1 + abs(value))
            for _ in range(30):
                ahead = u + step
                eta_ahead = fixed + self._spread(ahead, s)
                value_ahead = self._penalised(eta_ahead, ahead)
                if settled or value_ahead <= value:
                    break
                step = step / 2
            u, eta, value = ahead, eta_ahead, value_ahead
        self._mode = u
        return u, factored, eta, mean

    def _penalised(self, eta: Floats, u: Floats) -> float:
        return float((self.trials * np.logaddexp(0, eta) - self.y * eta).sum() + u @ u / 2)

    def _spread(self, u: Floats, s: Floats) -> Floats:
        """Z S u."""
        out = np.zeros(self.y.size)
        for sd, levels in zip(s, self._levels, strict=True):
            out += sd * u[levels]
        return out

    def _gather(self, v: Floats, s: Floats) -> Floats:
        """S Z' v."""
        out = np.zeros(self._total)
        for levels in self._levels:
            out += np.bincount(levels, v, self._total)
        return out * s[self._owner]

    def _factor(self, weight: Floats, s: Floats) -> _Factored:
        if not self.effects:
            return _Factored(np.empty(0), np.empty((0, 0)), np.empty((0, 0)), 0.0)
        size = self._sizes[0]
        rest = self._total - size
        first = 1 + s[0] ** 2 * np.bincount(self._levels[0], weight, size)
        across, inner = np.zeros((size, rest)), np.eye(rest)
        for f in range(1, self.effects):
            f_levels = self._levels[f] - size
            pairs = self._levels[0] * rest + f_levels
            across += s[0] * s[f] * np.bincount(pairs, weight, size * rest).reshape(size, rest)
            for g in range(1, self.effects):
                pairs = f_levels * rest + self._levels[g] - size
                inner += s[f] * s[g] * np.bincount(pairs, weight, rest * rest).reshape(rest, rest)
        ratio = across / first[:, None]
        lower = np.linalg.cholesky(inner - across.T @ ratio)
        half = np.linalg.inv(lower)
        log_determinant = float(np.log(first).sum() + 2 * np.log(np.diag(lower)).sum())
        return _Factored(first, ratio, half.T @ half, log_determinant)

    def _leverage(self, factored: _Factored, s: Floats) -> list[Floats]:
        """For every factor f and row k, the entry at k's level in f of H^-1 S z_k."""
        if not self.effects:
            return []
        size = self._sizes[0]
        mixed = -factored.ratio @ factored.rest
        corner = 1 / factored.first - (mixed * factored.ratio).sum(axis=1)
        first, rest = self._levels[0], [levels - size for levels in self._levels[1:]]
        parts = [s[0] * corner[first]]
        for sd, levels in zip(s[1:], rest, strict=True):
            parts[0] = parts[0] + sd * mixed[first, levels]
        for f_levels in rest:
            part = s[0] * mixed[first, f_levels]
            for sd, g_levels in zip(s[1:], rest, strict=True):
                part = part + sd * factored.rest[f_levels, g_levels]
            parts.append(part)
        return parts


def _inverse_logit(eta: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(eta / 2))
