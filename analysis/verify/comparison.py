"""Compare two results.json, entry by entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-9
APART = ("software",)  # entries that do not follow from the data; the certificate has both
MISSING = "nothing"


@dataclass(frozen=True)
class Difference:
    """An entry that differs: its JSON pointer, and both values as JSON."""

    path: str
    archived: str
    computed: str


@dataclass(frozen=True)
class Comparison:
    """The numbers of compared numbers and other entries (texts, null), and the largest difference with its place."""

    numbers: int
    others: int
    largest: float
    differences: tuple[Difference, ...]


def compare(archived: Any, computed: Any, tolerance: float = TOLERANCE) -> Comparison:
    """Compare two JSON structures.

    Numbers agree if they differ by at most `tolerance`, or `tolerance` times the larger one; everything else must be
    equal. Versions of the software are ignored.

    >>> found = compare({"a": 1.0, "b": [2, None]}, {"a": 1.0 + 1e-12, "b": [3, None]})
    >>> found.numbers, found.others, [one.path for one in found.differences]
    (2, 1, ['/b/0'])
    """
    numbers = others = 0
    largest, differences = 0.0, []
    for path, one, other in _entries(archived, computed, ""):
        if path.split("/")[1:2] == list(APART):
            continue
        if _is_number(one) and _is_number(other):
            numbers += 1
            apart = abs(one - other) / max(1.0, abs(one), abs(other))
            largest = max(largest, apart)
            same = apart <= tolerance
        else:
            others += 1
            same = type(one) is type(other) and one == other
        if not same:
            differences.append(Difference(path, _shown(one), _shown(other)))
    return Comparison(numbers, others, largest, tuple(differences))


class _Missing:
    """Placeholder for an entry that only the other structure has."""


def _entries(one: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if one is _Missing and isinstance(other, dict | list):
        one = type(other)()  # so that each missing entry is listed
    if other is _Missing and isinstance(one, dict | list):
        other = type(one)()
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one | other:
            step = str(name).replace("~", "~0").replace("/", "~1")
            yield from _entries(one.get(name, _Missing), other.get(name, _Missing), f"{path}/{step}")
    elif isinstance(one, list) and isinstance(other, list):
        for at in range(max(len(one), len(other))):
            first, second = (entries[at] if at < len(entries) else _Missing for entries in (one, other))
            yield from _entries(first, second, f"{path}/{at}")
    else:
        yield path, one, other


def _is_number(entry: Any) -> bool:
    return isinstance(entry, int | float) and not isinstance(entry, bool)


def _shown(entry: Any) -> str:
    return MISSING if entry is _Missing else json.dumps(entry, ensure_ascii=False)
