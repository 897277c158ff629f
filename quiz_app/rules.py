"""The rules of a study: fields with a label, a meaning and bounds, and how values are checked against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, field
from datetime import datetime
from typing import Any

import generation.pool
from quiz_app.languages import sections

KINDS = {int: "whole number", float: "number", bool: "yes or no", str: "text", tuple: "list of texts"}


def marked(text: str) -> str:
    """Mark a text that readers see, for the translation catalogues."""
    return text


# What gives an image away, in order of their keys: 1 to 9, then 0. They are stored in these words.
REASONS = (
    marked("teeth"),
    marked("roots"),
    marked("bone and trabeculae"),
    marked("sinuses and nose"),
    marked("jaw and canal"),
    marked("restorations"),
    marked("blur or noise"),
    marked("repeated texture"),
    marked("text or border"),
    marked("overall look"),
)
LONGEST_REASON = 80
LONGEST_COLUMN = 80  # characters in the name of a column by which cases are compared


def check_reasons(reasons: Sequence[str]) -> None:
    """Raise ValueError for reasons that cannot each have their own key."""
    if not 1 <= len(reasons) <= len(REASONS):
        raise ValueError(f"{len(reasons)} reasons; expected 1 to {len(REASONS)}, because each has a digit as its key")
    if any(not reason.strip() or len(reason) > LONGEST_REASON for reason in reasons):
        raise ValueError(f"each reason must be a line of 1 to {LONGEST_REASON} characters")
    if len({reason.strip().lower() for reason in reasons}) < len(reasons):
        raise ValueError("a reason is given twice")


def check_columns(columns: Sequence[str]) -> None:
    """Raise ValueError unless these are extra columns of a pool's cases.csv, each named once."""
    usual = (*generation.pool.COLUMNS, "excluded")
    if own := [column for column in columns if column.strip() in usual]:
        raise ValueError(f"{', '.join(own)}: every cases.csv has this; expected extra columns, such as device")
    if any(not column.strip() or len(column) > LONGEST_COLUMN for column in columns):
        raise ValueError(f"each column name must have 1 to {LONGEST_COLUMN} characters")
    if twice := [column for column in dict.fromkeys(columns) if columns.count(column) > 1]:
        raise ValueError(f"{', '.join(twice)}: given twice")


def rule(
    section: str,
    label: str,
    default: Any,
    meaning: str,
    low: float | None = None,
    high: float | None = None,
    **more: Any,
) -> Any:
    """A field with its section, label and meaning; numbers have bounds, and lists have `among`, the possible entries.

    more: `choices` maps possible texts to their meanings; `long` is a text of several lines; `moment` is a text that is
    empty or a time with its time zone; `lines` are the possible numbers of lines in a list, the same in each of its
    languages, if it has any; `check` raises ValueError for an invalid list, or for an invalid text that is not empty;
    `even` says why a number must be even.
    """
    metadata = {"section": section, "label": label, "help": meaning, "low": low, "high": high, **more}
    return field(default=default, metadata=metadata)


def checked(entry: Field[Any], value: Any) -> Any:
    """`value` in the form in which the setting stores it. Raises ValueError."""
    rules: Mapping[str, Any] = entry.metadata
    wanted: Any = type(entry.default)
    if wanted is tuple and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        if strange := [item for item in value if item not in rules.get("among", value)]:
            raise ValueError(f"{', '.join(strange)}: not one of {', '.join(rules['among'])}")
        if rules.get("lines") and value:
            _count_lines(value, rules["lines"])
        if rules.get("check"):
            rules["check"](value)
        return tuple(value)
    if wanted is float and type(value) is int:
        value = float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ValueError(f"{value!r} is not a {KINDS[wanted]}")
    if rules["low"] is not None and not rules["low"] <= value <= rules["high"]:
        raise ValueError(f"{value} is not between {rules['low']:g} and {rules['high']:g}")
    if rules.get("even") and value % 2:
        raise ValueError(f"{value} is odd, but {rules['even']}")
    if rules.get("choices") and value not in rules["choices"]:
        raise ValueError(f"{value!r} is not one of {', '.join(rules['choices'])}")
    if rules.get("moment") and value:
        try:
            zoned = datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            zoned = False
        if not zoned:
            raise ValueError(f"{value!r} is not a date and time with a time zone, such as 2027-01-31T18:00+01:00")
    if wanted is str and value and rules.get("check"):
        rules["check"](value)
    return value


def _count_lines(value: Sequence[str], wanted: Sequence[int]) -> None:
    """Raise ValueError if a language has a number of lines that is not `wanted`, or different from the first."""
    for language, part in sections("\n".join(value)).items():
        given = sum(bool(line.strip()) for line in part.splitlines())
        if given not in wanted:
            expected = " or ".join(map(str, [*wanted, "none"]))
            raise ValueError(f"{given} lines{f' in [{language}]' if language else ''}; expected {expected}")
        wanted = (given,)
