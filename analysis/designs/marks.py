"""Measures of the readers' marks (what gave an image away), for any design.

The statistics are in `analysis.statistics`; this module calls them and arranges the results.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.responses import Responses, natural
from analysis.responses.checks import ROWS
from analysis.responses.marks import OUTCOMES, Marks
from analysis.statistics import clusters, localisation, multiplicity, places
from analysis.statistics.estimate import Estimate, undefined

if TYPE_CHECKING:
    import pandas as pd

LEAST = 5  # a case needs this many marks before its peak is compared with its faults


def measure(responses: Responses, given: Marks, seed: int = 0) -> dict[str, Any]:
    """`marks` for results.json: reasons, cases, agreement on places and, if faults are known, how many were found.

    Args:
        responses: the study's answers.
        given: the marks of the scored trials.
        seed: seed of the permutations.
    """
    table = given.table
    reader = _numbers(table["reader"], responses.readers)
    case = _numbers(table["case"], responses.case_names)
    place = table[["x", "y"]].to_numpy(dtype=float)
    overlap = places.overlap(reader, case, place, given.aspect, seed=seed)
    dice = overlap.extra.pop("cases", {})
    outcomes = given.steps["outcome"].value_counts()
    settings = responses.study.get("settings") or {}
    found: dict[str, Any] = {
        "n": len(table),
        "steps": {outcome: int(outcomes.get(outcome, 0)) for outcome in OUTCOMES},
        "marks_for": settings.get("marks_for"),
        "most": settings.get("marks_most"),
        "aspect": given.aspect,
        "known_size": given.known_size,
        "kernel": places.KERNEL,
        "readers": _readers(responses, given),
        "reasons": {reason: int(n) for reason, n in _reasons(table).items()},
        "shares": _shares(table, reader, case),
        "cases": _cases(responses, given, dice),
        "agreement": {
            "nearest": places.nearest(reader, case, place, given.aspect, seed=seed),
            "dice": overlap,
        },
    }
    if given.faults is not None:
        found |= _localised(responses, given, reader, case, found["cases"], seed)
    return found


def _reasons(table: pd.DataFrame) -> Mapping[str, int]:
    """Count how often each reason was given, most common first."""
    return _counted(table["reason"].tolist())


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items(), key=lambda pair: (-pair[1], pair[0])))


def _readers(responses: Responses, given: Marks) -> dict[str, Any]:
    marks, steps = given.table.groupby("reader"), given.steps.groupby("reader")
    found = {}
    for name in responses.readers:
        own = marks.get_group(name) if name in marks.groups else given.table.iloc[:0]
        outcomes = (steps.get_group(name) if name in steps.groups else given.steps.iloc[:0])["outcome"].value_counts()
        found[name] = {
            "group": responses.groups[name],
            "n": len(own),
            "cases": int(own["case"].nunique()),
            **{outcome: int(outcomes.get(outcome, 0)) for outcome in OUTCOMES},
            "reason": next(iter(_reasons(own)), None),
        }
    return found


def _shares(table: pd.DataFrame, reader: NDArray[np.intp], case: NDArray[np.intp]) -> dict[str, Any]:
    """The share of each reason among all marks, and by class, source, group and correctness, with clustered errors."""
    said = table["answer"].isin(["real", "synthetic"]).to_numpy()
    right = said & (table["answer"] == np.where(table["truth"] == 1, "synthetic", "real")).to_numpy()
    sides = {
        "truth": np.where(table["truth"] == 1, "synthetic", "real"),
        "source": table["source"].to_numpy(),
        "group": table["group"].to_numpy(),
        "rightness": np.where(right, "right", np.where(said, "wrong", "")),
    }
    by: dict[str, Any] = {}
    for reason in _reasons(table):
        flags = (table["reason"] == reason).to_numpy()
        by[reason] = {"all": clusters.share(flags, reader, case)}
        for name, labels in sides.items():
            kinds = [label for label in dict.fromkeys(sorted(map(str, labels))) if label]
            by[reason][f"by_{name}"] = {
                label: clusters.share(flags[labels == label], reader[labels == label], case[labels == label])
                for label in kinds
                if len(kinds) > 1 or name == "rightness"
            }
        by[reason]["when_given"] = clusters.share(right[flags & said], reader[flags & said], case[flags & said])
        by[reason]["right"] = (
            clusters.difference(right[said], flags[said], reader[said], case[said])
            if said.any()
            else undefined("answers to these images cannot be right or wrong")
        )
    family = {reason: one["right"].p for reason, one in by.items()}
    for row in multiplicity.adjust({"reasons": family}):
        by[row.name]["right"].extra["holm"] = row.holm
    return by


def _cases(responses: Responses, given: Marks, dice: Mapping[int, float]) -> dict[str, Any]:
    """List every marked case, starting with the one that most readers marked."""
    nothing = Counter(step.case for step in given.steps.itertuples() if step.outcome == "nothing")
    order = {name: number for number, name in enumerate(responses.case_names)}
    own: dict[str, list[Any]] = defaultdict(list)
    for mark in given.table.itertuples():
        own[mark.case].append(mark)
    found = {}
    for name, marks in own.items():
        place = np.array([(mark.x, mark.y) for mark in marks])
        at = places.peak(place, given.aspect)
        found[name] = {
            "truth": "synthetic" if marks[0].truth == 1 else "real",
            "source": marks[0].source,
            "n": len(marks),
            "readers": len({mark.reader for mark in marks}),
            "nothing": nothing.get(name, 0),
            "spread": places.spread(place, given.aspect),
            "peak": {"x": at[0], "y": at[1]},
            "dice": dice.get(order.get(name, -1)),
            "reasons": _counted(mark.reason for mark in marks),
        }
    ranked = sorted(found, key=lambda name: (-found[name]["readers"], -found[name]["n"], natural(name)))
    return {name: found[name] for name in ranked}


def _localised(
    responses: Responses,
    given: Marks,
    reader: NDArray[np.intp],
    case: NDArray[np.intp],
    cases: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Measure how well known faults were found: AFROC area, shares, marks elsewhere, by kind, and by chance."""
    assert given.faults is not None
    names = responses.case_names
    faults = given.faults[given.faults["case"].isin(names)]
    truth = responses.truth
    if faults.empty or not (truth == 0).any():
        reason = (
            "readers were asked about no case with known faults"
            if faults.empty
            else "there is no real image to compare with"
        )
        return {"jafroc": undefined(reason, localisation.AFROC)}
    columns = given.table
    marks = {"reader": reader, "case": case, **{name: columns[name] for name in ("x", "y", "rating", "level")}}
    known = {"case": _numbers(faults["case"], names), **{n: faults[n] for n in ("x", "y", "rx", "ry", "angle")}}
    searched = localisation.search(
        marks, known, truth, readers=len(responses.readers), read=_judged(responses, given), aspect=given.aspect
    )
    kinds = {kind: (faults["kind"] == kind).to_numpy() for kind in sorted(faults["kind"].unique())}
    area = localisation.area(searched)
    area.extra["each"] = dict(zip(responses.readers, area.extra.get("each", []), strict=False))
    rates = localisation.rates(searched, kinds)
    for of_kind in rates["kinds"].values():
        of_kind.extra.update(chances=int(of_kind.extra["whole"]), found=int(of_kind.extra["part"]))
    for estimate in (rates["faults"], rates["elsewhere_real"], rates["elsewhere_synthetic"], *rates["kinds"].values()):
        estimate.extra["each"] = dict(zip(responses.readers, estimate.extra.get("each", []), strict=False))
    return {
        "jafroc": area,
        "localisation": rates
        | {"chance": localisation.by_chance(searched, 99, seed) if len(columns) else None}
        | {"peaks": _peaks(given, faults, cases)},
        "faults": [dict(zip(faults.columns, row, strict=True)) for row in faults.itertuples(index=False)],
    }


