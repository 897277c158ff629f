"""The answers of a staircase study in the form that the measures use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.responses import Responses
from analysis.statistics.scoring import UNSURE

if TYPE_CHECKING:
    import pandas as pd

CLASSES = {"real": 0, "synthetic": 1}
GUESS = 0.5  # the share of correct answers by guessing
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """The scored answers of a study.

    `table`: one row per answer that decides, with reader, case, truth, position, block (its staircase), exposure_ms
    (NaN = not measured) and correct (1 or 0); `correct`: readers x cases, NaN where there is none; `unsure`: the number
    of unsure answers, which are left out.
    """

    table: pd.DataFrame
    correct: Numbers
    truth: NDArray[np.int_]
    readers: list[str]
    unsure: int

    @cached_property
    def measured(self) -> pd.DataFrame:
        """Return the answers with a known exposure."""
        return self.table[self.table["exposure_ms"].notna()]

    def of(self, reader: str) -> pd.DataFrame:
        """Return the answers of one reader with a known exposure, in order."""
        return self.measured[self.measured["reader"] == reader].sort_values("position", kind="stable")


def answers(responses: Responses) -> Answers:
    """Return the scored answers: no practice, no repeats, and only the latest sitting of a reader who restarted."""
    rows = responses.scored
    given = rows[rows["level"].notna()]
    decided = given[given["level"] != UNSURE]
    right = ((decided["level"] > UNSURE) == (decided["truth"] == 1)).astype(float)
    levels = responses.matrix("level")
    correct = ((levels > UNSURE) == (responses.truth == 1)).astype(float)
    correct[np.isnan(levels) | (levels == UNSURE)] = np.nan
    return Answers(
        decided.assign(correct=right), correct, responses.truth, responses.readers, len(given) - len(decided)
    )
