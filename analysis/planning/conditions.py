"""Power to detect a difference between two conditions or sources, by simulation with readers and cases random.

The model is that of `planning.roe_metz`, with interactions of readers and of cases with the condition, as in Roe and
Metz 1997 (Acad Radiol 4:298) for two modalities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from analysis.planning.power import check_design
from analysis.planning.roe_metz import RoeMetz, class_sizes, to_levels
from analysis.statistics import few_readers
from analysis.statistics.arrays import Floats, one_of
from analysis.statistics.estimate import Estimate
from analysis.statistics.mrmc import compare_groups, obuchowski_rockette
from analysis.statistics.proportions import interval

WAYS = ("same", "split", "between", "sources")
BLOCK = 50  # simulated studies in one job


@dataclass(frozen=True)
class Paired:
    """Variation of readers and cases that is specific to a condition.

    `base`: readers and cases, as for a study without conditions; `reader_share`: the part of the variance of a reader's
    skill that is specific to a condition; `case_share`: the part of a case's variance (shared by all readers) that is
    specific to a condition.
    """

    base: RoeMetz = field(default_factory=RoeMetz)
    reader_share: float = 0.25
    case_share: float = 0.25

    def __post_init__(self) -> None:
        if not (0 <= self.reader_share <= 1 and 0 <= self.case_share <= 1):
            raise ValueError("reader_share, case_share: expected numbers between 0 and 1")

    def draw(
        self, rng: np.random.Generator, values: tuple[float, float], readers: int, cases: int, endpoint: str, by: str
    ) -> tuple[Floats, Floats]:
        """Draw one study: impressions minus the midpoint, 2 x readers x cases, NaN = not read; and the truth of cases.

        `by` as for `simulate`. Each source has its own synthetic cases, as many as there are real cases.
        """
        n1, n0 = class_sizes(cases, 0.5)
        sources = by == "sources"
        truth = np.repeat([1.0, 1.0, 0.0], [n1, n1, n0]) if sources else np.repeat([1.0, 0.0], [n1, n0])
        side = truth.astype(int)

        def split(variance: float, share: float, shape: tuple[int, ...]) -> Floats:
            common = rng.normal(0, math.sqrt(variance * (1 - share)), (1, *shape))
            return np.asarray(common + rng.normal(0, math.sqrt(variance * share), (2, *shape)))

        skill = split(self.base.reader_sd**2, self.reader_share, (readers, 2))[:, :, side]
        leaning = rng.normal(0, self.base.leaning_sd, (1, readers, 1))
        case = split(self.base.case_share, 0.0 if sources else self.case_share, (truth.size,))[:, None]
        noise = rng.normal(0, math.sqrt(1 - self.base.case_share), (2, readers, truth.size))
        if sources:  # a real case is read once
            noise[1, :, side == 0] = noise[0, :, side == 0]
            skill[1, :, side == 0] = skill[0, :, side == 0]
        gaps = np.array([self.base.separation(value, endpoint) for value in values])
        middle = gaps / 2 - self.offsets(values, endpoint, by)
        impressions = truth * gaps[:, None, None] - middle[:, None, None] + skill + leaning + case + noise
        impressions[~_read(by, readers, truth, n1)] = np.nan
        return impressions, truth

    def offsets(self, values: tuple[float, float], endpoint: str, by: str) -> Floats:
        """How far the midpoint of the classes lies from the readers' own; for sources, real cases do not move."""
        gaps = np.array([self.base.separation(value, endpoint) for value in values])
        return (gaps - gaps.mean()) / 2 if by == "sources" else np.zeros(2)


def _read(by: str, readers: int, truth: Floats, n1: int) -> np.ndarray:
    """Return who reads what under which condition: 2 x readers x cases."""
    read = np.ones((2, readers, truth.size), dtype=bool)
    if by == "between":
        read[0, 1::2] = read[1, ::2] = False
    elif by == "sources":
        read[0, :, n1 : 2 * n1] = read[1, :, :n1] = False
    elif by == "split":
        first = (np.arange(truth.size)[None, :] + np.arange(readers)[:, None]) % 2 == 0
        read[0], read[1] = first, ~first
    return read


