"""The staircase design: one image, shown more briefly after each correct answer, to find the threshold exposure.

The statistics are in `analysis.statistics`; this package calls them and arranges the results. Order, times, agreement
and cases are measured as for ratings.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.designs.common import Progress, Settings, heading
from analysis.designs.design import Design
from analysis.designs.rating import course, panel
from analysis.designs.staircase import errors, threshold
from analysis.designs.staircase.answers import Answers, answers
from analysis.responses import Responses
from analysis.statistics import proportions

CLOSE = 1.1  # exposures up to this multiple of the shortest are at the floor


def measure(responses: Responses, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Return the results of a staircase study for results.json; arguments as in `analysis.designs.measure.measure`."""
    found, levels, truth = answers(responses), responses.matrix("level"), responses.truth
    labels = [responses.groups[name] for name in found.readers]
    results = heading(responses, settings)
    progress(0.0, "readers")
    results["readers"] = {
        name: {"group": label or None, "n": int((~np.isnan(row)).sum())}
        | threshold.one_reader(found.of(name))
        | errors.one_reader(row, truth)
        for name, label, row in zip(found.readers, labels, found.correct, strict=True)
    }
    progress(0.3, "all readers")
    results["overall"] = threshold.overall(found, results["readers"], settings.bootstrap, settings.seed)
    results["overall"]["errors"] = errors.overall(found)
    progress(0.6, "groups and agreement")
    results["groups"] = threshold.groups(found, results["readers"], labels, settings.seed)
    results["agreement"] = panel.agreements(levels, truth, found.readers, labels)
    results["tests"] = errors.tests(results["readers"], settings.seed)
    progress(0.8, "cases, order and time")
    results["staircases"] = staircases(found)
    results |= course.cases(responses, levels, truth)
    results["detector"] = course.detector(responses, levels, truth)
    results["order"] = course.order(responses, settings.unsure)
    results["timing"] = course.times(responses, settings.unsure)
    results["flow"] = {
        "known": len(responses.cases),
        "not_asked": len(results["study"]["not_asked"]),
        "judged_by_all": sum(case["read"] == len(found.readers) for case in results["cases"]),
    }
    results["limitations"] = limitations(responses, found, results)
    progress(1.0, "figures")
    return results


def staircases(found: Answers) -> dict[str, list[dict[str, Any]]]:
    """Return the course of every reader: position, staircase, exposure and whether the answer was right."""
    ways = {}
    for reader in found.readers:
        rows = found.of(reader)
        columns = (rows[name] for name in ("position", "block", "exposure_ms", "correct"))
        ways[reader] = [
            {"position": position, "staircase": block, "exposure_ms": ms, "correct": int(right)}
            for position, block, ms, right in zip(*columns, strict=True)
        ]
    return ways


def limitations(responses: Responses, found: Answers, results: dict[str, Any]) -> dict[str, Any]:
    """Return limitations found in the data; their text is in templates/staircase/limitations.j2."""
    about, rows, readers = results["study"], found.table, results["readers"]
    times = found.measured["exposure_ms"]
    orders = rows[rows["position"].notna()].groupby("case")["position"].nunique()
    shortest = about["settings"].get("shortest_ms") if about.get("settings") else None
    floor = shortest or (float(times.min()) if len(times) else None)
    at_floor = times <= CLOSE * floor if floor else times < 0
    right = found.measured.loc[at_floor, "correct"]
    thresholds = [reader["threshold_ms"] for reader in readers.values() if reader["exposures"]["n"]]
    return {
        "few_readers": about["readers"] < 10,
        "few_cases": about["cases"] < 50,
        "unequal_classes": abs(about["synthetic"] - about["real"]) > 0.1 * max(about["cases"], 1),
        "unanswered": max(0, about["expected"] - about["answers"]),
        "unfinished_readers": sum(int(own.sum()) < responses.asked for own in ~np.isnan(responses.matrix("level"))),
        "unsure": found.unsure,
        "unmeasured": len(rows) - len(found.measured),
        "no_exposures": found.measured.empty,
        "floor_ms": floor,
        "at_floor": float(at_floor.mean()) if floor else None,
        "right_at_floor": proportions.interval(int(right.sum()), len(right)),
        "readers_without_threshold": sum(one["value"] is None for one in thresholds),
        "open_thresholds": sum(
            one["value"] is not None and (one["ci"][0] == 0 or not np.isfinite(one["ci"][1])) for one in thresholds
        ),
        "late": int((rows["late"] == 1).sum()),
        "one_order": len(readers) > 1 and len(orders) > 0 and int(orders.max()) == 1,
        "no_times": bool(rows["response_ms"].isna().all()),
        "excluded": sum(about["excluded"].values()),
    }


DESIGN = Design(
    "staircase",
    measure,
    tables="analysis.report.tables.staircase",
    templates="staircase",
    figures=(
        *("staircase_readers", "staircase_curves", "staircase_each", "staircase_ways", "staircase_errors"),
        *("order", "times", "difficulty", "flow"),
    ),
    exchange=True,
)
