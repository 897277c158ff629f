"""The conditions under which the cases of a study are read, one a line: `aided: hints = true, limit_s = 20`.

What follows the colon is the inside of an inline table of TOML: the settings that are different under the condition.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

FEWEST, MOST = 2, 4
NAME = re.compile(r"\w[\w -]{0,38}\w|\w")
# The settings that a condition may change, as far as the design knows them.
MAY_CHANGE = (
    *("limit_s", "second_s", "at_timeout", "tools", "largest_side", "practice", "practice_feedback"),
    *("hints", "clue"),
)


@dataclass(frozen=True)
class Condition:
    """A condition and the settings that are different under it, not checked yet."""

    name: str
    settings: Mapping[str, Any]


def parse(lines: Sequence[str]) -> list[Condition]:
    """The conditions in these lines. Raises ValueError for the first that is not one, or for too few or too many."""
    return list(_parse(tuple(lines)))


@lru_cache(maxsize=64)
def _parse(lines: tuple[str, ...]) -> tuple[Condition, ...]:
    found = tuple(_condition(line) for line in lines)
    if found and not FEWEST <= len(found) <= MOST:
        raise ValueError(f"{len(found)} conditions, {FEWEST} to {MOST} or none are expected")
    names = [condition.name.lower() for condition in found]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"there are two conditions called {twice!r}")
    return found


def _condition(line: str) -> Condition:
    name, _, rest = (part.strip() for part in line.partition(":"))
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name of 1 to 40 letters, digits, spaces, dashes or underscores")
    try:
        settings = tomllib.loads(f"settings = {{{rest}}}")["settings"]
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f'{name}: expected as in "aided: hints = true, limit_s = 20" ({error})') from None
    if strange := [setting for setting in settings if setting not in MAY_CHANGE]:
        known = ", ".join(MAY_CHANGE)
        raise ValueError(f"{name}: {', '.join(strange)} cannot differ between conditions; these can: {known}")
    return Condition(name, settings)


def check(lines: Sequence[str]) -> None:
    """Raises ValueError where these lines are not conditions."""
    parse(lines)
