"""Multiple testing: Holm's and Benjamini-Hochberg's adjustment within families that are declared beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Adjusted:
    """One test of a family of `tests`; if it has no p, its adjusted values are None too."""

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
    """Adjust the p values of each family by statsmodels; families do not affect each other.

    `families`: family -> test -> p. Holm (1979, Scand J Stat 6:65) bounds the chance of any false finding, Benjamini
    and Hochberg (1995, J R Stat Soc B 57:289) the expected share of false ones among the findings. A test with p None
    was not made and does not count towards the family. Raises ValueError for a p outside 0 to 1.

    >>> [round(row.holm, 3) for row in adjust({"realism": {"A": 0.128, "B": 0.236, "C": 1.0}})]
    [0.384, 0.472, 1.0]
    """
    from statsmodels.stats.multitest import multipletests

    rows: list[Adjusted] = []
    for family, tests in families.items():
        made = {name: p for name, p in tests.items() if p is not None}
        for name, p in made.items():
            if not 0 <= p <= 1:
                raise ValueError(f"{family}, {name}: expected a p from 0 to 1, got {p}")
        holm, hochberg = (
            dict(zip(made, multipletests(list(made.values()), method=method)[1].tolist(), strict=True)) if made else {}
            for method in ("holm", "fdr_bh")
        )
        rows += [
            Adjusted(family, name, p, holm.get(name), hochberg.get(name), tests=len(made)) for name, p in tests.items()
        ]
    return rows
