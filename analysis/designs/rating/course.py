"""The course of a study, for `designs.measure`: reading order, times, repeats, the mixed model, the cases."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.designs.rating.reader import CLASSES, Levels, Truth
from analysis.responses import Responses
from analysis.statistics import cases as case_room
from analysis.statistics import consistency, mixed, rasch, scoring, timing

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PARTS = 8
SHOWN = 4  # images on the plates of the most and the least convincing synthetic images


def order(responses: Responses, lead: str) -> dict[str, Any]:
    """Return accuracy along the reading order, balanced over truth; empty if positions are not known.

    `breaks` are the positions after which the study offered a break.
    """
    rows, every = _scored(responses)
    if rows["position"].isna().all():
        return {"stretches": [], "breaks": [], "effects": {}}
    last = int(rows["position"].max())
    stretches = timing.over_position(rows, PARTS, lead)
    effects = timing.accuracy_effects(rows, lead)
    if not responses_have_times(responses):
        effects.pop("per_doubling_of_time")
        for stretch in stretches:
            stretch.pop("median_ms")
    return {
        "stretches": stretches,
        "breaks": list(range(every, last, every)) if every else [],
        "effects": effects,
    }


def times(responses: Responses, lead: str) -> dict[str, Any]:
    """Response times by answer, truth and correctness, late answers, and use of the viewer; empty without times."""
    if not responses_have_times(responses):
        return {}
    rows, _ = _scored(responses)
    effects, spread = timing.mixed_model(rows)
    return {
        "medians": timing.medians(rows),
        "quantiles": _quantiles(rows),
        "late": timing.late_shares(rows),
        "ratios": timing.time_effects(rows),
        "model": {"ratios": effects, "spread": spread},
        "speed_accuracy": timing.speed_accuracy(rows, rule=lead),
        "viewer": timing.viewer_use(rows),
        "left_out": timing.trials(rows).left_out,
    }


def responses_have_times(responses: Responses) -> bool:
    """Return whether any scored answer has a response time."""
    return bool(responses.scored["response_ms"].notna().any())


def repeats(responses: Responses) -> dict[str, Any]:
    """Return intra-reader agreement on the cases shown twice; readers without repeats are left out."""
    table = responses.table
    again = table[table["is_repeat"] & ~table["is_training"] & ~table["superseded"]]
    both = again.merge(responses.scored[["reader", "case", "level"]], on=["reader", "case"], how="left")
    return {
        str(name): consistency.intra_reader(pairs["level_y"].to_numpy(), pairs["level_x"].to_numpy())
        for name, pairs in both.groupby("reader", sort=False)
    }


def model(responses: Responses) -> dict[str, Any]:
    """Model the odds of a correct answer by truth, certainty, position and group, without unsure answers."""
    rows = responses.scored
    rows = rows[rows["level"].notna() & (rows["level"] != scoring.UNSURE)]
    fixed: dict[str, Any] = {
        "synthetic case": rows["truth"].to_numpy(),
        "fully certain": rows["level"].isin([1, 5]).astype(int).to_numpy(),
    }
    if rows["position"].notna().all() and len(rows):
        fixed["per hundred positions"] = (rows["position"] / 100).to_numpy()
    if rows["reader_group"].nunique() > 1:
        fixed["group"] = rows["reader_group"].replace("", None).to_numpy()
    right = ((rows["level"] > scoring.UNSURE) == (rows["truth"] == 1)).astype(int).to_numpy()
    random = {"reader": rows["reader"].to_numpy(), "case": rows["case"].to_numpy()}
    fitted = mixed.logistic(right, fixed, random).as_dict()
    base = min((group for group in rows["reader_group"] if group), default="")
    ratios = {
        _effect(name, base): {
            "value": one.get("odds_ratio"),
            "ci": one.get("odds_ratio_ci"),
            "p": one.get("p"),
            "reason": one.get("reason"),
        }
        for name, one in fitted["fixed"].items()
        if name != "intercept"
    }
    return fitted | {"odds_ratios": ratios}


def _effect(name: str, base: str) -> str:
    """Return a readable name of a coefficient: `group[EP]` is the group EP, against the first in order."""
    return (
        f"group {name.removeprefix('group[').removesuffix(']')}, against {base}" if name.startswith("group[") else name
    )


def cases(responses: Responses, levels: Levels, truth: Truth) -> dict[str, Any]:
    """List every case: its answers by reader, the majority, its difficulty on the Rasch scale; and the hardest cases.

    `abilities` are those of the readers, on the same scale; `hardest` are indices into `cases`; `plates` names the
    cases that show each category best.
    """
    sources = dict(zip(responses.table["case"], responses.table["source"], strict=True))
    right = np.array([scoring.credits(row, truth, "excluded") for row in levels])
    fitted = rasch.fit(right)
    summaries = case_room.summarise(levels, truth, responses.case_names)
    place = {name: i for i, name in enumerate(responses.case_names)}
    said = (
        {name: int(level) for name, level in zip(responses.readers, column, strict=True) if level == level}
        for column in levels.T
    )
    listed = [
        summary.as_dict() | {"source": sources[summary.case] or None, "difficulty": difficulty, "levels": of_case}
        for summary, difficulty, of_case in zip(summaries, fitted.difficulties, said, strict=True)
    ]
    synthetic = sorted(
        (one for one in summaries if one.truth == "synthetic" and one.read), key=lambda one: (one.mean_level, one.case)
    )
    categories = case_room.by_category(summaries)
    return {
        "cases": listed,
        "abilities": dict(zip(responses.readers, fitted.abilities, strict=True)),
        "hardest": [place[one.case] for one in case_room.hardest(summaries)],
        "plates": {
            "by_category": categories,
            "no_majority": len(categories["none"]["undecided"]),
            "tied_certainty": sum(len(of["undecided"]) for name, of in categories.items() if name != "none"),
            "most_convincing": [one.case for one in synthetic[:SHOWN]],
            "least_convincing": [one.case for one in synthetic[::-1][:SHOWN]],
        },
    }


def detector(responses: Responses, levels: Levels, truth: Truth) -> dict[str, Any]:
    """Correlate the readers' levels with a detector's scores, within each class; empty without a detector."""
    if not responses.detector:
        return {}
    scores = [responses.detector.get(case, math.nan) for case in responses.case_names]
    return dict(case_room.link_to_detector(levels, truth, scores))


def _scored(responses: Responses) -> tuple[pd.DataFrame, int]:
    """Return the scored rows for `timing`, and after how many cases the study offers a break (0 = not known).

    `timing` treats a change of block as a break. The study's own blocks only balance the classes, so they are replaced.
    """
    rows = responses.scored
    every = int(responses.study.get("settings", {}).get("break_every") or 0)
    block = (rows["position"] - 1) // every if every else np.nan
    known = responses_have_times(responses)
    return rows.assign(block=block, response_ms=rows["response_ms"] if known else 1.0), every


def _quantiles(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the quantiles of the times by level, for synthetic and for real cases."""
    found = []
    for truth, value in CLASSES:
        for level in range(1, 6):
            ms = rows.loc[(rows["truth"] == value) & (rows["level"] == level), "response_ms"].dropna()
            spread = np.quantile(ms, QUANTILES).tolist() if len(ms) else None
            found.append({"truth": truth, "level": level, "n": len(ms), "quantiles": spread})
    return found
