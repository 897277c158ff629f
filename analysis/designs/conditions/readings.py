"""The answers of a study with conditions as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.responses import Responses


@dataclass(frozen=True)
class Readings:
    """`levels` and `period`: conditions x readers x cases, NaN = not read; `truth`: one per case, 1 = synthetic."""

    names: list[str]
    readers: list[str]
    groups: list[str]
    cases: list[str]
    levels: NDArray[np.float64]
    period: NDArray[np.float64]
    truth: NDArray[np.int_]

    @property
    def read(self) -> NDArray[np.bool_]:
        """Return which readers answered anything under each condition: conditions x readers."""
        return np.asarray((~np.isnan(self.levels)).any(axis=2))

    @property
    def within(self) -> bool:
        """Return whether readers read under more than one condition."""
        return bool((self.read.sum(axis=0) > 1).any())

    def turned(self, earlier: int, later: int) -> NDArray[np.bool_]:
        """Return which readers read under the condition `later` before `earlier`."""
        first = [np.nanmin(np.where(self.read[m][:, None], self.period[m], np.inf), axis=1) for m in (earlier, later)]
        return np.asarray(first[1] < first[0])


def readings_of(responses: Responses, names: list[str]) -> Readings:
    """Return the scored answers of a rating study under these conditions."""
    rows, readers, cases = responses.scored, responses.readers, responses.case_names
    at = tuple(
        rows[column].map({name: i for i, name in enumerate(order)}).to_numpy()
        for column, order in (("condition", names), ("reader", readers), ("case", cases))
    )
    shape = len(names), len(readers), len(cases)
    levels, period = np.full(shape, np.nan), np.full(shape, np.nan)
    levels[at], period[at] = rows["level"].astype(float), rows["period"].astype(float)
    groups = [responses.groups[name] for name in readers]
    return Readings(names, readers, groups, cases, levels, period, responses.truth)
