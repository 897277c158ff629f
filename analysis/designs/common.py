"""Code shared by the measures of all designs: settings, facts about the study, and JSON."""

from __future__ import annotations

import math
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.responses import Responses, natural
from analysis.statistics import few_readers, mrmc
from analysis.statistics.estimate import Estimate
from analysis.statistics.scoring import RULES

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
LANGUAGE = re.compile(r"\[[a-z]{2}\]")
Progress = Callable[[float, str], object]


@dataclass(frozen=True)
class Settings:
    """Settings of the analysis that the researcher chose beforehand; the report lists them.

    `unsure` is the rule for the main results, `bootstrap` the number of replicates, `margin` how far from chance an
    accuracy may lie and still count as equivalent to it, `bayes` whether to include the Bayesian analysis. Raises
    ValueError for an invalid setting.
    """

    unsure: str = "fractional"
    bootstrap: int = 10_000
    seed: int = 0
    margin: float = 0.1
    bayes: bool = False

    def __post_init__(self) -> None:
        if self.unsure not in RULES:
            raise ValueError(f"unsure: expected one of {', '.join(RULES)}, got {self.unsure!r}")
        if self.bootstrap < 2 or self.seed < 0:
            raise ValueError(f"bootstrap: expected 2 or more, and seed 0 or more, got {self.bootstrap} and {self.seed}")
        if not 0 < self.margin < 0.5:
            raise ValueError(f"margin: expected a number between 0 and 0.5, got {self.margin}")


def silent(share: float, what: str) -> None:
    """Ignore progress reports."""


def usual_lines(study: Mapping[str, Any], setting: str) -> list[str] | None:
    """Return the lines of a study setting that apply to every language; None if the setting is not known.

    Lines that follow a language code in brackets, such as [da], belong to that language.
    """
    given = (study.get("settings") or {}).get(setting)
    if given is None:
        return None
    usual = takewhile(lambda line: not LANGUAGE.fullmatch(line.strip()), "\n".join(given).splitlines())
    return [line.strip() for line in usual if line.strip()]


def heading(responses: Responses, settings: Settings) -> dict[str, Any]:
    """Return the entries at the start of every results.json."""
    return {
        "format": FORMAT,
        "design": responses.design,
        "study": study(responses),
        "software": software(),
        "settings": asdict(settings),
    }


def study(responses: Responses) -> dict[str, Any]:
    """Return facts about the study, and how many rows were used and excluded."""
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
    """Return the versions of the software that computed the numbers."""
    versions = {}
    for name in ("discern", "numpy", "scipy", "pandas", "matplotlib"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "0+checkout"
    return {"discern": versions.pop("discern"), "Python": platform.python_version(), **versions}


def test_line(name: str, question: str, estimate: Estimate | Mapping[str, Any]) -> dict[str, Any]:
    """Return one line of the list of tests, with all its fields."""
    given = estimate.as_dict() if isinstance(estimate, Estimate) else dict(estimate)
    line = {"name": name, "question": question, "p": None, "df": None, "holm": None, "benjamini_hochberg": None}
    kept = ("value", "se", "ci", "p", "df", "reason", "method")
    line |= {key: given[key] for key in kept if key in given}
    return line | {key: given.get(key) for key in ("statistic", "smallest_p")}


def clustered(
    credits: NDArray[np.float64], null: float = 0.5, readers: str = "random", cases: str = "random", unit: str = "case"
) -> Estimate:
    """Estimate the mean over readers of credits from 0 to 1, with p against `null`; the interval stays within 0 and 1.

    By default readers and cases are random. `credits`: readers x cases, NaN where there is none; `unit` is the word
    for a case of this design. With three to five readers and both random, the estimate is that of `few_readers.welch`.
    """
    found = mrmc.obuchowski_rockette(
        credits, np.ones(credits.shape[1]), readers=readers, cases=cases, endpoint="sensitivity", null=null
    )
    if readers == cases == "random":
        found = few_readers.leading(found, null)
    found = replace(found, method=found.method.replace("cases", f"{unit}s"))
    if credits.shape[1] < 2:
        found = replace(
            found, value=None, reason=f"there is only one {unit}, so the variation between {unit}s is unknown"
        )
    if found.ci is None:
        return found
    return replace(found, ci=(max(0.0, found.ci[0]), min(1.0, found.ci[1])))


def plain(entry: Any) -> Any:
    """Convert `entry` for JSON: estimates become mappings, numpy numbers plain numbers, NaN and infinity null."""
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
