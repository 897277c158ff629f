"""Acquisition and orientation of an image from its DICOM header.

Only standard terms are read, so that no personal data is included; `other` stands for anything else. They are used only
for counts, for the researcher and for the audit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pydicom

DIRECTIONS = re.compile(r"(?!.*(A.*P|P.*A|L.*R|R.*L|H.*F|F.*H))[APLRHF]{1,3}")  # PS3.3, C.7.6.1.1.1
OPPOSITE = str.maketrans("APLRHF", "PARLFH")


def _one_of(*terms: str) -> Callable[[Any], str]:
    return lambda value: str(value).strip() if str(value).strip() in terms else "other"


def _orientation(value: Any) -> str:
    sides = [] if isinstance(value, str) else [str(side).strip() for side in value]
    return "\\".join(sides) if len(sides) == 2 and all(map(DIRECTIONS.fullmatch, sides)) else "other"


def _shapes(value: Any) -> str:
    known = _one_of("RECTANGULAR", "CIRCULAR", "POLYGONAL")
    return ", ".join(sorted({known(shape) for shape in ([value] if isinstance(value, str) else value)}))


def _quarter_turn(value: Any) -> str:
    return f"{int(value)}" if value in (0, 90, 180, 270) else "other"


_side = _one_of("R", "L", "U", "B")
SAID: dict[str, tuple[tuple[str, ...], Callable[[Any], str]]] = {  # the first element present is used
    "laterality": (("ImageLaterality", "Laterality"), _side),
    "orientation": (("PatientOrientation",), _orientation),
    "view": (("ViewPosition",), _one_of("AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO")),
    "shutter": (("ShutterShape",), _shapes),
    "field of view: shape": (("FieldOfViewShape",), _one_of("RECTANGLE", "ROUND", "HEXAGONAL")),
    "field of view: rotation": (("FieldOfViewRotation",), _quarter_turn),
    "field of view: flipped": (("FieldOfViewHorizontalFlip",), _one_of("YES", "NO")),
}


def said(data: pydicom.Dataset) -> dict[str, str]:
    """Return the header's values by the names in SAID, without missing ones."""
    found = {}
    for name, (keywords, told) in SAID.items():
        try:
            value = next((data.get(keyword) for keyword in keywords if data.get(keyword) not in (None, "", [])), None)
            if value is not None:
                found[name] = told(value)
        except Exception:  # pydicom may raise anything for a corrupt value
            found[name] = "other"
    return found


def flips(orientation: str) -> tuple[bool, bool]:
    """Return whether an image with this orientation (from `said`) must be mirrored left to right, and top to bottom,
    so that the patient's left is on the right-hand side and the head up. Non-standard values are ignored."""
    across, _, down = orientation.partition("\\")
    return across.startswith("R"), down.startswith("H")


def as_read(orientation: str) -> str:
    """Return the orientation that readers see for a file with this orientation, after `flips`."""
    sides = zip(orientation.split("\\"), flips(orientation), strict=False)
    return "\\".join(side.translate(OPPOSITE) if flip else side for side, flip in sides)
