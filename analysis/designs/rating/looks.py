"""A study with interim looks: which looks were taken, where the study ended, and its adjusted figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.designs.rating.reader import Levels, Truth
from analysis.responses import Responses, ResponsesError
from analysis.statistics import scoring, stopping

RULE = "fractional"  # rule for unsure answers if a look tests accuracy


def planned(responses: Responses) -> stopping.Looks | None:
    """Return the planned looks of the study; None if there were none. Raises ResponsesError for an invalid plan."""
    given = responses.study.get("looks")
    try:
        return stopping.from_dict(given) if given else None
    except ValueError as fault:
        raise ResponsesError([str(fault)]) from None


def in_order(responses: Responses) -> list[str]:
    """Return the readers who answered every case, in the order in which they finished, or as listed without times."""
    scored = responses.scored
    answered = scored[scored["level"].notna()].groupby("reader", sort=False)
    whole = answered["case"].nunique()
    done = answered["answered_at"].max().fillna("").astype(str)
    names = [name for name in responses.readers if whole.get(name, 0) >= responses.asked]
    return sorted(names, key=lambda name: done[name])


def decisions(levels: Levels, truth: Truth, looks: stopping.Looks, order: list[int]) -> list[dict[str, Any]]:
    """The result of each look that has enough readers, up to the one that ends the study; `order`: rows of `levels`."""
    found = []
    for look, (readers, cases) in enumerate(zip(looks.readers, looks.cases, strict=True)):
        if readers > len(order) or cases > levels.shape[1]:
            break
        found.append(decided(levels, truth, looks, order, look))
        if found[-1]["decision"] in ("efficacy", "futility"):
            break
    return found


def decided(levels: Levels, truth: Truth, looks: stopping.Looks, order: list[int], look: int) -> dict[str, Any]:
    """Return the result of one look (0 = first), regardless of the results of earlier looks."""
    readers = looks.readers[look]
    own = levels[order[:readers]]
    if looks.endpoint == "accuracy":
        own = np.array([scoring.credits(row, truth, RULE) for row in own])
    figure = stopping.measure(own, np.asarray(truth, dtype=float), looks.endpoint, looks.null)
    return {"look": look + 1, "readers": readers, "decision": stopping.decide(figure, look, looks), "figure": figure}


def looked_at(responses: Responses, levels: Levels, truth: Truth) -> dict[str, Any] | None:
    """The looks for results.json: the plan, each look, and the figure at the end of the study, plain and adjusted."""
    looks = planned(responses)
    if looks is None:
        return None
    finished = in_order(responses)
    order = [list(responses.readers).index(name) for name in finished]
    taken = decisions(levels, truth, looks, order)
    told: dict[str, Any] = {"plan": looks.as_dict(), "taken": [], "recorded": responses.study.get("looks_taken", [])}
    if not taken:
        wanted = f"{looks.readers[0]} readers of {looks.cases[0]} cases"
        return told | {"reason": f"the first look needs {wanted}, and {len(order)} finished {levels.shape[1]}"}
    last = taken[-1]
    told["taken"] = [{key: one[key] for key in ("look", "readers", "decision")} for one in taken]
    said = {one["look"]: one["decision"] for one in taken}
    # A look not taken on the desk is not a difference: its result follows from the answers.
    told["differs"] = any(said.get(one["look"]) != one["decision"] for one in told["recorded"])
    told |= {"ended": last["look"], "decision": last["decision"], "readers": finished[: last["readers"]]}
    told["readers_after"] = len(responses.readers) - last["readers"]
    return told | {"plain": last["figure"], "adjusted": stopping.adjust(last["figure"], last["look"] - 1, looks)}
