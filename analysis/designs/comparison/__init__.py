"""The comparison design: several images of one case, one per method, compared on several criteria.

A trial has two to four images. A case takes its name from its reference, or from its image by the first method. The
statistics are in `analysis.statistics`; this package calls them and arranges the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analysis.designs.common import Progress, Settings, heading, test_line
from analysis.designs.comparison import course, judged
from analysis.designs.comparison.trials import Trials, repeated, trials
from analysis.designs.design import Design
from analysis.responses import Responses
from analysis.statistics import few_readers, multiplicity


def measure(responses: Responses, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Return the results of a comparison study for results.json; arguments as in `analysis.designs.measure.measure`."""
    found = trials(responses)
    results = heading(responses, settings)
    results["study"] |= _study(responses, found)
    results["criteria"] = {}
    for i, name in enumerate(found.criteria):
        progress(i / len(found.criteria), name)
        results["criteria"][name] = judged.criterion(found, name, settings.seed)
    lead = next(iter(found.criteria), None)
    results["overall"] = {"criterion": lead} | (results["criteria"][lead]["preference"] if lead else {})
    results["agreement"] = {name: one["agreement"] for name, one in results["criteria"].items()}
    results["readers"] = _readers(found, responses.groups)
    results["groups"] = _groups(found, responses.groups)
    results["tests"] = _tests(results["criteria"])
    results["places"] = course.places(found)
    results["cases"] = course.listed(found)
    results["timing"] = course.times(found)
    again = repeated(responses)
    results["repeats"] = course.repeats(found, again) if len(again.table) else {}
    whole = found.table[found.table["answered"]].groupby("item")["reader"].nunique()
    results["flow"] = {
        "known": len(responses.cases),
        "not_asked": len(results["study"]["not_asked"]),
        "judged_by_all": int((whole == len(found.readers)).sum()) * (len(found.methods) + found.reference),
    }
    results["limitations"] = limitations(found, results)
    progress(1.0, "figures")
    return results


def _study(responses: Responses, found: Trials) -> dict[str, Any]:
    """Return the facts that are counted in trials, not in images."""
    rows = responses.table.drop_duplicates(["reader", "sitting", "trial"])
    later = rows["superseded"] & ~rows["is_training"]
    asked = int(found.table.groupby("reader").size().max()) if len(found.table) else 0
    return {
        "compared": len(found.items),
        "methods": found.methods,
        "alternatives": len(found.methods),
        "reference": found.reference,
        "criteria": len(found.criteria),
        "answers": int(found.table["answered"].sum()),
        "expected": len(found.readers) * asked,
        "excluded": {
            "training": int(rows["is_training"].sum()),
            "superseded": int(later.sum()),
            "repeats": int((rows["is_repeat"] & ~rows["superseded"] & ~rows["is_training"]).sum()),
        },
    }


def _readers(found: Trials, groups: Any) -> dict[str, dict[str, Any]]:
    readers = {}
    for i, name in enumerate(found.readers):
        rows = found.table[found.table["reader"] == name]
        own = {criterion: judged.first_ahead(found.scores(criterion)[[i]]) for criterion in found.criteria}
        about = {"group": groups[name] or None, "n": int(rows["answered"].sum()), "asked": len(rows)}
        readers[name] = about | {"preferences": own}
    return readers


def _groups(found: Trials, groups: Any) -> dict[str, Any]:
    """Return the preferences of each group of readers, by criterion."""
    members = {}
    for group in sorted({groups[name] for name in found.readers} - {""}):
        own = [i for i, name in enumerate(found.readers) if groups[name] == group]
        preferences = {criterion: judged.first_ahead(found.scores(criterion)[own]) for criterion in found.criteria}
        members[group] = {"n": len(own), "preferences": preferences}
    return {"members": members}


def _tests(criteria: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tests of every pair on every criterion; those with readers and cases random form a separate family."""

    def lines() -> Iterator[tuple[str, dict[str, Any]]]:
        for name, one in criteria.items():
            for pair in one["pairs"]:
                what = f"{name}: {pair['first']} over {pair['second']}"
                question = "would other readers prefer the first, on other cases?"
                yield "readers and cases", test_line(what, question, pair["clustered"])
                question = "was the first preferred, if each answer were independent?"
                yield "sign test", test_line(what, question, {k: v for k, v in pair.items() if k != "clustered"})
                for unit, ranks in pair["wilcoxon"].items():
                    question = f"would other {unit}s favour the first?"
                    yield f"Wilcoxon, {unit}s", test_line(what, question, ranks) | {"value": None, "ci": None}

    every = list(lines())
    families: dict[str, dict[str, float | None]] = {}
    for i, (family, line) in enumerate(every):
        families.setdefault(family, {})[str(i)] = line["p"]
    for row in multiplicity.adjust(families):
        corrected = {"holm": row.holm, "benjamini_hochberg": row.benjamini_hochberg}
        every[int(row.name)][1].update(corrected | {"family": row.family})
    return [line for _, line in every]


def limitations(found: Trials, results: dict[str, Any]) -> dict[str, Any]:
    """Return limitations found in the data; their text is in templates/comparison/limitations.j2."""
    about, answered = results["study"], found.table[found.table["answered"]]
    shown = found.answers.drop_duplicates(["reader", "trial", "source"])
    places = shown[shown["place"].notna()].groupby(["item", "source"])["place"].nunique()
    orders = found.table[found.table["position"].notna()].groupby("item")["position"].nunique()
    several = len(found.readers) > 1
    bias = [name for name, one in results["places"].items() if one["p"] is not None and one["p"] < 0.05]
    unbounded = [name for name, one in results["criteria"].items() if _unbounded(one)]
    return {
        "few_readers": about["readers"] < 10,
        "interval": few_readers.standing(about["readers"], about["compared"]),
        "few_cases": about["compared"] < 50,
        "unanswered": max(0, about["expected"] - about["answers"]),
        "unfinished_readers": sum(r["n"] < len(found.items) for r in results["readers"].values()),
        "late": int(answered["late"].sum()),
        "late_share": float(answered["late"].mean()) if answered["late"].notna().any() else None,
        "one_order": several and len(orders) > 0 and int(orders.max()) == 1,
        "one_place": several and len(places) > 0 and int(places.max()) == 1,
        "no_places": bool(shown["place"].isna().all()),
        "place_bias": bias,
        "place_biased": len(bias),
        "several_criteria": about["criteria"] > 1,
        "no_times": not results["timing"],
        "excluded": sum(about["excluded"].values()),
        "unbounded": unbounded,
        "never": len(unbounded),
    }


def _unbounded(one: dict[str, Any]) -> bool:
    return all(method["strength"] is None for method in one["methods"].values())


DESIGN = Design(
    "comparison",
    measure,
    tables="analysis.report.tables.comparison",
    templates="comparison",
    figures=("comparison_preferences", "comparison_wins", "comparison_answers", "flow"),
)
