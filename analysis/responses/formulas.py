"""Escape text that a spreadsheet would run as a formula (CWE-1236) with an apostrophe, and remove it when reading.

A formula begins with one of = + - @, after any spaces. After + - @ it can call or fetch something only if there is a
bracket, a bar or an exclamation mark; without these the text is a number, or a name such as that of a trial, and is
left unchanged.
"""

from __future__ import annotations

import re
from typing import Any

FORMULA = re.compile(r"'*\s*(=|[-+@].*[(|!])", re.DOTALL)


def defused(value: Any) -> Any:
    """Return the CSV entry for `value`; text that a spreadsheet would run gets a leading apostrophe."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def restored(entry: str) -> str:
    """Return the original text of an `entry` written by `defused`."""
    return entry[1:] if entry.startswith("'") and FORMULA.match(entry, 1) else entry
