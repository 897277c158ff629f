"""The rating design: readers say whether an image is real or synthetic, and how certain they are.

The statistics are in `analysis.statistics`; this package calls them and arranges the results.
"""

from __future__ import annotations

from typing import Any

from analysis.designs.common import Progress, Settings, heading
from analysis.designs.design import Design
from analysis.designs.rating import course, looks, panel, sources, subgroups
from analysis.designs.rating.reader import reader
from analysis.published import place
from analysis.responses import Responses
from analysis.statistics import few_readers


def measure(responses: Responses, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Return the results of a rating study for results.json; arguments as in `analysis.designs.measure.measure`."""
    levels, truth, names = responses.matrix("level"), responses.truth, responses.readers
    labels = [responses.groups[name] for name in names]
    results = heading(responses, settings)
    progress(0.0, "readers")
    results["readers"] = {
        name: reader(row, truth, of_row, label, settings.unsure, settings.margin)
        for name, row, of_row, label in zip(names, levels, responses.matrix("late"), labels, strict=True)
    }
    progress(0.1, "readers and cases")
    results["overall"] = panel.overall(levels, truth, settings.unsure, settings.bootstrap, settings.seed)
    progress(0.5, "agreement")
    results["agreement"] = panel.agreements(levels, truth, names, labels)
    progress(0.7, "groups")
    results["groups"] = panel.groups(levels, truth, labels, settings.unsure, settings.bootstrap, settings.seed)
    years = responses.study.get("years", {})
    results["experience"] = panel.experience(
        results["readers"], results["overall"], years, settings.unsure, settings.seed
    )
    results["tests"] = panel.tests(
        results["readers"],
        results["overall"],
        settings.unsure,
        settings.margin,
        settings.seed,
    )
    progress(0.8, "cases, order and time")
    results |= course.cases(responses, levels, truth)
    results["detector"] = course.detector(responses, levels, truth)
    results["order"] = course.order(responses, settings.unsure)
    results["timing"] = course.times(responses, settings.unsure)
    results["repeats"] = course.repeats(responses)
    results["model"] = course.model(responses)
    results["flow"] = {
        "known": len(responses.cases),
        "not_asked": len(results["study"]["not_asked"]),
        "judged_by_all": sum(case["read"] == len(names) for case in results["cases"]),
    }
    if taken := looks.looked_at(responses, levels, truth):
        results["looks"] = taken
    if told := sources.measure(
        responses, levels, truth, settings.unsure, settings.margin, settings.bootstrap, settings.seed
    ):
        results["sources"] = told
    if parts := subgroups.measure(responses, levels, truth, settings.unsure):
        results["subgroups"] = parts
    results["limitations"] = limitations(responses, results)
    accuracy = results["overall"]["accuracy"][settings.unsure]
    results["beside"] = place(accuracy.value, accuracy.ci, str(responses.study.get("title") or ""))
    progress(1.0, "figures")
    return results


def limitations(responses: Responses, results: dict[str, Any]) -> dict[str, Any]:
    """Return limitations found in the data; their text is in templates/rating/limitations.j2."""
    about, scored = results["study"], responses.scored
    answered = scored[scored["level"].notna()]
    shares = [sum(r["confusion"]["unsure"].values()) / r["n"] for r in results["readers"].values() if r["n"]]
    orders = scored[scored["position"].notna()].groupby("case")["position"].nunique()
    readers = len(results["readers"])
    found: dict[str, Any] = {
        "few_readers": about["readers"] < 10,
        "interval": few_readers.standing(about["readers"], about["cases"]),
        "few_cases": about["cases"] < 50,
        "unequal_classes": abs(about["synthetic"] - about["real"]) > 0.1 * max(about["cases"], 1),
        "unanswered": max(0, about["expected"] - about["answers"]),
        "unfinished_readers": sum(r["n"] < responses.asked for r in results["readers"].values()),
        "late": int(answered["late"].sum()),
        "late_share": float(answered["late"].mean()) if answered["late"].notna().any() else None,
        "one_order": readers > 1 and len(orders) > 0 and int(orders.max()) == 1,
        "readers_without_figure": len(results["overall"]["auc"].extra["left_out"]),
        "constant_readers": sum(
            max(map(sum, zip(*r["levels"].values(), strict=True))) == r["n"] for r in results["readers"].values()
        ),
        "no_times": bool(answered["response_ms"].isna().all()),
        "excluded": sum(about["excluded"].values()),
    }
    if shares and max(shares) - min(shares) > 0.1:
        found |= {"unsure_low": min(shares), "unsure_high": max(shares)}
    return found


DESIGN = Design(
    "rating",
    measure,
    tables="analysis.report.tables.rating",
    templates="rating",
    figures=(
        *("pies", "bars", "confusion", "forest", "roc", "detection", "agreement", "certainty", "order", "times"),
        *("difficulty", "readings", "beside", "flow"),
    ),
    exchange=True,
)
