"""All numbers of a study as one plain structure: what results.json holds, and nothing else is reported from.

No statistic is written here: the rooms of `analysis` compute, this one asks and arranges. A quantity that is not
defined stands as null with a `reason`.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from analysis.designs import measure_course as course
from analysis.designs import measure_panel as panel
from analysis.designs.measure_reader import reader
from analysis.responses import RATED, Responses, natural
from analysis.statistics.estimate import Estimate

FORMAT = 1
KNOWN = (
    "slug",
    "title",
    "design",
    "state",
    "version",
    "opened_at",
    "closed_at",
    "unblinded_at",
    "settings",
    "pool",
    "flow",
)
Progress = Callable[[float, str], object]


@dataclass(frozen=True)
class Settings:
    """What the researcher decided beforehand; stands in the report.

    `unsure` is the rule that leads, `bootstrap` the number of replicates, `margin` how far from chance an accuracy
    may lie and still count as equivalent to it.
    """

    unsure: str = "fractional"
    bootstrap: int = 10_000
    seed: int = 0
    margin: float = 0.1


def silent(share: float, what: str) -> None:
    """The progress of who does not look."""


def measure(responses: Responses, settings: Settings, progress: Progress = silent) -> dict[str, Any]:
    """The results of one study (results.json).

    Args:
        responses: the study's answers.
        settings: what was decided beforehand.
        progress: called with the share done (0 to 1) and what comes next.
    """
    if responses.design not in RATED:
        return other_design(responses, settings)
    levels, truth, names = responses.matrix("level"), responses.truth, responses.readers
    labels = [responses.groups[name] for name in names]
    results: dict[str, Any] = {
        "format": FORMAT,
        "design": responses.design,
        "study": study(responses),
        "software": software(),
        "settings": asdict(settings),
    }
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
    results["limitations"] = limitations(responses, results)
    progress(1.0, "figures")
    return plain(results)


def other_design(responses: Responses, settings: Settings) -> dict[str, Any]:
    """What is said of a study whose design this report does not measure: who took part, and that the rest is out."""
    reason = (
        f"The design of this study is {responses.design}. Its measures are not part of this report, which is made for "
        "single images judged real or synthetic; the flow below and the answers in results.xlsx are what is left."
    )
    about = study(responses) | {"answers": len(responses.scored), "expected": None}
    found = {
        "format": FORMAT,
        "design": responses.design,
        "study": about,
        "software": software(),
        "settings": asdict(settings),
        "left_out": reason,
        "readers": {name: {"group": responses.groups[name] or None} for name in responses.readers},
        "flow": {"known": len(responses.cases), "not_asked": len(about["not_asked"])},
    }
    return plain(found)


def study(responses: Responses) -> dict[str, Any]:
    """What is known of the study, and how many rows were used and left out."""
    rows, scored = responses.table, responses.scored
    truth = responses.truth
    answered = scored[scored["answered_at"] != ""]["answered_at"]
    return {name: responses.study.get(name) for name in KNOWN} | {
        "readers": len(responses.readers),
        "cases": len(truth),
        "synthetic": int(truth.sum()),
        "real": int((1 - truth).sum()),
        "answers": int(scored["level"].notna().sum()),
        "expected": len(responses.readers) * responses.asked,
        "excluded": {
            "training": int(rows["is_training"].sum()),
            "superseded": int((rows["superseded"] & ~rows["is_training"]).sum()),
            "repeats": int((rows["is_repeat"] & ~rows["superseded"] & ~rows["is_training"]).sum()),
        },
        "not_asked": sorted(set(responses.cases) - set(responses.case_names), key=natural),
        "first_answer": answered.min() if len(answered) else None,
        "last_answer": answered.max() if len(answered) else None,
        "source": responses.origin["kind"],
        "checksums": responses.origin["files"],
    }


def software() -> dict[str, str]:
    """Versions of what the numbers were made with."""
    versions = {}
    for name in ("discern", "numpy", "scipy", "pandas", "matplotlib"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "0+checkout"
    return {"discern": versions.pop("discern"), "Python": platform.python_version(), **versions}


def limitations(responses: Responses, results: dict[str, Any]) -> dict[str, Any]:
    """What the data themselves warn of; the words are in templates/limitations.j2."""
    about, scored = results["study"], responses.scored
    answered = scored[scored["level"].notna()]
    shares = [sum(r["confusion"]["unsure"].values()) / r["n"] for r in results["readers"].values() if r["n"]]
    orders = scored[scored["position"].notna()].groupby("case")["position"].nunique()
    readers = len(results["readers"])
    found: dict[str, Any] = {
        "few_readers": about["readers"] < 10,
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


def plain(entry: Any) -> Any:
    """`entry` as JSON can hold it: estimates as mappings, numpy numbers as numbers, NaN and infinity as null."""
    if isinstance(entry, Estimate):
        return plain(entry.as_dict())
    if is_dataclass(entry) and not isinstance(entry, type):
        return plain(asdict(entry))
    if isinstance(entry, dict):
        return {str(key): plain(value) for key, value in entry.items()}
    if hasattr(entry, "_asdict"):
        return plain(entry._asdict())
    if isinstance(entry, list | tuple):
        return [plain(value) for value in entry]
    if isinstance(entry, np.ndarray):
        return plain(entry.tolist())
    if isinstance(entry, np.generic):
        return plain(entry.item())
    if isinstance(entry, float) and not math.isfinite(entry):
        return None
    return entry
