"""The flow of images into a pool: `flow` in pool.json.

    {"given": {CLASS: n}, "left_out": {REASON: {CLASS: n}}, "in_pool": {CLASS: n}}

CLASS is real, synthetic, or no_class if it was not stated. Every given image was left out for one of REASONS, or is in
the pool, including practice. A file that could not be read, or from which at most one of several images was used,
counts as one image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

NO_CLASS = "no_class"
CLASSES = ("real", "synthetic", NO_CLASS)
REASONS = (
    "unreadable",
    "not_fetched",  # the archive did not provide it
    "several_images",  # its file has several, and none was chosen
    NO_CLASS,
    "text",  # it seems to contain burnt-in text, and the researcher left it out
    "training",  # a generator was trained on it
    "unmatched",  # its case is not in every folder
    "near_duplicate",
    "not_drawn",
)


def counted(
    given: Mapping[str, int], in_pool: Mapping[str, int], *left_out: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """Return `flow` for pool.json; images neither in the pool nor left out for a known reason were not drawn.

    Raises ValueError if more images are accounted for than were given.
    """
    lost: dict[str, Counter[str]] = {reason: Counter() for reason in REASONS}
    for part in left_out:
        for reason, numbers in part.items():
            lost[reason].update(numbers)
    lost["not_drawn"].update(given)
    for numbers in (in_pool, *(lost[reason] for reason in REASONS if reason != "not_drawn")):
        lost["not_drawn"].subtract(numbers)
    if min(lost["not_drawn"].values(), default=0) < 0:
        raise ValueError(f"more images are accounted for than were given: {dict(given)}, {dict(in_pool)}, {lost}")
    return {
        "given": _ordered(given),
        "left_out": {reason: _ordered(numbers) for reason, numbers in lost.items() if any(numbers.values())},
        "in_pool": _ordered(in_pool),
    }


def _ordered(numbers: Mapping[str, int]) -> dict[str, int]:
    return {truth: numbers[truth] for truth in CLASSES if numbers.get(truth)}


def faults(flow: Any) -> list[str]:
    """Return the problems of a `flow` that was read from a file."""
    known = ("given", "left_out", "in_pool")
    if not isinstance(flow, dict) or flow.keys() != set(known) or not isinstance(flow["left_out"], dict):
        return [f"flow: expected an object with {', '.join(known)}"]
    found = [
        f"flow: left_out: unknown reason {reason!r}, expected {', '.join(REASONS)}"
        for reason in flow["left_out"].keys() - set(REASONS)
    ]
    parts = {"given": flow["given"], "in_pool": flow["in_pool"], **flow["left_out"]}
    for name, numbers in parts.items():
        sound = isinstance(numbers, dict) and numbers.keys() <= set(CLASSES)
        if not sound or not all(type(number) is int and number >= 0 for number in numbers.values()):
            found.append(f"flow: {name}: expected whole numbers of {', '.join(CLASSES)}, got {numbers!r}")
    for truth in CLASSES if not found else ():
        told = sum(numbers.get(truth, 0) for name, numbers in parts.items() if name != "given")
        if told != flow["given"].get(truth, 0):
            found.append(f"flow: {truth}: {flow['given'].get(truth, 0)} given, {told} left out or in the pool")
    return found