def _judged(responses: Responses, given: Marks) -> NDArray[np.float64]:
    """Who judged which image, readers x cases; skipped marking steps do not count, as what was seen is unknown."""
    read = ~np.isnan(responses.matrix(ROWS[responses.design].said))
    row = {name: number for number, name in enumerate(responses.readers)}
    column = {name: number for number, name in enumerate(responses.case_names)}
    skipped = given.steps[given.steps["outcome"] == "skipped"]
    whole = responses.scored.groupby(["reader", "trial"])["case"].unique()
    for step in skipped.itertuples():
        cases = [step.case] if step.case else whole.get((step.reader, step.trial), [])
        for name in cases:
            if name in column:
                read[row[step.reader], column[name]] = False
    return read.astype(float)


def _peaks(given: Marks, faults: pd.DataFrame, cases: Mapping[str, Any]) -> Estimate:
    """The share of cases with known faults and at least LEAST marks where the marks are densest within a fault."""
    from analysis.statistics.proportions import interval

    names = [name for name in faults["case"].unique() if name in cases and cases[name]["n"] >= LEAST]
    if not names:
        return undefined(f"no case with known faults has at least {LEAST} marks")
    own = faults[faults["case"].isin(names)]
    peaks = [[0, number, *cases[name]["peak"].values()] for number, name in enumerate(names)]
    known = {"case": _numbers(own["case"], names), **{name: own[name] for name in localisation.FAULTS[1:]}}
    within = localisation.search(peaks, known, np.ones(len(names)), aspect=given.aspect)
    return interval(int((~within.wide).sum()), len(names))


def _numbers(names: pd.Series, known: list[str]) -> NDArray[np.intp]:
    place = {name: number for number, name in enumerate(known)}
    return names.map(place).to_numpy(dtype=np.intp)
