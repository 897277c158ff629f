"""A model of rating with adaptive exposure: precision of the threshold for a given study size, by simulation.

A reader is right with the probability of a logistic psychometric function of the logarithm of the exposure; the
logarithms of the readers' thresholds are normal. The exposure moves by the weighted up-down method (Kaernbach 1991,
Percept Psychophys 49:227): up by `up_ms` after a wrong answer, down by `down_ms` after a right one;
until a staircase has had `reversals` reversals, its steps are `coarse` times as large.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.statistics import proportions, psychometric
from analysis.statistics.arrays import Floats
from analysis.statistics.estimate import Estimate

BLOCK = 25  # simulated studies in one job
GUESS = 0.5  # the share of correct answers by guessing


@dataclass(frozen=True)
class Staircases:
    """The staircase (defaults: the preset hype-time) and the readers.

    `slope` is per natural log unit of exposure, `reader_sd` the standard deviation of log thresholds between readers
    (.35: one reader in three is beyond 1/1.42 or 1.42 times the median), `lapse` the share of slips. Raises ValueError
    for limits without an exposure between them, zero steps, or a negative spread.
    """

    start_ms: float = 500
    shortest_ms: float = 100
    longest_ms: float = 1000
    up_ms: float = 30
    down_ms: float = 10
    coarse: float = 4
    reversals: int = 3
    tracks: int = 2
    jitter_ms: float = 30
    slope: float = 4
    lapse: float = 0.02
    reader_sd: float = 0.35

    def __post_init__(self) -> None:
        if not 0 < self.shortest_ms <= self.start_ms <= self.longest_ms:
            raise ValueError("expected 0 < shortest_ms <= start_ms <= longest_ms")
        if min(self.up_ms, self.down_ms, self.slope) <= 0 or self.tracks < 1 or self.coarse < 1:
            raise ValueError("expected up_ms, down_ms and slope above 0, tracks and coarse of 1 or more")
        if min(self.jitter_ms, self.reader_sd, self.lapse) < 0 or self.lapse > psychometric.LARGEST_LAPSE:
            raise ValueError(
                f"expected jitter_ms and reader_sd of 0 or more, lapse of 0 to {psychometric.LARGEST_LAPSE}"
            )

    def draw(
        self, rng: np.random.Generator, threshold_ms: float, readers: int, cases: int
    ) -> tuple[Floats, Floats, Floats]:
        """Draw one study: exposures in ms, 1 = right and 0 = wrong (readers x cases), and the readers' thresholds."""
        own = threshold_ms * np.exp(rng.normal(0, self.reader_sd, readers))
        levels = np.full((self.tracks, readers), float(self.start_ms))
        last, turns = np.full(levels.shape, np.nan), np.zeros(levels.shape)
        shown, right = np.empty((readers, cases)), np.empty((readers, cases))
        for trial in range(cases):
            track = rng.integers(self.tracks, size=readers), np.arange(readers)
            shown[:, trial] = self._within(levels[track] + rng.uniform(-self.jitter_ms, self.jitter_ms, readers))
            up = 1 / (1 + (shown[:, trial] / own) ** -self.slope)
            right[:, trial] = rng.random(readers) < GUESS + (1 - GUESS - self.lapse) * up
            turns[track] += ~np.isnan(last[track]) & (last[track] != right[:, trial])
            last[track] = right[:, trial]
            step = np.where(right[:, trial] == 1, -self.down_ms, self.up_ms)
            step *= np.where(turns[track] < self.reversals, self.coarse, 1)
            levels[track] = self._within(levels[track] + step)
        return shown, right, own

    def _within(self, exposure_ms: Floats) -> Floats:
        return np.clip(exposure_ms, self.shortest_ms, self.longest_ms)


def precision(
    threshold_ms: float,
    readers: int,
    cases: int,
    *,
    model: Staircases | None = None,
    ratio: float = 1.25,
    studies: int = 200,
    seed: int = 0,
    jobs: int = 1,
    alpha: float = 0.05,
) -> Estimate:
    """Power to distinguish a threshold of `threshold_ms` from one `ratio` times as long, by simulated studies.

    Each study of `readers` x `cases` is drawn with its own generator, seeded by (seed, number of the study), and fitted
    by `psychometric.fit_readers`, as the report does. The value is the share of studies whose 95 % interval excludes
    `threshold_ms` x `ratio`, with its standard error and Wilson interval. `coverage` is the share of intervals that
    contain `threshold_ms`; `factor` is the median relative half-width: the interval reaches from the estimate divided
    by it to the estimate times it; `undefined` counts studies without a threshold, which count as not excluding it.
    There is no formula, because exposures depend on the answers. `alpha` is .05.

    >>> found = precision(350, readers=6, cases=60, studies=20)
    >>> found.coverage > 0.7, 1.1 < found.factor < 2
    (True, True)
    """
    from joblib import Parallel, delayed

    if threshold_ms <= 0 or ratio <= 0 or ratio == 1:
        raise ValueError(f"expected a threshold above 0, a ratio above 0 and not 1, got {threshold_ms:g}, {ratio:g}")
    if readers < 2 or cases < 4 or studies < 2:
        raise ValueError(f"expected 2 readers, 4 cases, 2 studies or more, got {readers}, {cases}, {studies}")
    if alpha != 0.05:
        raise ValueError(f"alpha: expected 0.05, because intervals are 95 % intervals, got {alpha:g}")
    model = model or Staircases()
    blocks = [range(start, min(start + BLOCK, studies)) for start in range(0, studies, BLOCK)]
    parts: list[Any] = Parallel(n_jobs=jobs)(
        delayed(_fitted)(model, threshold_ms, readers, cases, seed, block) for block in blocks
    )
    low, value, high = np.concatenate(parts).T
    with np.errstate(invalid="ignore", divide="ignore"):
        told = (low > threshold_ms * ratio) | (high < threshold_ms * ratio)
        held = (low <= threshold_ms) & (threshold_ms <= high)
        factor = float(np.nanmedian(np.sqrt(high / low))) if np.isfinite(value).any() else None
    power = proportions.interval(int(told.sum()), studies)
    extra = {"readers": readers, "cases": cases, "studies": studies, "coverage": float(held.mean()), "factor": factor}
    extra |= {"undefined": int(np.isnan(value).sum()), "bias": float(np.nanmean(np.log(value / threshold_ms)))}
    method = (
        f"staircase simulation, power to distinguish the threshold from one {ratio:g} times as long, {studies} studies"
    )
    return replace(power, method=method, extra=extra)


def _fitted(
    model: Staircases, threshold_ms: float, readers: int, cases: int, seed: int, numbers: range
) -> list[tuple[float, float, float]]:
    """Return interval and estimate of each study: low, value, high; NaN if there is none."""
    found = []
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        shown, right, _ = model.draw(rng, threshold_ms, readers, cases)
        names = np.repeat(np.arange(readers), cases)
        fitted = psychometric.fit_readers(shown.ravel(), right.ravel(), names, GUESS).threshold
        low, high = fitted.ci or (np.nan, np.nan)
        found.append((low, np.nan if fitted.value is None else fitted.value, high))
    return found
