"""Read radiographs of any format and convert them to a common form: grey, upright, without margins, one size."""

from __future__ import annotations

from generation.radiographs.finding import FRAMES, SUFFIXES, chosen, find, frames_of, is_dicom
from generation.radiographs.guarded import expanded, look, looks, read, readable
from generation.radiographs.reading import Reading
from generation.radiographs.shaping import (
    HIGH,
    JOURNAL_MARGINS,
    LOW,
    SETS,
    Margins,
    PublicSet,
    crop,
    high,
    low,
    parse_margins,
)

__all__ = [
    "FRAMES",
    "HIGH",
    "JOURNAL_MARGINS",
    "LOW",
    "SETS",
    "SUFFIXES",
    "Margins",
    "PublicSet",
    "Reading",
    "chosen",
    "crop",
    "expanded",
    "find",
    "frames_of",
    "high",
    "is_dicom",
    "look",
    "looks",
    "low",
    "parse_margins",
    "read",
    "readable",
]
