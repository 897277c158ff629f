"""Compare a study with its registration: one line for every registered entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from analysis.registration import written
from analysis.responses import Responses, ResponsesError

STYLES = {"accuracy": "share_ci", "quartet": "share_ci", "threshold": "ms_ci"}  # how the report formats each figure
KEPT, DIFFERENT, UNKNOWN = "kept", "different", "not known"
COUNTED = {"kept": KEPT, "different": DIFFERENT, "unknown": UNKNOWN}
# Where the registered figure is in results.json.
FIGURES: dict[str, tuple[str, ...]] = {
    "auc": ("overall", "auc"),
    "accuracy": ("overall", "accuracy", "RULE"),
    "kappa": ("agreement", "fleiss_kappa", "unsure_as_real"),
    "quartet": ("overall", "proportion_correct"),
    "threshold": ("overall", "threshold_ms"),
}


def compare(registration: Mapping[str, Any], results: Mapping[str, Any], responses: Responses) -> dict[str, Any]:
    """Return the part `registration` of results.json.

    Args:
        registration: as returned by `load`.
        results: the measured results of the study.
        responses: the responses that were measured.

    Returns:
        `sha256`, `registered_at`, `title`, `question`, `hypotheses`; `lines`, each with `part`, `what`, `registered`,
        `done` and `verdict` (kept, different, not known); `counts` of lines by verdict; `different`, the names of the
        lines that differ; `figure`: the registered `endpoint`, its `pointer` into results.json, the `test` in words.

    Raises:
        ResponsesError: the registration is for another pool or another design.
    """
    parts = registration["registration"]
    assert_same(registration, results["design"], results["study"].get("pool"))
    lines = [
        {"part": part, "what": what, "registered": _text(before), "done": _text(now), "verdict": verdict}
        for part, what, before, now, verdict in _lines(parts, results, responses)
    ]
    endpoint = parts["estimand"]["endpoint"]
    figure, tested = _figure(parts, results)
    return {
        "sha256": registration["sha256"],
        "registered_at": parts["made"]["at"],
        **{name: parts["study"][name] for name in ("title", "question", "hypotheses")},
        "figure": {
            "endpoint": endpoint,
            "name": written.ENDPOINTS[endpoint] + (", difference" if parts["sample"].get("by") else ""),
            "pointer": figure and list(figure),
            "tested": tested,
            "style": STYLES.get(endpoint, "number_ci"),
            "test": written.test(parts["sample"]),
        },
        "counts": {"all": len(lines)}
        | {name: sum(line["verdict"] == verdict for line in lines) for name, verdict in COUNTED.items()},
        "different": [line["what"] for line in lines if line["verdict"] == DIFFERENT],
        "lines": lines,
    }


def assert_same(registration: Mapping[str, Any], design: str, pool: Mapping[str, Any] | None) -> None:
    """Raise ResponsesError for a registration of another pool or design; `pool` has a name and a sha256."""
    parts = registration["registration"]
    faults, wanted = [], parts["pool"]
    if wanted and pool and pool.get("sha256") and wanted["sha256"] != pool["sha256"]:
        faults.append(
            f"registration: is for another pool: {wanted['name']!r}, SHA-256 {wanted['sha256'][:12]}...; "
            f"the study's pool is {pool['name']!r}, {pool['sha256'][:12]}..."
        )
    if parts["design"]["name"] != design:
        faults.append(f"registration: is for the design {parts['design']['name']}; the study has the design {design}")
    if faults:
        raise ResponsesError(faults)


def _figure(parts: Mapping[str, Any], results: Mapping[str, Any]) -> tuple[tuple[str | int, ...] | None, bool]:
    """Return where the registered figure is, and whether its p is that of the registered test.

    The pointer is None if two conditions or sources were registered but the data do not have two.
    """
    estimand, by, looks = parts["estimand"], parts["sample"].get("by"), parts["sample"].get("looks")
    endpoint = estimand["endpoint"]
    if by:
        part, lines, *rest = ("sources", "pairs", "difference") if by == "sources" else ("conditions", "differences")
        listed = results.get(part, {}).get(lines, [])
        found = [number for number, line in enumerate(listed) if line["figure"] == endpoint]
        return ((part, lines, found[0], *rest), True) if len(found) == 1 else (None, False)
    if looks and "adjusted" in results.get("looks", {}):
        return ("looks", "adjusted"), True
    tested = estimand["margin"] is None and endpoint in ("auc", "accuracy")
    tested = tested and estimand["null"] == 0.5 and not looks  # the figure's own p tests only this
    rule = parts["analysis"]["unsure"]
    return tuple(rule if step == "RULE" else step for step in FIGURES[endpoint]), tested


Line = tuple[str, str, Any, Any, str]


def _lines(parts: Mapping[str, Any], results: Mapping[str, Any], responses: Responses) -> Iterator[Line]:
    study, settings = results["study"], results["settings"]
    at, first = parts["made"]["at"], study.get("first_answer")
    before = _is_before(at, first)
    yield "Time", "Registered before the first answer", at, first, _verdict(before)
    yield "Design", "Type of trial", parts["design"]["name"], results["design"], KEPT
    if by := parts["sample"].get("by"):
        yield _of_conditions(by, results)
    yield from _of_pool(parts["pool"], study)
    yield from _of_sample(parts, results, responses)
    yield from _of_analysis(parts, settings | {"subgroups": sorted(results.get("subgroups") or {})})
    yield from _of_settings(parts["plan"], study)
    told = study.get("version")
    versions = sorted({str(version) for version in responses.scored["study_version"].unique() if version != ""})
    same = None if not versions else len(versions) == 1
    yield (
        "Conduct",
        "Settings unchanged while readers answered",
        "one version",
        versions or told,
        _verdict(same),
    )
    known = study.get("state") is not None
    opened = study.get("unblinded_at")
    yield (
        "Conduct", "Researchers blinded until study closure", "blinded", opened or ("blinded" if known else None),
        _verdict(not opened if known else None),
    )  # fmt: skip
    left_out = ", ".join(f"{count} {name}" for name, count in study["excluded"].items() if count) or "no row"
    yield "Exclusions", "Excluded by the report", " ".join(parts["exclusions"][:2]), left_out, KEPT
    for rule in parts["exclusions"][2:]:
        yield "Exclusions", "Further exclusions", rule, None, UNKNOWN
    if parts["procedure"]["stopping"]:
        yield "Sample", "Stopping rule", parts["procedure"]["stopping"], study.get("closed_at"), UNKNOWN
    software = parts["made"]["software"]["discern"]
    same = software == results["software"]["discern"]
    yield "Analysis", "Version of Discern", software, results["software"]["discern"], _verdict(same)


def _of_conditions(by: str, results: Mapping[str, Any]) -> Line:
    """Compare the two conditions or sources, and which cases were read under which."""
    if by == "sources":
        count = len(results.get("sources", {}).get("names", []))
        return "Design", "Sources of synthetic images", 2, count, _verdict(count == 2)
    found = results.get("conditions", {})
    names, done = found.get("names", []), found.get("cases") or found.get("by")
    told = f"{len(names)}, {done}" if done else len(names)
    return "Design", "Conditions and their assignment", f"2, {by}", told, _verdict(told == f"2, {by}")


def _of_pool(pool: Mapping[str, Any] | None, study: Mapping[str, Any]) -> Iterator[Line]:
    found = study.get("pool") or {}
    if pool is None:
        yield "Pool", "SHA-256 of the pool", "no pool yet", found.get("sha256"), UNKNOWN
    else:
        same = None if not found.get("sha256") else True  # a different pool was refused earlier
        yield "Pool", "SHA-256 of the pool", pool["sha256"], found.get("sha256"), _verdict(same)


def _of_sample(parts: Mapping[str, Any], results: Mapping[str, Any], responses: Responses) -> Iterator[Line]:
    study, design = results["study"], parts["design"]
    flow = study.get("flow") or {}
    finished = flow.get("finished", study["readers"])
    told = f"{study['readers']}, of whom {finished} finished" if flow else study["readers"]
    wanted = {design["readers"]}
    if planned := parts["sample"].get("looks"):
        taken = results.get("looks") or {}
        same = _sizes(taken.get("plan")) == _sizes(planned) and not taken.get("differs")
        done = written.looks(taken.get("plan")) or "none"
        yield "Sample", "Interim looks", written.looks(planned), done, _verdict(same)
        for look in taken.get("taken", []):
            if look["decision"] == "efficacy":  # ends the study
                wanted = {look["readers"]}
            elif look["decision"] == "futility":  # not binding
                wanted.add(look["readers"])
    yield "Sample", "Readers", design["readers"], told, _verdict(study["readers"] == finished and finished in wanted)
    asked = study.get("quartets") or responses.asked
    what = "Quartets per reader" if design["name"] == "quartet" else "Cases per reader"
    yield "Sample", what, design["cases"], asked, _verdict(asked == design["cases"])
    if study.get("expected") is not None:
        missing = study["expected"] - study["answers"]
        yield "Sample", "Missing answers", 0, missing, _verdict(missing == 0)


def _sizes(looks: Mapping[str, Any] | None) -> list[Any] | None:
    """Return what defines a plan of looks; the levels follow from it, but their last digits differ between machines."""
    if looks is None:
        return None
    ruling = [looks[name] for name in ("endpoint", "null", "alpha", "spending", "futility")]
    return [*ruling, *((look["readers"], look["cases"]) for look in looks["looks"])]


def _of_analysis(parts: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Line]:
    names = {"unsure": "Scoring of unsure answers (main analysis)", "margin": "Equivalence margin"}
    names |= {
        "bootstrap": "Bootstrap replicates",
        "seed": "Random seed",
        "subgroups": "Subgroups of images",
    }
    for name, wanted in parts["analysis"].items():
        given = settings.get(name)
        wanted = sorted(wanted) if name == "subgroups" else wanted
        yield "Analysis", names.get(name, f"Setting {name}"), wanted, given, _verdict(wanted == given)
    if settings["subgroups"] and "subgroups" not in parts["analysis"]:
        yield "Analysis", "Subgroups of images", "none", settings["subgroups"], DIFFERENT
    alpha = parts["estimand"]["alpha"]
    yield "Analysis", "Significance level", alpha, 0.05, _verdict(alpha == 0.05)


def _of_settings(plan: Mapping[str, Any] | None, study: Mapping[str, Any]) -> Iterator[Line]:
    """Yield a line for each setting that differs, and one line for all that were kept."""
    if plan is None:
        return
    wanted, found = plan["settings"], study.get("settings")
    if not found:
        yield "Settings", "Study settings", f"{len(wanted)} in {plan['file']}", None, UNKNOWN
        return
    other = [name for name in wanted if found.get(name) != wanted[name]]
    same = len(wanted) - len(other)
    if same:
        yield "Settings", "Study settings as planned", len(wanted), same, KEPT
    for name in other:
        yield "Settings", name, wanted[name], found.get(name), DIFFERENT


def _is_before(at: str, first: str | None) -> bool | None:
    """Return whether `at` is not after `first`; None unless both are ISO 8601 times with a time zone."""
    try:
        return datetime.fromisoformat(at) <= datetime.fromisoformat(first or "")
    except (ValueError, TypeError):
        return None


def _verdict(same: bool | None) -> str:
    return UNKNOWN if same is None else KEPT if same else DIFFERENT


def _text(entry: Any) -> str:
    """Return an entry as the report shows it; empty if it is not known."""
    if entry is None:
        return ""
    if isinstance(entry, list | tuple):
        return ", ".join(map(str, entry))
    return f"{entry:g}" if isinstance(entry, float) else str(entry)
