"""Studies for a meta-analysis, from lines of a table and from results.json of Discern's reports, in one form."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.published import SCALES, Published, is_called, load
from analysis.responses import ResponsesError

POOLABLE = ("accuracy", "auc")
NORMAL = 1.959964
APART = "studies on different scales are not pooled"


@dataclass(frozen=True)
class Study:
    """One study: its mean on the scale, its logit with variance, and further facts.

    `effect` and `variance` are None if the study cannot be pooled, and `reason` says why. `counts` are tp, fn, tn, fp
    over all readers, if known.
    """

    name: str
    year: int | None
    modality: str
    kind: str
    readers: int | None
    real: int | None
    synthetic: int | None
    value: float | None
    effect: float | None = None
    variance: float | None = None
    variance_from: str = ""
    reason: str | None = None
    counts: tuple[float, float, float, float] | None = None
    own: bool = False


def from_table(path: Path, scale: str, rule: str, shipped: bool = False) -> list[Study]:
    """Return the studies in a table.

    Args:
        path: read by `analysis.published.load`. If `results` in a line names a report, relative to the table's folder,
            the figures come from there.
        scale: `accuracy` or `auc`.
        rule: for such reports, the rule for unsure answers in the accuracy.
        shipped: lines on another scale are kept with a reason; in your own table they are errors.

    Raises:
        ResponsesError: something cannot be read, or your own table has a study on another scale.
    """
    found, faults = [], []
    for one in load(path):
        if one.scale != scale and not shipped:
            faults.append(
                f"{path}, {one.study}: its scale is {one.scale} ({SCALES[one.scale]}), expected {scale}; {APART}"
            )
        elif one.results:
            try:
                study = from_results(path.parent / one.results, scale, rule)
            except ResponsesError as bad:
                faults += [f"{path}, {one.study}: {fault}" for fault in bad.faults]
                continue
            found.append(replace(study, name=one.study, year=one.year, modality=one.modality, kind=one.kind))
        else:
            found.append(_of_line(one, scale, own=not shipped))
    if faults:
        raise ResponsesError(faults)
    return found


def _of_line(one: Published, scale: str, own: bool) -> Study:
    figure = one.figure
    about = Study(
        one.study,
        one.year,
        one.modality,
        one.kind,
        one.readers,
        one.real,
        one.synthetic,
        figure,
        counts=_counts(one),
        own=own,
    )
    if one.scale != scale:
        return replace(about, value=None, counts=None, reason=f"another scale: {SCALES[one.scale]}")
    if figure is None:
        return replace(about, reason="it gives no figure")
    error, whence = _error(one, figure, scale)
    if error is None:
        return replace(about, reason="it gives no interval, spread over readers or numbers of answers")
    return _pooled(about, error, whence)


def _error(one: Published, figure: float, scale: str) -> tuple[float | None, str]:
    """Return the standard error of a published mean from the best available source, and the name of that source."""
    if one.low is not None and one.high is not None:
        return (one.high - one.low) / 2 / NORMAL, "interval"
    answers = math.sqrt(figure * (1 - figure) / one.asked) if one.asked and scale == "accuracy" else None
    spread = None
    if len(one.by_reader) > 1:
        squares = sum((value - figure) ** 2 for value in one.by_reader)
        spread = math.sqrt(squares / (len(one.by_reader) - 1) / len(one.by_reader))
    elif one.sd is not None and one.readers and one.readers > 1:
        spread = one.sd / math.sqrt(one.readers)
    if spread is not None:
        return max(spread, answers or 0.0), "spread over readers"
    return answers, "numbers of answers"


def _counts(one: Published) -> tuple[float, float, float, float] | None:
    if one.correct_synthetic is None or one.correct_real is None or one.asked is None:
        return None
    positive, negative = (one.readers or 0) * (one.synthetic or 0), (one.readers or 0) * (one.real or 0)
    right, kept = one.correct_synthetic, one.correct_real
    return float(right), float(positive - right), float(kept), float(negative - kept)


def from_results(path: Path, scale: str, rule: str) -> Study:
    """Return the study of a report.

    Args:
        path: results.json, or its folder.
        scale: `accuracy` or `auc`.
        rule: the rule for unsure answers in the accuracy and the counts.

    Raises:
        ResponsesError: not a results.json of format 1, not a rating study, or no figure with a standard error.
    """
    file = path / "results.json" if path.is_dir() else path
    try:
        results = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise ResponsesError([f"{file}: cannot be read as results.json ({fault})"]) from None
    if not isinstance(results, dict) or results.get("format") != 1 or "study" not in results:
        raise ResponsesError([f"{file}: is not the results.json of a Discern report (format 1)"])
    if results.get("design") != "rating":
        raise ResponsesError([f"{file}: its design is {results.get('design')}, expected rating; {APART}"])
    try:
        estimate = results["overall"]["auc"] if scale == "auc" else results["overall"]["accuracy"][rule]
        study = results["study"]
        year = int(str(study["last_answer"])[:4]) if study.get("last_answer") else None
        about = Study(
            study.get("title") or study.get("slug") or file.parent.name,
            year,
            "",
            "",
            study["readers"],
            study["real"],
            study["synthetic"],
            estimate["value"],
            counts=_own_counts(results["readers"], rule),
            own=True,
        )
    except (KeyError, TypeError, AttributeError) as fault:
        raise ResponsesError([f"{file}: lacks {fault}; expected results.json of a rating study"]) from None
    if estimate["value"] is None or not estimate.get("se"):
        why = estimate.get("reason") or "it has no standard error"
        raise ResponsesError([f"{file}: its {scale} cannot be pooled ({why})"])
    return _pooled(about, estimate["se"], "readers and cases")


def _own_counts(readers: dict[str, Any], rule: str) -> tuple[float, float, float, float]:
    """Return tp, fn, tn, fp over the readers, scored by the rule."""
    total = [0.0, 0.0, 0.0, 0.0]
    partial, unsure = (0.75 if rule == "fractional" else 1.0), {"wrong": 0.0, "excluded": None}.get(rule, 0.5)
    for reader in readers.values():
        given = reader["confusion"]
        for at, right, wrong, truth in ((0, "TP", "FN", "synthetic"), (2, "TN", "FP", "real")):
            credit = given[right]["full"] + partial * given[right]["partial"] + (1 - partial) * given[wrong]["partial"]
            loss = given[wrong]["full"] + partial * given[wrong]["partial"] + (1 - partial) * given[right]["partial"]
            if unsure is not None:
                credit, loss = credit + unsure * given["unsure"][truth], loss + (1 - unsure) * given["unsure"][truth]
            total[at] += credit
            total[at + 1] += loss
    return total[0], total[1], total[2], total[3]


def _pooled(study: Study, error: float, whence: str) -> Study:
    value = study.value
    if value is None or not 0 < value < 1:
        return replace(
            study, reason=f"a share of {value:g} has no logit" if value is not None else "it gives no figure"
        )
    slope = value * (1 - value)
    if error <= 0:
        return replace(study, reason="its readers do not differ, and the numbers of answers are unknown")
    return replace(study, effect=math.log(value / (1 - value)), variance=(error / slope) ** 2, variance_from=whence)


def together(studies: Sequence[Study]) -> list[Study]:
    """Return all studies, your own first; if a published study is also your own, the published line is left out.

    Raises:
        ResponsesError: two studies have the same name.
    """
    names = [one.name for one in studies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ResponsesError(f"{name!r}: two studies have this name; is one given twice?" for name in twice)
    own = [one.name for one in studies if one.own]
    studies = [
        replace(one, effect=None, variance=None, counts=None, reason="this is one of the studies given")
        if not one.own and any(is_called(one.name, title) for title in own)
        else one
        for one in studies
    ]
    return sorted(studies, key=lambda one: (not one.own, one.year or 0, one.name))
