"""The trials of a quartet study in the form that the measures use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.responses import Responses, natural

if TYPE_CHECKING:
    import pandas as pd

REAL, UNNAMED, NAMED_REAL = "real", "not stated", "source named real"
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Trials:
    """The scored trials of a study.

    `images`: one row per image of a trial: the response rows with `source` ("real" for real images) and `label`, the
    image's number in its quartet, 0 = the real one; `table`: one row per trial with reader, quartet, position, late,
    response_ms, real_place and chosen (a label), chosen_place, chosen_source, correct (NaN where nothing was chosen).
    """

    images: pd.DataFrame
    table: pd.DataFrame
    readers: list[str]
    quartets: list[str]
    alternatives: int

    @cached_property
    def sources(self) -> list[str]:
        """Return the name of the real images, then the sources of the synthetic ones, sorted by name."""
        return [REAL, *sorted(set(self.images["source"]) - {REAL}, key=natural)]

    @cached_property
    def correct(self) -> Numbers:
        """Return 1 if the real image was found, 0 if not: readers x quartets, NaN where not answered."""
        return self.matrix("correct")

    def matrix(self, column: str) -> Numbers:
        """Return `column` of the trials as readers x quartets, NaN where there is no value."""
        return _crossed(self.table, column, "quartet", self.readers, self.quartets)

    def ratings(self) -> Numbers:
        """Return realism as images x readers, NaN where not rated."""
        cases = sorted(self.images["case"].unique(), key=natural)
        return _crossed(self.images, "realism", "case", self.readers, cases).T


def trials(responses: Responses) -> Trials:
    """Return the scored trials: no practice, no repeats, and only the latest sitting of a reader who restarted."""
    return _trials(responses, responses.scored)


def repeated(responses: Responses) -> Trials:
    """Return the trials that were shown to a reader a second time."""
    rows = responses.table
    return _trials(responses, rows[rows["is_repeat"] & ~rows["is_training"] & ~rows["superseded"]])


def _trials(responses: Responses, rows: pd.DataFrame) -> Trials:
    import pandas as pd

    source = rows["source"].astype(str).replace("", UNNAMED)
    source = source.where(source != REAL, NAMED_REAL).where(rows["truth"] == 1, REAL)
    rows = rows.assign(source=source)
    first = rows.drop_duplicates(["quartet", "case"]).sort_values(["quartet", "truth", "source", "case"], kind="stable")
    label = dict(zip(first["case"] + "\n" + first["quartet"], first.groupby("quartet").cumcount(), strict=True))
    rows = rows.assign(label=[label[name] for name in rows["case"] + "\n" + rows["quartet"]])
    key = ["reader", "trial"]
    table = rows.drop_duplicates(key).set_index(key)[["quartet", "position", "late", "response_ms"]]
    table = table.assign(real_place=rows[rows["truth"] == 0].set_index(key)["place"])
    chosen = rows[rows["chosen"] == 1].set_index(key)
    table = table.assign(
        chosen=chosen["label"].astype(float), chosen_place=chosen["place"], chosen_source=chosen["source"]
    )
    correct = (table["chosen"] == 0).astype(float).where(table["chosen"].notna())
    table = table.assign(correct=correct, response_ms=pd.to_numeric(table["response_ms"])).reset_index()
    quartets = sorted(table["quartet"].unique(), key=natural)
    size = int(rows.groupby(key).size().iloc[0]) if len(rows) else 0
    return Trials(rows, table, responses.readers, quartets, size)


def _crossed(rows: pd.DataFrame, column: str, by: str, readers: list[str], names: list[str]) -> Numbers:
    matrix = np.full((len(readers), len(names)), np.nan)
    places: list[dict[str, Any]] = [{name: i for i, name in enumerate(side)} for side in (readers, names)]
    matrix[rows["reader"].map(places[0]), rows[by].map(places[1])] = rows[column].astype(float)
    return matrix
