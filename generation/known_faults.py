"""Known faults of synthetic images: `faults.json` in a pool folder.

    {"format": 1, "faults": {CASE: [{"kind": "stripes", "x": 0.5, "y": 0.6, "rx": 0.1, "ry": 0.2, "angle": 0}]}}

Each fault is an ellipse: its centre as fractions of the width from the left edge and of the height from the top edge,
its half-axes as fractions of the width (`rx`) and of the height (`ry`), rotated counter-clockwise by `angle` degrees in
image pixels. A case without an entry has no known faults.

This module has few imports on purpose, because the quiz imports it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

FILE = "faults.json"
FORMAT = 1
RANGES = {"x": (0, 1), "y": (0, 1), "rx": (0, 1), "ry": (0, 1), "angle": (-360, 360)}

Box = tuple[float, float, float, float]  # left, top, right, bottom in px


@dataclass(frozen=True)
class KnownFault:
    """The kind of a fault, and its ellipse (fractions of width and height, degrees)."""

    kind: str
    x: float
    y: float
    rx: float
    ry: float
    angle: float = 0.0

    def moved(self, size: tuple[int, int], box: Box, new_size: tuple[int, int]) -> KnownFault:
        """Return the fault after `box` of an image of `size` (width, height) was resized to `new_size`.

        The ellipse changes shape, because height and width may scale differently. A centre outside is moved to the
        edge.
        """
        turn = math.radians(self.angle)
        axes = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        axes = axes * [self.rx * size[0], self.ry * size[1]]  # columns: the half-axes in px, y downwards
        factors = np.divide(new_size, (box[2] - box[0], box[3] - box[1]))
        directions, lengths, _ = np.linalg.svd(factors[:, None] * axes)
        first = int(np.argmax(np.abs(directions.T @ (factors * axes[:, 0])) / lengths))
        across, down = directions[:, first] * (1 if directions[0, first] >= 0 else -1)
        centre = np.clip((np.multiply((self.x, self.y), size) - box[:2]) * factors / new_size, 0, 1)
        half = np.minimum(np.array([lengths[first], lengths[1 - first]]) / new_size, 1)
        angle = math.degrees(math.atan2(-down, across))
        x, y, rx, ry = map(float, (*centre, *half))
        return KnownFault(self.kind, x, y, rx, ry, angle)

    def contains(self, x: Any, y: Any, size: tuple[int, int]) -> Any:
        """Return whether places (fractions of width and height) are in the ellipse; `size`: (width, height) in px."""
        turn = math.radians(self.angle)
        across, down = (x - self.x) * size[0], (y - self.y) * size[1]
        along = (across * math.cos(turn) - down * math.sin(turn)) / (self.rx * size[0])
        aside = (across * math.sin(turn) + down * math.cos(turn)) / (self.ry * size[1])
        return along**2 + aside**2 <= 1


FIELDS = tuple(field.name for field in fields(KnownFault))


def write(folder: Path, known: Mapping[str, Sequence[KnownFault]]) -> None:
    """Write faults.json of the pool in `folder`: the faults by case, without the cases that have none."""
    rounded = {
        case: [
            {name: value if name == "kind" else round(value, 4) for name, value in asdict(one).items()} for one in own
        ]
        for case, own in known.items()
        if own
    }
    text = json.dumps({"format": FORMAT, "faults": rounded}, indent=1, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: Path, truths: Mapping[str, str]) -> tuple[dict[str, tuple[KnownFault, ...]], list[str]]:
    """Return the known faults by case of the pool in `folder`, and all problems of its faults.json.

    truths: truth of every case in the pool. Without the file there are no known faults and no problems.
    """
    path = folder / FILE
    if not path.exists():
        return {}, []
    try:
        given = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_twins)
    except (OSError, ValueError) as error:
        return {}, [f"{FILE}: not readable as JSON ({error})"]
    if not isinstance(given, dict) or set(given) != {"format", "faults"} or not isinstance(given["faults"], dict):
        return {}, [f'{FILE}: expected an object with "format" and "faults", the faults by case']
    problems = []
    if given["format"] != FORMAT:
        problems.append(f"format is {given['format']!r}, expected {FORMAT}")
    found: dict[str, tuple[KnownFault, ...]] = {}
    for case, own in given["faults"].items():
        if case not in truths:
            problems.append(f"{case}: unknown case, not in cases.csv")
        elif own and truths[case] != "synthetic":
            problems.append(f"{case}: is {truths[case]}; only synthetic images have faults")
        if not isinstance(own, list):
            problems.append(f"{case}: expected a list of faults, got {own!r}")
            continue
        wrong = [f"{case}, fault {number}: {why}" for number, one in enumerate(own, start=1) for why in _problems(one)]
        problems += wrong
        if own and not wrong:
            found[case] = tuple(KnownFault(**one) for one in own)
    return found, [f"{FILE}: {problem}" for problem in problems]


def _problems(fault: Any) -> list[str]:
    if not isinstance(fault, dict):
        return [f"expected an object with {', '.join(FIELDS)}, got {fault!r}"]
    problems = [f"unknown field {name!r}, expected {', '.join(FIELDS)}" for name in fault if name not in FIELDS]
    problems += [f"{name} is missing" for name in FIELDS if name not in fault]
    if "kind" in fault and not (isinstance(fault["kind"], str) and fault["kind"].strip()):
        problems.append(f"kind is {fault['kind']!r}, expected text")
    for name, (low, high) in RANGES.items():
        value = fault.get(name, low or high)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            problems.append(f"{name} is {value!r}, expected a number from {low} to {high}")
        elif name in ("rx", "ry") and value == 0:
            problems.append(f"{name} is 0, expected more")
    return problems


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} occurs twice in one object")
    return dict(pairs)
