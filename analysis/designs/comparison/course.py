"""The course of a comparison study: positions on the screen, response times and repeated trials."""

from __future__ import annotations

from typing import Any

from analysis.designs.comparison.trials import Trials, alone_ahead
from analysis.statistics import forced_choice, proportions, timing
from analysis.statistics.estimate import undefined


def places(trials: Trials) -> dict[str, Any]:
    """Count, for each criterion, how often the image at each place was ahead of all others, and test the places.

    `places` are the places of judged images; `shown` is how often each was used in trials in which one image was ahead.
    """
    found: dict[str, Any] = {}
    stood = sorted(int(place) for place in trials.answers["place"].dropna().unique())
    for criterion in trials.criteria:
        rows = trials.answers[(trials.answers["criterion"] == criterion) & trials.answers["score"].notna()]
        rows = rows[rows["place"].notna()]
        key = [rows["reader"], rows["trial"]]
        best = rows["score"] == rows["score"].groupby(key).transform("max")
        alone = best & (best.groupby(key).transform("sum") == 1)
        led = alone.groupby(key).transform("any")
        counts, shown = ([int((rows.loc[which, "place"] == place).sum()) for place in stood] for which in (alone, led))
        even = forced_choice.even(counts, shown) if sum(counts) else undefined("places or preferences are not known")
        found[criterion] = {"places": stood, "counts": counts, "shown": shown, "p": None} | even.as_dict()
    return found


def times(trials: Trials) -> dict[str, Any]:
    """Median response times per trial (all criteria), by reader and along the order, and counts of late answers."""
    rows = trials.table[trials.table["answered"]]
    rows = rows[rows["response_ms"] > 0]
    if rows.empty:
        return {}
    late = trials.table.loc[trials.table["answered"], "late"].dropna()
    halves = rows["position"] <= rows.groupby("reader")["position"].transform("median")
    parts = {"all": rows, "first half": rows[halves], "second half": rows[~halves]}
    return {
        "medians": {name: timing.median_interval(own["response_ms"]) for name, own in parts.items()},
        "late": proportions.interval(int(late.sum()), len(late)),
        "readers": {name: timing.median_interval(own["response_ms"]) for name, own in rows.groupby("reader")},
    }


def repeats(trials: Trials, again: Trials) -> dict[str, Any]:
    """Return intra-reader agreement: answers to an image and criterion that were the same the second time."""
    key = ["reader", "item", "source", "criterion"]
    both = again.answers.merge(trials.answers[[*key, "score"]], on=key)
    both = both[both["score_x"].notna() & both["score_y"].notna()]
    return {
        str(name): proportions.interval(int((pairs["score_x"] == pairs["score_y"]).sum()), len(pairs))
        for name, pairs in both.groupby("reader", sort=False)
    }


def listed(trials: Trials) -> list[dict[str, Any]]:
    """List every compared case: by criterion, how many readers put each method ahead, and how many put none ahead."""
    found = []
    scores = {criterion: trials.scores(criterion) for criterion in trials.criteria}
    for i, item in enumerate(trials.items):
        criteria = {}
        for criterion, all_scores in scores.items():
            alone = alone_ahead(all_scores[:, i])
            ahead = {method: int(alone[:, m].sum()) for m, method in enumerate(trials.methods)}
            criteria[criterion] = {"n": len(alone), "ahead": ahead, "level": len(alone) - sum(ahead.values())}
        found.append({"case": item, "criteria": criteria})
    return found