def simulate(
    endpoint: str,
    first: float,
    second: float,
    readers: int,
    cases: int,
    *,
    by: str = "same",
    model: Paired | None = None,
    levels: bool = True,
    studies: int = 1000,
    seed: int = 0,
    jobs: int = 1,
    alpha: float = 0.05,
) -> Estimate:
    """Power (or size) of the test of two conditions or two sources, by drawing and analysing studies.

    `endpoint`: "auc" (as five levels, or as drawn where `levels` is False) or "accuracy" (decisions at the midpoint of
    the classes); `first`, `second`: the readers' mean figures. `by`: every reader reads the "same" cases under both,
    each reader's cases are "split" between them, readers are divided "between" them, or both are "sources" whose
    synthetic cases are compared with the same real ones. `cases`: number for one condition or source, half synthetic.
    The analysis is that of the report: Obuchowski-Rockette for paired readers, nested for different readers, with
    Welch's critical values for few readers (`few_readers.leading_difference`).

    The value is the share of studies with p below `alpha`, with its Wilson interval; `coverage` the share of 95 %
    intervals that hold `true_value`, the difference second - first. Study number n is drawn with the seed (seed, n).

    >>> round(simulate("auc", 0.6, 0.9, readers=6, cases=80, studies=100).value, 1)
    1.0
    """
    one_of(endpoint, ("auc", "accuracy"), "endpoint")
    one_of(by, WAYS, "by")
    check_design(readers, cases, alpha, None)
    if studies < 2:
        raise ValueError(f"studies: expected 2 or more, got {studies}")
    if by == "sources" and endpoint == "accuracy":
        raise ValueError(
            "endpoint: expected auc for sources, because the real cases have the same accuracy for all of them"
        )
    if by == "between" and readers < 4:
        raise ValueError(f"readers: expected 4 or more to divide between two conditions, got {readers}")
    from joblib import Parallel, delayed

    model = model or Paired()
    plan = (model, endpoint, (first, second), readers, cases, by, levels and endpoint == "auc", seed)
    blocks = [range(start, min(start + BLOCK, studies)) for start in range(0, studies, BLOCK)]
    rows = np.concatenate(Parallel(n_jobs=jobs)(delayed(_studies)(*plan, block) for block in blocks))
    ends = [first, second]
    if levels and endpoint == "auc":
        offsets = model.offsets((first, second), endpoint, by)
        ends = [model.base.five_level_auc(*one) for one in zip(ends, offsets.tolist(), strict=True)]
    true = ends[1] - ends[0]
    figure, se, low, high, p = rows.T
    tested = np.isfinite(p)
    held = ((low <= true) & (true <= high))[tested]
    extra: dict[str, Any] = {"studies": studies, "seed": seed, "readers": readers, "cases": cases, "by": by}
    extra |= {"true_value": true, "mean": float(figure.mean()), "figure_sd": float(figure.std(ddof=1))}
    extra |= {"undefined": int((~tested).sum()), "coverage": float(held.mean()) if held.size else None}
    extra |= {"figure_se": float(se[tested].mean()) if held.size else None}
    rejects = int((p[tested] < alpha).sum())
    name = f"simulation of {studies} studies, {by}, Obuchowski-Rockette (jackknife), alpha {alpha:g}"
    return replace(interval(rejects, studies), method=name, extra=extra)


def _studies(
    model: Paired,
    endpoint: str,
    values: tuple[float, float],
    readers: int,
    cases: int,
    by: str,
    levels: bool,
    seed: int,
    block: range,
) -> Floats:
    """Return one row per study: the difference second - first, its standard error, interval limits, and p."""
    rows = []
    for number in block:
        rng = np.random.default_rng([seed, number])
        scores, truth = model.draw(rng, values, readers, cases, endpoint, by)
        read = ~np.isnan(scores)
        if endpoint == "accuracy":
            scores = np.where(read, (scores > 0) == (truth == 1), np.nan)
        elif levels:
            scores = np.where(read, to_levels(np.nan_to_num(scores)), np.nan)
        if by == "between":
            rows_of = [scores[m][read[m].any(axis=1)] for m in (1, 0)]
            groups = ["second"] * len(rows_of[0]) + ["first"] * len(rows_of[1])
            usual = compare_groups(np.concatenate(rows_of), truth, groups, endpoint=endpoint)
        else:
            usual = obuchowski_rockette(scores[::-1], truth, endpoint=endpoint)
        found = few_readers.leading_difference(usual, readers - 2 if by == "between" else readers - 1)
        low, high = found.ci or (math.nan, math.nan)
        nothing = math.nan
        rows.append([nothing if one is None else one for one in (found.value, found.se, low, high, found.p)])
    return np.array(rows, dtype=float)
