"""Assignment of cases in anchored blocks: the largest pool for readers with a limited number of cases, and its cost.

All readers read the anchor. The other cases are divided into one block per reader, and reader r reads the blocks r,
r + 1, ... in turn, so that all cases are read by the same number of readers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics.arrays import Floats, one_of
from analysis.statistics.estimate import Estimate
from analysis.statistics.ustat import ustatistics


@dataclass(frozen=True)
class Sharing:
    """Numbers of cases in the `pool`, the `anchor`, one `block`, and for one reader (`each`), half from each class."""

    readers: int
    read_by: int
    anchor: int
    block: int

    @property
    def pool(self) -> int:
        return self.anchor + self.readers * self.block

    @property
    def each(self) -> int:
        return self.anchor + self.read_by * self.block

    def read(self) -> NDArray[np.bool_]:
        """Return who reads what, readers x cases: first the anchor, then the blocks; classes alternate within each."""
        found = np.zeros((self.readers, self.pool), dtype=bool)
        found[:, : self.anchor] = True
        for reader in range(self.readers):
            for turn in range(self.read_by):
                start = self.anchor + (reader + turn) % self.readers * self.block
                found[reader, start : start + self.block] = True
        return found


def largest_pool(readers: int, cap: int, anchor: int, read_by: int = 2) -> Sharing:
    """The largest pool that `readers` can cover with at most `cap` cases each.

    `anchor`: cases that all readers read; `read_by`: minimum number of readers for each other case. Blocks have an even
    number of cases, half from each class. Raises ValueError if the numbers leave no block, or the anchor is odd.

    >>> largest_pool(readers=10, cap=100, anchor=20, read_by=2).pool
    420
    """
    if not 1 <= read_by <= readers:
        raise ValueError(f"read_by: expected 1 to {readers} readers, got {read_by}")
    if anchor < 4 or anchor % 2:
        raise ValueError(
            f"anchor: expected an even number of 4 or more (at least two cases of each class), got {anchor}"
        )
    block = (cap - anchor) // read_by // 2 * 2
    if block < 2:
        raise ValueError(f"cap: expected {anchor + 2 * read_by} cases or more for this anchor, got {cap}")
    return Sharing(readers, read_by, anchor, block)


def loss(
    sharing: Sharing,
    value: float,
    endpoint: str = "auc",
    *,
    model: RoeMetz | None = None,
    studies: int = 200,
    seed: int = 0,
) -> Estimate:
    """The loss of precision from sharing: the standard error relative to a crossed study, by simulation.

    The value is the standard deviation over `studies` of the readers' mean figure (U-statistics) with anchored blocks,
    divided by that of a study where all readers read the whole pool; its interval is the large-sample interval of a
    ratio of standard deviations. `anchored_sd` and `crossed_sd` are the two, `same_load_sd` that of a crossed study
    with the same number of readings per reader, whose pool has `sharing.each` cases. `coverage` is that of the anchored
    studies' 95 % intervals. Every study is drawn once and read in all three ways.

    >>> found = loss(largest_pool(readers=6, cap=40, anchor=8), 0.7, studies=40)
    >>> found.crossed_sd < found.anchored_sd, found.pool
    (True, 104)
    """
    one_of(endpoint, ("auc", "accuracy"), "endpoint")
    if studies < 4:
        raise ValueError(f"studies: expected 4 or more, got {studies}")
    model = model or RoeMetz()
    read, held, figures = sharing.read(), [], []
    true = model.five_level_auc(value) if endpoint == "auc" else value
    for number in range(studies):
        scores, truth = _drawn(model, np.random.default_rng([seed, number]), sharing, value, endpoint)
        whole, few = (ustatistics(one, truth[: one.shape[1]], endpoint=endpoint) for one in _ways(scores, sharing))
        anchored = ustatistics(np.where(read, scores, np.nan), truth, endpoint=endpoint)
        figures.append([one.value for one in (anchored, whole, few)])
        if anchored.ci:
            held.append(anchored.ci[0] <= true <= anchored.ci[1])
    sds = np.array(figures, dtype=float).std(axis=0, ddof=1).tolist()
    ratio = sds[0] / sds[1]
    # For two independent deviations; here they are drawn together, so the interval is rather too wide.
    half = 1.96 * math.sqrt(1 / (studies - 1))
    extra: dict[str, Any] = {"pool": sharing.pool, "each": sharing.each, "studies": studies, "seed": seed}
    extra |= dict(zip(("anchored_sd", "crossed_sd", "same_load_sd"), sds, strict=True))
    extra["coverage"] = float(np.mean(held)) if held else None
    name = f"simulation of {studies} studies: standard error, anchored over crossed"
    return Estimate(ratio, ci=(ratio * math.exp(-half), ratio * math.exp(half)), method=name, extra=extra)


def _drawn(
    model: RoeMetz, rng: np.random.Generator, sharing: Sharing, value: float, endpoint: str
) -> tuple[Floats, Floats]:
    """Draw a study of the whole pool with alternating classes, as levels or as credits."""
    scores, truth = model.draw(rng, value, sharing.readers, sharing.pool, endpoint)
    order = np.arange(sharing.pool).reshape(2, -1).T.ravel()
    scores, truth = scores[:, order], truth[order]
    levels = to_levels(scores) if endpoint == "auc" else ((scores > 0) == (truth == 1)).astype(float)
    return levels, truth


def _ways(scores: Floats, sharing: Sharing) -> tuple[Floats, Floats]:
    """Return the readings of the whole pool, and of the number of cases that each reader has."""
    return scores, scores[:, : sharing.each]
