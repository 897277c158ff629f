"""Check whether file headers differ between the classes, from `how` in pool.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from scipy.stats import chi2_contingency

from generation.radiographs.header import as_read

LEVEL = 0.05
COMPARED = ("laterality", "orientation", "view", "shutter")
TRUTHS = ("real", "synthetic")


def differing(how: Any) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """Return headers that differ between the classes, with counts of real and of synthetic images.

    The comparison uses the files that have the header, or all files for a shutter, which only some have. It is a
    chi-squared test at LEVEL, divided among COMPARED.
    """
    found = {}
    for name in COMPARED:
        real, synthetic = (_counts(how, truth, name) for truth in TRUTHS)
        values = sorted(real | synthetic)
        if len(values) < 2 or not real or not synthetic:
            continue
        table = [[counts[value] for value in values] for counts in (real, synthetic)]
        if chi2_contingency(table, correction=False).pvalue < LEVEL / len(COMPARED):
            found[name] = (real, synthetic)
    return found


def remarks(how: Any) -> list[str]:
    """Return one sentence for each difference."""
    return [
        f"{name} differs between the classes by the files' headers: real {_told(real)}; synthetic {_told(synthetic)}; "
        "this alone can tell the classes apart"
        for name, (real, synthetic) in differing(how).items()
    ]


def _counts(how: Any, truth: str, name: str) -> Counter[str]:
    said = how.get(truth) if isinstance(how, Mapping) else None
    header = said.get("header") if isinstance(said, Mapping) else None
    if not isinstance(said, Mapping) or not isinstance(header, Mapping):
        return Counter()
    counts: Counter[str] = Counter()
    for value, number in _whole(header.get(name)).items():
        counts[as_read(value) if name == "orientation" else value] += number
    if name == "shutter":
        counts["none"] = max(0, sum(_whole(said.get("sources")).values()) - counts.total())
    return +counts


def _whole(counts: Any) -> dict[str, int]:
    return (
        {str(key): number for key, number in counts.items() if type(number) is int}
        if isinstance(counts, Mapping)
        else {}
    )


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{value} {number}" for value, number in counts.most_common())
