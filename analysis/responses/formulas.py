"""Text that a spreadsheet would run as a formula (CWE-1236): written with an apostrophe before it, and read without.

A formula begins with one of = + - @, blanks before it do not count. After + - @ it can call something or fetch it only
where there is a bracket, a bar or an exclamation mark; without these the text is a number, or a name such as that of a
trial, and stays as it is.
"""

from __future__ import annotations

import re
from typing import Any

FORMULA = re.compile(r"'*\s*(=|[-+@].*[(|!])", re.DOTALL)


def defused(value: Any) -> Any:
    """The entry of a CSV for `value`: text that a spreadsheet would run gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def restored(entry: str) -> str:
    """The text that `defused` wrote as `entry`."""
    return entry[1:] if entry.startswith("'") and FORMULA.match(entry, 1) else entry
