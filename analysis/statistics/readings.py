"""Readings for methods over readers and cases, and each reader's figure with its influence function.

Shapes: scores are readers x cases, or modalities x readers x cases, NaN = not read; truth has one value per case,
1 = synthetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.statistics.arrays import Floats, as_floats, as_truth, one_of
from analysis.statistics.estimate import Estimate
from analysis.statistics.roc import placements

ENDPOINTS = ("auc", "accuracy", "sensitivity", "specificity")
COVARIANCES = ("jackknife", "delong", "unbiased")
TOO_FEW = "there are fewer than two cases of a class with a score that counts"
ONE_READER = "there is only one reader, so the variation between readers is unknown"


@dataclass(frozen=True)
class Readings:
    """Checked scores (modalities x readers x cases) and the truth of each case, True = synthetic."""

    scores: Floats
    synthetic: NDArray[np.bool_]

    def only(self, readers: NDArray[np.bool_] | NDArray[np.intp]) -> Readings:
        """The same cases, some of the readers."""
        return Readings(self.scores[:, readers], self.synthetic)


@dataclass(frozen=True)
class Figures:
    """Each reader's figure and its dependence on each case.

    `value`: modalities x readers, NaN where undefined. `influence`: modalities x readers x cases, scaled so that the
    sum of products over cases is the covariance of two figures. `reasons`: why a reader's figure is undefined.
    """

    value: Floats
    influence: Floats
    reasons: dict[int, str]


def as_readings(scores: ArrayLike, truth: ArrayLike, endpoint: str = "auc") -> Readings:
    """Check scores and truth. Raises ValueError naming the problem.

    For all end points except the AUC, scores are credits: 1 = right, 0 = wrong, with fractions between.

    >>> as_readings([[1, 2, None, 5]], [0, 0, 1, 1]).scores.shape
    (1, 1, 4)
    """
    one_of(endpoint, ENDPOINTS, "endpoint")
    ndim = np.ndim(scores)
    if ndim not in (2, 3):
        raise ValueError(f"scores: expected readers x cases or modalities x readers x cases, got {ndim} dimension(s)")
    array = as_floats(scores, "scores", ndim)
    if endpoint != "auc" and ((array < 0) | (array > 1)).any():
        raise ValueError(f"scores: for {endpoint}, expected credits between 0 (wrong) and 1 (right)")
    array = array if ndim == 3 else array[None]
    return Readings(array, as_truth(truth, array.shape[2]))


def check_groups(groups: Sequence[str | None], readers: int) -> list[str | None]:
    """Return one label per reader, None if the reader is in no group. Raises ValueError for a wrong length.

    >>> check_groups(["EC", "EP", ""], readers=3)
    ['EC', 'EP', None]
    """
    labels = [None if label is None or label != label or label == "" else str(label) for label in groups]
    if len(labels) != readers:
        raise ValueError(f"groups: expected one label for each of the {readers} readers, got {len(labels)}")
    return labels


def two_groups(groups: Sequence[str | None], readers: int) -> tuple[list[str | None], list[str]]:
    """Return the labels from `check_groups` and the group names in order. Raises ValueError for more than two groups.

    >>> two_groups(["EP", "EC", "", "EP"], readers=4)
    (['EP', 'EC', None, 'EP'], ['EP', 'EC'])
    """
    labels = check_groups(groups, readers)
    named = list(dict.fromkeys(label for label in labels if label is not None))
    if len(named) > 2:
        raise ValueError(f"groups: expected two groups, got {len(named)}: {', '.join(named)}")
    return labels, named


def class_weights(readings: Readings, endpoint: str) -> tuple[float, float]:
    """The weights of the synthetic and the real cases in a mean of credits.

    >>> class_weights(as_readings([[1, 0, 1, 1]], [0, 1, 1, 1], "accuracy"), "accuracy")
    (0.75, 0.25)
    """
    share = float(readings.synthetic.mean()) if readings.synthetic.size else 0.0
    return {"sensitivity": (1.0, 0.0), "specificity": (0.0, 1.0)}.get(endpoint, (share, 1 - share))


def judged_enough(readings: Readings, endpoint: str = "auc") -> NDArray[np.bool_]:
    """Return who has a figure that varies with the cases (modalities x readers): two scores in each class that counts.

    For means of credits a class may be missing, but a single case of a class has no variance.

    >>> judged_enough(as_readings([[1, 3, 2, 5], [2, None, 4, 3]], [0, 0, 1, 1])).tolist()
    [[True, False]]
    """
    classes = {"sensitivity": (True,), "specificity": (False,)}.get(endpoint, (True, False))
    read = ~np.isnan(readings.scores)
    sizes = np.stack([(read & (readings.synthetic == side)).sum(axis=2) for side in classes])
    if endpoint == "auc":
        return np.asarray(sizes.min(axis=0) >= 2)
    return np.asarray(sizes.any(axis=0) & ~(sizes == 1).any(axis=0))


def figures(readings: Readings, endpoint: str = "auc", covariance: str = "delong") -> Figures:
    """Return every reader's figure with its influence function.

    AUC: the placements of DeLong, DeLong and Clarke-Pearson 1988 ("delong"), or the change when one case is left out,
    over all cases that any reader read ("jackknife", Quenouille and Tukey). Means of credits: the deviation from the
    class mean (cases are drawn within their class), for which both are equal.

    >>> found = figures(as_readings([[1, 3, 2, 5], [2, 1, 4, 3]], [0, 0, 1, 1]))
    >>> found.value.tolist(), (found.influence[0] @ found.influence[0].T).round(4).tolist()
    ([[0.75, 1.0]], [[0.125, 0.0], [0.0, 0.0]])
    """
    read = ~np.isnan(readings.scores)
    unique = max(int(read.any(axis=(0, 1)).sum()), 2)
    value = np.full(readings.scores.shape[:2], np.nan)
    influence = np.zeros(readings.scores.shape)
    reasons: dict[int, str] = {}
    classes = {"sensitivity": (True,), "specificity": (False,)}.get(endpoint, (True, False))
    counted = read & np.isin(readings.synthetic, classes)
    enough = judged_enough(readings, endpoint)
    for place in np.ndindex(value.shape):
        if not enough[place]:
            reasons[place[1]] = TOO_FEW
            continue
        members = [counted[place] & (readings.synthetic == side) for side in classes]
        sizes = [int(member.sum()) for member in members]
        scores = readings.scores[place]
        if endpoint == "auc":
            mask = counted[place]
            parts = placements(scores[mask], readings.synthetic[mask])
            value[place] = parts.synthetic.mean()
            for member, part, size in zip(members, parts, sizes, strict=True):
                scale = math.sqrt((unique - 1) / unique) / (size - 1)
                if covariance != "jackknife":
                    scale = 1 / math.sqrt(size * (size - 1))
                influence[place][member] = (part - value[place]) * scale
            continue
        value[place] = scores[counted[place]].mean()
        for member, size in zip(members, sizes, strict=True):
            if size:
                deviation = scores[member] - scores[member].mean()
                influence[place][member] = deviation * math.sqrt(size / (size - 1)) / sum(sizes)
    return Figures(value, influence, reasons)


def bare(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate nested in another: its numbers and its reason, without the shared counts.

    >>> bare(Estimate(0.7, 0.1, method="Obuchowski-Rockette", extra={"readers": 6}))
    {'value': 0.7, 'se': 0.1}
    """
    kept = ("value", "se", "ci", "p", "df", "reason")
    return {key: entry for key, entry in estimate.as_dict().items() if key in kept}
