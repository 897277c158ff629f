"""The trials of a comparison study in the form that the measures use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.designs.common import usual_lines
from analysis.responses import Responses, natural
from analysis.responses.comparisons import KINDS, REFERENCE

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Trials:
    """The scored trials of a study.

    `answers`: one row per image and criterion, with `item`, `source`, `kind` and `score`; `table`: one row per trial
    with reader, item, position, late, response_ms and `answered`. Methods, items and readers are sorted by name.
    `points`: the number of points of each criterion that is a scale, if the study's settings are known.
    """

    answers: pd.DataFrame
    table: pd.DataFrame
    readers: list[str]
    items: list[str]
    methods: list[str]
    reference: bool
    points: dict[str, int]

    @cached_property
    def criteria(self) -> dict[str, str]:
        """Return the kind of each criterion by name, in the order in which they were asked."""
        said = self.answers[self.answers["kind"] != ""]
        return dict(zip(said["criterion"], said["kind"], strict=True))

    def scores(self, criterion: str) -> Numbers:
        """Return the scores for a criterion as readers x items x methods, NaN where there is none."""
        own = self.answers[self.answers["criterion"] == criterion]
        found = np.full((len(self.readers), len(self.items), len(self.methods)), np.nan)
        sides = [(own["reader"], self.readers), (own["item"], self.items), (own["source"], self.methods)]
        found[tuple(column.map({name: i for i, name in enumerate(names)}) for column, names in sides)] = own["score"]
        return found

    def mirrored(self, criterion: str) -> bool:
        """Return whether the answer to one image determines the other's: one of two is better, or one is chosen."""
        if len(self.methods) != 2:
            return False
        kind = self.criteria[criterion]
        return kind == "choice" or (kind == "better" and not self.reference)

    def words(self, criterion: str) -> list[tuple[str, float]]:
        """Return the answers of a criterion with their scores, lowest first."""
        kind = self.criteria[criterion]
        if kind in KINDS:
            return sorted(((word, float(score)) for word, score in KINDS[kind].items()), key=lambda pair: pair[1])
        said = self.answers.loc[self.answers["criterion"] == criterion, "score"].dropna()
        every = set(range(1, self.points.get(criterion, 0) + 1)) | set(said.astype(int))
        return [(str(point), float(point)) for point in sorted(every)]


def alone_ahead(scores: Numbers) -> NDArray[np.bool_]:
    """Return which method, if any, was ahead of all others: answers x methods; `scores` has methods on its last axis.

    Each answer of one reader to one case is a row; rows with a missing score are left out.
    """
    own = scores.reshape(-1, scores.shape[-1])
    own = own[~np.isnan(own).any(axis=1)]
    best = own == own.max(axis=1, keepdims=True, initial=-np.inf)
    return best & (best.sum(axis=1, keepdims=True) == 1)


def trials(responses: Responses) -> Trials:
    """Return the scored trials: no practice, no repeats, and only the latest sitting of a reader who restarted."""
    return _trials(responses, responses.scored)


def repeated(responses: Responses) -> Trials:
    """Return the trials that were shown to a reader a second time."""
    rows = responses.table
    return _trials(responses, rows[rows["is_repeat"] & ~rows["is_training"] & ~rows["superseded"]])


def _trials(responses: Responses, rows: pd.DataFrame) -> Trials:
    import pandas as pd

    key = ["reader", "trial"]
    table = rows.drop_duplicates(key).set_index(key)[["item", "position", "late", "response_ms"]]
    table = table.assign(answered=rows["score"].notna().groupby([rows[name] for name in key]).any())
    table = table.assign(response_ms=pd.to_numeric(table["response_ms"])).reset_index()
    judged = rows[rows["source"] != REFERENCE]
    methods = sorted(set(responses.table["source"]) - {REFERENCE}, key=natural)
    items = sorted(table["item"].unique(), key=natural)
    shown = bool((responses.table["source"] == REFERENCE).any())
    return Trials(judged, table, responses.readers, items, methods, shown, points(responses))


def points(responses: Responses) -> dict[str, int]:
    """Return the number of points of each criterion that is a scale, from the study's settings."""
    lines = usual_lines(responses.study, "criteria") or []
    found = (re.match(r"([^:]+): *scale (\d+):", line) for line in lines)
    return {match[1].strip(): int(match[2]) for match in found if match}
