"""The conditions under which the cases of a study are read, one per line: `aided: hints = true, limit_s = 20`.

The part after the colon is the inside of a TOML inline table: the settings that are different under the condition.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass
from functools import lru_cache
from typing import Any

from quiz_app.rules import checked, rule

FEWEST, MOST = 2, 4
NAME = re.compile(r"\w[\w -]{0,38}\w|\w")
# The settings that a condition may change, if the design has them.
MAY_CHANGE = (
    *("limit_s", "second_s", "at_timeout", "tools", "largest_side", "practice", "practice_feedback"),
    *("hints", "clue"),
)


@dataclass(frozen=True)
class Condition:
    """A condition and the settings that it changes, not checked yet."""

    name: str
    settings: Mapping[str, Any]


def parse(lines: Sequence[str]) -> list[Condition]:
    """The conditions in these lines. Raises ValueError for the first invalid line, or for too few or too many."""
    return list(_parse(tuple(lines)))


@lru_cache(maxsize=64)
def _parse(lines: tuple[str, ...]) -> tuple[Condition, ...]:
    found = tuple(_condition(line) for line in lines)
    if found and not FEWEST <= len(found) <= MOST:
        raise ValueError(f"number of conditions: {len(found)}; expected {FEWEST} to {MOST}, or none")
    names = [condition.name.lower() for condition in found]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"two conditions have the name {twice!r}")
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
    """Raise ValueError if these lines are not conditions."""
    parse(lines)


@dataclass(frozen=True)
class ConditionSettings:
    """The study settings that define who reads under which condition, and when."""

    conditions: tuple[str, ...] = rule(
        "Conditions",
        "Conditions",
        (),
        "Two to four conditions under which cases are read, one per line: its name, a colon and the settings that it "
        'changes, as in "aided: hints = true, limit_s = 20.0"; none = no conditions. A condition can change '
        f"{', '.join(MAY_CHANGE)}.",
        check=check,
    )
    conditions_by: str = rule(
        "Conditions",
        "Conditions differ",
        "within",
        "Who reads under which condition.",
        choices={
            "within": "every reader reads under each condition in turn, in a balanced sequence",
            "between": "every reader reads under one, assigned at random in balanced blocks within each group",
        },
    )
    conditions_cases: str = rule(
        "Conditions",
        "Cases of a condition",
        "same",
        "Which cases a reader reads under each condition, if readers read under several.",
        choices={
            "same": "the same cases under each, in a different order",
            "split": "every case under only one of them, balanced over readers",
        },
    )
    washout_days: int = rule(
        "Conditions",
        "Washout (days)",
        0,
        "Minimum number of days between the end of a reader's part under one condition and the start of the next.",
        0,
        365,
    )

    @property
    def condition_names(self) -> list[str]:
        """The names of the conditions, in order; empty if there are none."""
        return [condition.name for condition in parse(self.conditions)]

    @property
    def periods(self) -> int:
        """The number of parts in which a reader reads: one for each condition, or one."""
        return len(self.conditions) or 1 if self.conditions_by == "within" else 1


def changes(known: Mapping[str, Field[Any]], lines: Sequence[str], condition: str) -> dict[str, Any]:
    """The settings that a condition changes, in the form in which settings store them; `known` is settings by name."""
    found = (one.settings for one in parse(lines) if one.name == condition)
    return {name: checked(known[name], value) for name, value in next(found, {}).items()}


def faults(known: Mapping[str, Field[Any]], lines: Sequence[str]) -> list[str]:
    """Problems with the settings that conditions change, each as `conditions: CONDITION: setting: reason`."""
    wrong = []
    for condition in parse(lines):
        for name, value in condition.settings.items():
            try:
                if name not in known:
                    raise ValueError("unknown setting in this design")
                checked(known[name], value)
            except ValueError as error:
                wrong.append(f"conditions: {condition.name}: {name}: {error}")
    return wrong
