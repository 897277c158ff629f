"""Subgroups of the cases, declared in a study's settings before it opens: columns of the pool's cases.csv."""

from __future__ import annotations

from collections import Counter

from quiz_app.models import Study
from quiz_app.study.cases import scored_cases

FEW = 10  # cases of a class in a subgroup


def faults(study: Study) -> list[str]:
    """Why cases cannot be compared by the declared columns, each as `subgroups: reason`."""
    from analysis.responses.subgroups import unfit

    known = sorted({name for case in scored_cases(study) for name in case.labels})
    reasons = []
    for column in study.rules.subgroups:
        compared = _compared(study, column)
        if column not in known:
            there = f"its extra columns are {', '.join(known)}" if known else "it has no extra columns"
            reasons.append(f"subgroups: the pool's cases.csv has no column {column!r} with entries; {there}")
        elif why := unfit(compared.values()):
            reasons.append(f"subgroups: {column!r} {why}")
    return reasons


def told(study: Study) -> tuple[list[str], list[str]]:
    """The number of cases in each subgroup, one line per column; and what makes comparisons weak.

    Neither says which class is which, because the study may be blinded.
    """
    lines, weak = [], []
    truths = {case.name: case.truth for case in scored_cases(study)}
    for column in study.rules.subgroups:
        compared = _compared(study, column)
        counts = Counter(compared.values())
        lines.append(f"{column}: {', '.join(f'{value} {count}' for value, count in sorted(counts.items()))}")
        if lacking := len(truths) - len(compared):
            weak.append(f"{column}: cases without an entry, which are left out of comparisons: {lacking}.")
        by_class = Counter((value, truths[case]) for case, value in compared.items())
        few = [value for value in sorted(counts) if min(by_class[value, t] for t in ("real", "synthetic")) < FEW]
        weak += [f"{column}: {value} has fewer than {FEW} cases of a class." for value in few]
    return lines, weak


def _compared(study: Study, column: str) -> dict[str, str]:
    from analysis.responses.subgroups import values

    return values({case.name: case.labels.get(column, "") for case in scored_cases(study)})
