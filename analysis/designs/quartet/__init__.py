"""The quartet design: readers find the one real image among several, and rate how real each looks.

A trial has 2 to 6 images; a quartet takes its name from its real image. The statistics are in `analysis.statistics`;
this package calls them and arranges the results.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.designs.common import Progress, Settings, heading, usual_lines
from analysis.designs.design import Design
from analysis.designs.quartet import choice, course, looks
from analysis.designs.quartet.trials import Trials, repeated, trials
from analysis.responses import Responses
from analysis.statistics import few_readers


def measure(responses: Responses, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Return the results of a quartet study for results.json; arguments as in `analysis.designs.measure.measure`."""
    found = trials(responses)
    labels = [responses.groups[name] for name in found.readers]
    results = heading(responses, settings)
    results["study"] |= _study(responses, found)
    progress(0.0, "readers")
    results["readers"] = choice.by_reader(found, responses.groups)
    progress(0.1, "readers and quartets")
    results["overall"] = choice.overall(found, settings.margin)
    results["agreement"] = choice.agreements(found)
    progress(0.3, "groups")
    results["groups"] = choice.groups(found, labels, settings.bootstrap, settings.seed)
    results["places"] = choice.places(found)
    results |= choice.sources(found, settings.seed)
    progress(0.4, "realism")
    results["realism"] = looks.realism(found, points(responses), settings.margin, settings.seed)
    for name, reader in results["readers"].items():
        own = found.images[found.images["reader"] == name].groupby("source")["realism"].mean()
        reader["realism"] = {source: float(own.get(source, np.nan)) for source in found.sources}
    progress(0.8, "quartets, order and time")
    results["tests"] = choice.tests(
        results["readers"], results["overall"], found.alternatives, settings.margin, settings.seed
    )
    results |= choice.listed(found)
    results["order"] = course.order(found)
    results["timing"] = course.times(found)
    again = repeated(responses)
    results["repeats"] = choice.repeats(found, again) if len(again.table) else {}
    whole = ~np.isnan(found.correct).any(axis=0)
    results["flow"] = {
        "known": len(responses.cases),
        "not_asked": len(results["study"]["not_asked"]),
        "judged_by_all": int(whole.sum()) * found.alternatives,
    }
    results["limitations"] = limitations(found, results)
    progress(1.0, "figures")
    return results


def points(responses: Responses) -> int | None:
    """Return the number of points of the realism scale, from the study's settings; None if they are not known."""
    words = usual_lines(responses.study, "scale")
    return None if words is None else len(words) or looks.POINTS


def _study(responses: Responses, found: Trials) -> dict[str, Any]:
    """Return the facts that are counted in trials, not in images."""
    rows = responses.table.drop_duplicates(["reader", "sitting", "trial"])
    later = rows["superseded"] & ~rows["is_training"]
    asked = int(found.table.groupby("reader").size().max()) if len(found.table) else 0
    return {
        "quartets": len(found.quartets),
        "alternatives": found.alternatives,
        "chance": 1 / found.alternatives if found.alternatives else None,
        "answers": int(found.table["correct"].notna().sum()),
        "expected": len(found.readers) * asked,
        "excluded": {
            "training": int(rows["is_training"].sum()),
            "superseded": int(later.sum()),
            "repeats": int((rows["is_repeat"] & ~rows["superseded"] & ~rows["is_training"]).sum()),
        },
    }


def limitations(found: Trials, results: dict[str, Any]) -> dict[str, Any]:
    """Return limitations found in the data; their text is in templates/quartet/limitations.j2."""
    about, answered = results["study"], found.table[found.table["correct"].notna()]
    shown = [one["shown"] for source, one in results["sources"].items() if source != "real"]
    places = found.table[found.table["real_place"].notna()].groupby("quartet")["real_place"].nunique()
    orders = found.table[found.table["position"].notna()].groupby("quartet")["position"].nunique()
    several, rated = len(found.readers) > 1, results["realism"]["rated"]
    return {
        "few_readers": about["readers"] < 10,
        "interval": few_readers.standing(about["readers"], about["quartets"]),
        "few_quartets": about["quartets"] < 50,
        "unanswered": max(0, about["expected"] - about["answers"]),
        "unfinished_readers": sum(r["n"] < len(found.quartets) for r in results["readers"].values()),
        "late": int(answered["late"].sum()),
        "late_share": float(answered["late"].mean()) if answered["late"].notna().any() else None,
        "one_order": several and len(orders) > 0 and int(orders.max()) == 1,
        "one_place": several and len(places) > 0 and int(places.max()) == 1,
        "no_places": bool(found.table["real_place"].isna().all()),
        "unequal_sources": bool(shown) and max(shown) != min(shown),
        "sources": len(shown),
        "unrated": int(found.images["realism"].isna().sum()) if rated else 0,
        "constant_readers": sum(
            r["n"] > 1 and max(r["places"]["counts"]) == r["n"] for r in results["readers"].values()
        ),
        "no_times": not results["timing"],
        "excluded": sum(about["excluded"].values()),
    }


DESIGN = Design(
    "quartet",
    measure,
    tables="analysis.report.tables.quartet",
    templates="quartet",
    figures=("quartet_readers", "quartet_sources", "quartet_realism", "quartet_places", "quartet_order", "flow"),
)
