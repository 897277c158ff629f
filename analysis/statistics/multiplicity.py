"""Several p-values at once: Holm's and Benjamini-Hochberg's adjustment within families that are declared beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Adjusted:
    """One test of a family of `tests`; where the test had no p, its adjusted ones are None too."""

    family: str
    name: str
    p: float | None
    holm: float | None
    benjamini_hochberg: float | None
    tests: int

    def as_dict(self) -> dict[str, Any]:
        """A plain mapping for tables and results.json."""
        return asdict(self)


def adjust(families: Mapping[str, Mapping[str, float | None]]) -> list[Adjusted]:
    """Adjust the p-values of each family; families do not touch each other.

    `families`: family -> test -> p. Holm (1979, Scand J Stat 6:65) bounds the chance of any false finding, Benjamini
    and Hochberg (1995, J R Stat Soc B 57:289) the expected share of false ones among the findings. A test whose p is
    None was not made: it does not count towards the family. Raises ValueError for a p outside 0 to 1.

    >>> [round(row.holm, 3) for row in adjust({"realism": {"A": 0.128, "B": 0.236, "C": 1.0}})]
    [0.384, 0.472, 1.0]
    """
    rows: list[Adjusted] = []
    for family, tests in families.items():
        made = {name: p for name, p in tests.items() if p is not None}
        for name, p in made.items():
            if not 0 <= p <= 1:
                raise ValueError(f"{family}, {name}: expected a p from 0 to 1, got {p}")
        holm, hochberg = _holm(list(made.values())), _benjamini_hochberg(list(made.values()))
        places = {name: place for place, name in enumerate(made)}
        for name in tests:
            place = places.get(name)
            both = (None, None) if place is None else (holm[place], hochberg[place])
            rows.append(Adjusted(family, name, made.get(name), both[0], both[1], tests=len(made)))
    return rows


def _holm(p_values: list[float]) -> list[float]:
    order = np.argsort(p_values)
    steps = np.sort(p_values) * np.arange(len(p_values), 0, -1)
    return _in_place(np.minimum(1, np.maximum.accumulate(steps)), order)


def _benjamini_hochberg(p_values: list[float]) -> list[float]:
    order = np.argsort(p_values)
    steps = np.sort(p_values) * len(p_values) / np.arange(1, len(p_values) + 1)
    return _in_place(np.minimum(1, np.minimum.accumulate(steps[::-1])[::-1]), order)


def _in_place(steps: NDArray[np.float64], order: NDArray[np.intp]) -> list[float]:
    """Bring figures of the sorted tests back to where the tests stood."""
    adjusted = np.empty_like(steps)
    adjusted[order] = steps
    return [float(p) for p in adjusted]
