"""The form for a study's settings, generated from the settings themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass
from datetime import UTC, datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from quiz_app.study import plan
from quiz_app.study.settings import StudySettings


@dataclass(frozen=True)
class Control:
    """One setting on the page: `kind` is number, choice, several, switch, moment, lines, long or text."""

    name: str
    label: str
    hint: str
    kind: str
    value: Any
    rules: Mapping[str, Any]
    step: str  # of a number


def sections(rules: StudySettings, said: MultiDict[str, str] | None = None) -> dict[str, list[Control]]:
    """Every setting by section, with its current value, or with the value `said` in a form that was refused."""
    found = plan.by_section(rules).items()
    return {section: [_control(one, rules, said) for one in entries] for section, entries in found}


def settings(form: MultiDict[str, str], rules: StudySettings) -> dict[str, Any]:
    """The settings in a form. A value that cannot be converted stays text, so that the check can report it."""
    given = [entry for entry in rules.entries().values() if entry.name in form]
    return {entry.name: _parsed(entry, form.getlist(entry.name)) for entry in given}


def is_number(text: str) -> bool:
    """Whether a text is a whole number that can be a row number; longer texts are not even parsed."""
    return text.isdecimal() and len(text) < 10


def _control(entry: Field[Any], rules: StudySettings, said: MultiDict[str, str] | None) -> Control:
    kind = _kind(entry)
    value = getattr(rules, entry.name)
    if kind == "lines":
        value = "\n".join(value)
    elif kind == "moment":
        value = f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%dT%H:%M}" if value else ""
    elif kind == "number":
        value = f"{value:g}" if isinstance(value, float) else value
    if said is not None and entry.name in said:
        ways = {"switch": lambda texts: texts[-1] == "yes", "several": lambda texts: texts}
        value = ways.get(kind, lambda texts: texts[0])(said.getlist(entry.name))
    step = "any" if isinstance(entry.default, float) else "1"
    return Control(entry.name, entry.metadata["label"], plan.meaning(entry), kind, value, entry.metadata, step)


def _kind(entry: Field[Any]) -> str:
    if entry.metadata.get("choices"):
        return "choice"
    if entry.metadata.get("among"):
        return "several"
    if entry.metadata.get("moment"):
        return "moment"
    by_type = {bool: "switch", int: "number", float: "number", tuple: "lines"}
    return by_type.get(type(entry.default), "long" if entry.metadata.get("long") else "text")


def _parsed(entry: Field[Any], texts: list[str]) -> Any:
    kind, text = _kind(entry), texts[-1]
    if kind == "several":
        return tuple(text for text in texts if text)  # the form also sends an empty value, so that none can be ticked
    if kind == "switch":
        return text == "yes"
    if kind == "lines":
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    if kind == "moment" and text:
        return text if text[-1] == "Z" or "+" in text else f"{text}+00:00"  # a browser's date field has no zone: UTC
    if kind == "number":
        try:
            return float(text) if isinstance(entry.default, float) else int(text)
        except ValueError:
            return text
    return text.replace("\r\n", "\n").strip()
