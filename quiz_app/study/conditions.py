"""Check that a study's conditions, hints and anchors fit its pool and its other settings."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta

from quiz_app import clock
from quiz_app.designs import DESIGNS, allotment
from quiz_app.models import Study
from quiz_app.study.cases import practice_cases, scored_cases
from quiz_app.study.settings import StudySettings


def faults(study: Study) -> list[str]:
    """Why a study cannot be opened with its conditions, hints and anchors, each as `field: reason`."""
    rules = study.rules
    return [
        *_sequence_faults(rules),
        *_split_faults(study, rules),
        *_hint_faults(study),
        *_anchor_faults(study, rules),
        *_changed_faults(study, rules),
    ]


def warnings(study: Study) -> list[str]:
    """What the researcher should know about conditions and hints before opening the study, in sentences."""
    rules, said = study.rules, [*_unreached(study), *_uneven_sources(study)]
    names = rules.condition_names
    if study.hints and not showing_hints(rules):
        said.append("The study has a hint file, but no reader sees the hints.")
    clued = [name for name in names if rules.under(name).clue]
    if rules.periods > 1 and clued and len(clued) < len(names):
        said.append(
            f"Readers cannot forget the clue of {', '.join(clued)}: if they "
            f"read under it first, they know it in the next part. "
            "Consider conditions that differ between readers."
        )
    for one, other in itertools.combinations(names, 2):
        if rules.under(one) == rules.under(other):
            said.append(f"{one} and {other} are read under the same settings.")
    return said


def _unreached(study: Study) -> list[str]:
    """A warning if there are fewer readers than conditions, or than sequences of conditions."""
    rules, count = study.rules, len(study.rules.conditions)
    readers = sum(not reader.is_preview for reader in study.readers) + (study.open_cap or 0)
    places = f"places for {readers} reader{'' if readers == 1 else 's'}"
    if rules.conditions_by == "between" and readers < count:
        return [f"{count} conditions and {places}: at least one condition has no reader. Invite more readers."]
    if rules.periods > 1 and readers < (sequences := len(allotment.sequences(count))):
        return [f"{sequences} sequences of conditions and {places}: they cannot be balanced. Invite more readers."]
    return []


def _uneven_sources(study: Study) -> list[str]:
    """If cases are split over conditions: the sources that cannot be split evenly."""
    rules = study.rules
    if rules.conditions_cases != "split" or rules.periods < 2 or DESIGNS[study.design].grouped:
        return []
    counts = Counter(case.source for case in scored_cases(study) if case.truth == "synthetic")
    uneven = [f"{source or 'no source'}: {n}" for source, n in sorted(counts.items()) if n % rules.periods]
    if len(counts) < 2 or not uneven:
        return []
    return [f"Sources that cannot be split evenly over {rules.periods} conditions: {', '.join(uneven)}."]


def _changed_faults(study: Study, rules: StudySettings) -> list[str]:
    """Problems with the pool that occur under a condition but not without one."""
    design, cases, practice = DESIGNS[study.design], scored_cases(study), practice_cases(study)
    usual = design.faults(cases, practice, rules)
    return [
        f"conditions: {name}: {fault}"
        for name in rules.condition_names
        for fault in design.faults(cases, practice, rules.under(name))
        if fault not in usual
    ]


def _sequence_faults(rules: StudySettings) -> list[str]:
    reasons = []
    if rules.conditions and rules.looks:
        reasons.append("looks: a study with conditions cannot have interim looks")
    if rules.periods < 2 and rules.washout_days:
        reasons.append("washout_days: readers read in one part, so there is no washout; set 0")
    if rules.closing and rules.periods > 1:
        wait = timedelta(days=rules.washout_days * (rules.periods - 1))
        if rules.washout_days and clock.now() + wait >= rules.closing:
            days = f"{rules.periods - 1} x {rules.washout_days} days"
            reasons.append(f"closes: {rules.closes} is before the end of the washout ({days}), so nobody could finish")
    return reasons


def _split_faults(study: Study, rules: StudySettings) -> list[str]:
    if rules.conditions_cases != "split":
        return []
    if rules.periods < 2:
        return ["conditions_cases: readers read in one part, so cases cannot be split between parts; use same"]
    reasons = []
    if rules.cases and rules.assignment != "crossed":
        reasons.append(f"conditions_cases: split needs the assignment crossed, not {rules.assignment}")
    design, cases = DESIGNS[study.design], scored_cases(study)
    count = rules.cases or design.available(cases)
    if design.grouped:
        counts = {design.noun: count}
    elif rules.cases:
        counts = {"cases of each class": count // 2}
    else:
        counts = {f"{truth} cases": number for truth, number in Counter(case.truth for case in cases).items()}
    for noun, number in counts.items():
        if number % rules.periods:
            reasons.append(f"conditions_cases: {number} {noun} cannot be split evenly over {rules.periods} conditions")
    return reasons


def showing_hints(rules: StudySettings) -> list[str]:
    """The names of the conditions under which hints are shown; one empty name for a study without conditions."""
    return [name for name in rules.condition_names or [""] if rules.under(name).hints]


def _hint_faults(study: Study) -> list[str]:
    rules, showing = study.rules, showing_hints(study.rules)
    if showing and not study.hints:
        under = f" under {', '.join(showing)}" if rules.conditions else ""
        return [f"hints: they should be shown{under}, but the study has no hint file; upload one"]
    if showing:
        hinted = {hint.case_id for hint in study.hints}
        missing = [case.name for case in scored_cases(study) if case.id not in hinted]
        return [f"hints: none for {', '.join(missing[:10])}"] if missing else []
    return []


def _anchor_faults(study: Study, rules: StudySettings) -> list[str]:
    if rules.assignment != "anchored":
        return ["anchors: used only if the assignment is anchored; set 0"] if rules.anchors else []
    if DESIGNS[study.design].grouped or not DESIGNS[study.design].has_truth:
        return [f"assignment: a study with the design {study.design} cannot be anchored"]
    if not 0 < rules.anchors < rules.cases:
        return [f"anchors: {rules.anchors} of {rules.cases} cases per reader; use at least 2, and fewer than the cases"]
    return []
