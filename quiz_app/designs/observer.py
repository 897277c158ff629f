"""A simulated observer, by signal detection theory (Macmillan and Creelman, Detection Theory, 2005, chapters 1 and 3).

A reader's evidence for a case is normal with standard deviation 1 around +d'/2 when it is synthetic and -d'/2 when it
is real, shifted by how odd this case looks to everybody; the answer is where it falls among the reader's thresholds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

PAUSES = 0.01  # share of the answers after which a reader asks for a pause
ODDITY = 0.5  # standard deviation of what all readers see in a case beyond its class


@dataclass(frozen=True)
class Observer:
    """How one simulated reader judges: sensitivity, bias and the widths of certainty, in units of the evidence's sd."""

    seed: int
    number: int
    dprime: float
    criterion: float
    narrow: float  # "unsure" within so much of the criterion
    wide: float  # "partially certain" within so much of it

    @classmethod
    def drawn(cls, seed: int, number: int) -> Observer:
        """The observer with this number: the same seed always gives the same one."""
        rng = np.random.default_rng([seed, number])
        narrow = rng.uniform(0.05, 0.35)
        return cls(
            seed,
            number,
            dprime=max(0.0, rng.normal(1.2, 0.4)),
            criterion=rng.normal(0.0, 0.3),
            narrow=narrow,
            wide=narrow + rng.uniform(0.5, 1.2),
        )

    def judge(self, case: str, truth: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """What this observer says of `case`: one of 2, 4 or 5 `choices` (in the order of the levels), the time it
        takes in ms, and whether a pause is asked for. It depends on nothing but the seed, the observer and the case."""
        name = int.from_bytes(hashlib.sha256(case.encode()).digest()[:8], "big")
        own = np.random.default_rng([self.seed, self.number, name])
        oddity = np.random.default_rng([self.seed, name]).normal(0, ODDITY)
        evidence = own.normal((self.dprime if truth == "synthetic" else -self.dprime) / 2) + oddity
        inner = [-self.narrow, self.narrow] if len(choices) == 5 else [0.0]
        bounds = [-self.wide, *inner, self.wide] if len(choices) > 2 else inner
        thresholds = self.criterion + np.array(bounds)
        # The closer to the criterion, the longer it takes; times are skewed as people's are.
        seconds = 6 * np.exp(own.normal(0, 0.3)) / (1 + abs(evidence - self.criterion))
        return {
            **choices[int(np.searchsorted(thresholds, evidence))],
            "client_ms": round(1000 * seconds),
            "pause": bool(own.random() < PAUSES),
        }
