"""A linear mixed model with crossed reader and case effects, fitted by REML; for log response times.

statsmodels also fits such models, but in each step builds matrices as wide as readers and cases together; here the
larger factor is eliminated, and 100 readers x 1,000 cases take a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics import distributions
from analysis.statistics.arrays import Floats, as_floats
from analysis.statistics.estimate import Estimate, undefined

METHOD = "linear mixed model, crossed reader and case effects, REML, Satterthwaite t 95% interval"


class Fit(NamedTuple):
    """One estimate per column of the design, and the standard deviations over readers, cases and residuals."""

    effects: dict[str, Estimate]
    spread: dict[str, float]


def fit(y: ArrayLike, design: ArrayLike, names: Sequence[str], readers: ArrayLike, cases: ArrayLike) -> Fit:
    """Fit y = design @ effects + reader + case + residual; all three random parts are normal and independent.

    `y`: n numbers; `design`: n x p, one name per column, including an intercept if wanted; `readers`, `cases`: n
    labels. REML profiled as in Bates, Maechler, Bolker and Walker 2015 (J Stat Softw 67:1); degrees of freedom after
    Satterthwaite, from the curvature of the REML criterion (Kuznetsova 2017, J Stat Softw 82:13). A column that is
    constant 0 or a combination of the others is None with a reason, as are all columns if there are too few rows;
    without residual variation, only values are given. Raises ValueError for missing numbers or unequal lengths.

    >>> y = [1.0, 2.0, 1.5, 3.0, 2.0, 3.5, 1.0, 2.5, 2.0, 3.0, 2.5, 4.0]
    >>> found = fit(y, [[1, x] for x in [0, 1] * 6], ["intercept", "x"], list("aaaabbbbcccc"), list("pqrs") * 3)
    >>> round(found.effects["x"].value, 3), sorted(found.spread)
    (1.333, ['case', 'reader', 'residual'])
    """
    response, matrix = as_floats(y, "y"), as_floats(design, "design", ndim=2)
    labels = [np.unique(np.asarray(side), return_inverse=True)[1] for side in (readers, cases)]
    if matrix.shape != (response.size, len(names)) or any(side.size != response.size for side in labels):
        raise ValueError(
            f"expected {response.size} rows and {len(names)} columns throughout, got design {matrix.shape}"
        )
    if np.isnan(response).any() or np.isnan(matrix).any():
        raise ValueError("expected numbers without missing values; leave out incomplete rows, and report how many")
    kept = _independent(matrix)
    n, p = response.size, kept.size
    if n <= p + 2:
        return Fit({name: undefined("there are too few rows for the model", METHOD, n=n) for name in names}, {})
    model = _Reml(response, matrix[:, kept], labels[0], labels[1])
    ratios = model.maximise()
    beta, covariance, sigma = model.solve(ratios)
    if sigma <= 1e-9 * max(float(np.abs(response).max()), 1e-300):
        whole = dict(zip((names[place] for place in kept), beta.tolist(), strict=True))
        reason = "there is no residual variation, so no standard error"
        return Fit(
            {name: Estimate(whole.get(name), method=METHOD, reason=reason, extra={"n": n}) for name in names}, {}
        )
    dfs = model.satterthwaite(ratios, sigma)
    reason = "this column is a combination of the others"
    effects = {name: undefined(reason, METHOD, n=n) for name in names}
    for place, value, variance, df in zip(kept, beta, np.diag(covariance), dfs, strict=True):
        se = math.sqrt(variance)
        half = distributions.t_quantile(0.95, df) * se
        p_value = distributions.t_p(float(value) / se, df) if se > 0 else None
        ci = float(value) - half, float(value) + half
        effects[names[place]] = Estimate(float(value), se, ci, p_value, METHOD, df, extra={"n": n})
    spread = {"reader": float(ratios[0] * sigma), "case": float(ratios[1] * sigma), "residual": sigma}
    return Fit(effects, spread)


def _independent(matrix: Floats) -> NDArray[np.intp]:
    """Return the columns, from the left, that are not combinations of earlier ones."""
    kept: list[int] = []
    for column in range(matrix.shape[1]):
        if np.linalg.matrix_rank(matrix[:, [*kept, column]]) > len(kept):
            kept.append(column)
    return np.array(kept, dtype=np.intp)


class _Reml:
    """The REML criterion from sums over readers, cases and their crossing; rows are read only once, on construction."""

    def __init__(self, y: Floats, matrix: Floats, readers: NDArray[np.intp], cases: NDArray[np.intp]) -> None:
        both = np.c_[matrix, y]
        self.n, self.p = matrix.shape
        self.inner = both.T @ both
        self.order = (0, 1) if readers.max() >= cases.max() else (1, 0)
        large, small = ((readers, cases)[side] for side in self.order)
        self.counts = [np.bincount(side).astype(float) for side in (large, small)]
        self.sums = [np.stack([np.bincount(side, column) for column in both.T], axis=1) for side in (large, small)]
        crossing = np.bincount(large * (small.max() + 1) + small, minlength=self.counts[0].size * self.counts[1].size)
        self.crossing = crossing.reshape(self.counts[0].size, self.counts[1].size).astype(float)

    def _factored(self, ratios: Floats) -> tuple[float, Floats]:
        """log|M| and [X y]' V^-1 [X y] with sigma = 1, at standard deviations relative to the residual one."""
        a, b = (ratios[side] for side in self.order)
        first = a * a * self.counts[0] + 1
        mixed = a * b * self.crossing
        rest = np.diag(b * b * self.counts[1] + 1) - mixed.T @ (mixed / first[:, None])
        root = np.linalg.cholesky(rest)
        top = a * self.sums[0]
        bottom = np.linalg.solve(root, b * self.sums[1] - mixed.T @ (top / first[:, None]))
        explained = top.T @ (top / first[:, None]) + bottom.T @ bottom
        log_determinant = float(np.log(first).sum() + 2 * np.log(np.diag(root)).sum())
        return log_determinant, self.inner - explained

    def criterion(self, ratios: Floats, sigma: float | None = None) -> float:
        """-2 log restricted likelihood without constants; `sigma` None: at its best value."""
        log_determinant, inner = self._factored(ratios)
        cross, right = inner[:-1, :-1], inner[:-1, -1]
        left_over = max(float(inner[-1, -1] - right @ np.linalg.solve(cross, right)), 1e-300)
        df = self.n - self.p
        variance = left_over / df if sigma is None else sigma**2
        return log_determinant + float(np.linalg.slogdet(cross)[1]) + df * math.log(variance) + left_over / variance

    def maximise(self) -> Floats:
        """Relative standard deviations over readers and over cases, each 0 or more."""
        from scipy.optimize import minimize

        options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 1000}
        found = minimize(self.criterion, [0.5, 0.5], method="Nelder-Mead", bounds=[(0, 1e3)] * 2, options=options)
        return np.asarray(found.x, dtype=np.float64)

    def solve(self, ratios: Floats) -> tuple[Floats, Floats, float]:
        """Effects, their covariance and the residual standard deviation."""
        _, inner = self._factored(ratios)
        cross, right = inner[:-1, :-1], inner[:-1, -1]
        beta = np.linalg.solve(cross, right)
        sigma = math.sqrt(max(float(inner[-1, -1] - right @ beta), 0.0) / (self.n - self.p))
        return np.asarray(beta), np.asarray(np.linalg.inv(cross) * sigma**2), sigma

    def satterthwaite(self, ratios: Floats, sigma: float) -> Floats:
        """2 v^2 / Var(v) for the variance v of each effect, by the delta method over the parameters that are not 0."""
        point = np.r_[ratios, sigma]
        # A standard deviation of 0 stays there, because it has no usable curvature.
        free = [i for i, entry in enumerate(point) if entry > 1e-4]
        if not free:
            return np.full(self.p, float(self.n - self.p))
        steps = {i: 1e-3 * point[i] for i in free}

        def moved(*shifts: tuple[int, int]) -> Floats:
            other = point.copy()
            for place, sign in shifts:
                other[place] += sign * steps[place]
            return other

        def criterion(at: Floats) -> float:
            return self.criterion(at[:2], float(at[2]))

        def variances(at: Floats) -> Floats:
            return np.diag(np.linalg.inv(self._factored(at[:2])[1][:-1, :-1])) * at[2] ** 2

        curvature = np.array(
            [
                [
                    sum(s * t * criterion(moved((i, s), (j, t))) for s in (1, -1) for t in (1, -1))
                    / (4 * steps[i] * steps[j])
                    for j in free
                ]
                for i in free
            ]
        )
        slopes = np.array([(variances(moved((i, 1))) - variances(moved((i, -1)))) / (2 * steps[i]) for i in free])
        spread = np.einsum("ip,ij,jp->p", slopes, 2 * np.linalg.pinv(curvature, hermitian=True), slopes)
        most = float(self.n - self.p)
        return np.clip(
            np.divide(2 * variances(point) ** 2, spread, out=np.full(self.p, most), where=spread > 0), 1.0, most
        )
