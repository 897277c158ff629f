"""What gave it away: the marks of the readers, with any design.

No statistic is written here: `analysis.statistics` computes, this module asks and arranges.
"""

from __future__ import annotations

from collections.abc import Mapping
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

LEAST = 5  # marks of a case before its peak is held against its faults


def measure(responses: Responses, given: Marks, seed: int = 0) -> dict[str, Any]:
    """`marks` of results.json: reasons, cases, agreement on places and, where faults are known, how many were found.

    Args:
        responses: the study's answers.
        given: the marks of its scored trials.
        seed: of the permutations.
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
        found |= _localised(responses, given, reader, case, seed)
    return found


def _reasons(table: pd.DataFrame) -> Mapping[str, int]:
    """How often each reason was given, the commonest first."""
    counts = table["reason"].value_counts()
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0]))))


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
    """The share of each reason among all marks, and by class, source, group and rightness; clustered."""
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
            else undefined("no answer to these images is right or wrong")
        )
    family = {reason: one["right"].p for reason, one in by.items()}
    for row in multiplicity.adjust({"reasons": family}):
        by[row.name]["right"].extra["holm"] = row.holm
    return by


def _cases(responses: Responses, given: Marks, dice: Mapping[int, float]) -> dict[str, Any]:
    """Every marked case, that which most readers marked first."""
    asked = given.steps[given.steps["case"] != ""].groupby("case")
    nothing = asked["outcome"].agg(lambda own: int((own == "nothing").sum())).to_dict() if len(given.steps) else {}
    order = {name: number for number, name in enumerate(responses.case_names)}
    found = {}
    for name, own in given.table.groupby("case"):
        place = own[["x", "y"]].to_numpy(dtype=float)
        at = places.peak(place, given.aspect)
        found[str(name)] = {
            "truth": "synthetic" if own["truth"].iloc[0] == 1 else "real",
            "source": own["source"].iloc[0],
            "n": len(own),
            "readers": int(own["reader"].nunique()),
            "nothing": nothing.get(name, 0),
            "spread": places.spread(place, given.aspect),
            "peak": {"x": at[0], "y": at[1]},
            "dice": dice.get(order.get(str(name), -1)),
            "reasons": {reason: int(n) for reason, n in _reasons(own).items()},
        }
    ranked = sorted(found, key=lambda name: (-found[name]["readers"], -found[name]["n"], natural(name)))
    return {name: found[name] for name in ranked}


def _localised(
    responses: Responses, given: Marks, reader: NDArray[np.intp], case: NDArray[np.intp], seed: int
) -> dict[str, Any]:
    """How well known faults were found: AFROC area, shares, marks elsewhere, by kind, and what chance would give."""
    assert given.faults is not None
    names = responses.case_names
    faults = given.faults[given.faults["case"].isin(names)]
    truth = responses.truth
    if faults.empty or not (truth == 0).any():
        reason = "no case that was asked has known faults" if faults.empty else "there is no real image to compare with"
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
        | {"chance": localisation.by_chance(searched, seed=seed) if len(columns) else None}
        | {"peaks": _peaks(given, faults)},
        "faults": [dict(zip(faults.columns, row, strict=True)) for row in faults.itertuples(index=False)],
    }


def _judged(responses: Responses, given: Marks) -> NDArray[np.float64]:
    """Who judged which image, readers x cases; where the marking step was skipped nobody knows what a reader saw."""
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


def _peaks(given: Marks, faults: pd.DataFrame) -> Estimate:
    """Of the cases with known faults and at least LEAST marks, the share whose density peaks within a fault."""
    from analysis.statistics.proportions import interval

    hits = total = 0
    of = faults.groupby("case")
    for name, own in given.table.groupby("case"):
        if name not in of.groups or len(own) < LEAST:
            continue
        total += 1
        x, y = places.peak(own[["x", "y"]].to_numpy(dtype=float), given.aspect)
        rows = [[0, *row[1:]] for row in of.get_group(name)[list(localisation.FAULTS)].to_numpy().tolist()]
        hits += bool(np.isfinite(localisation.search([[0, 0, x, y]], rows, [1], aspect=given.aspect).found).any())
    return interval(hits, total) if total else undefined(f"no case with known faults has {LEAST} marks")


def _numbers(names: pd.Series, known: list[str]) -> NDArray[np.intp]:
    place = {name: number for number, name in enumerate(known)}
    return names.map(place).to_numpy(dtype=np.intp)
