"""Settings as typed dataclasses, read from TOML. Every setting has an explanation, which is written with it."""

from __future__ import annotations

import dataclasses
import json
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from generation.errors import InputError

T = TypeVar("T")


def explained(default: Any, meaning: str, least: float | None = None, most: float | None = None) -> Any:
    """Return a dataclass field with a default, its meaning in words, and its limits."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, "least": least, "most": most})


@dataclass(frozen=True)
class Setting:
    """One setting of a sheet: its section and name, type, and the field that explains it."""

    section: str
    name: str
    kind: Any
    field: dataclasses.Field

    @property
    def meaning(self) -> str:
        return self.field.metadata["meaning"]


def settings_of(sheet: type) -> Iterator[Setting]:
    """Yield every setting of a sheet: a dataclass whose fields are the sections, dataclasses of explained fields."""
    sections = typing.get_type_hints(sheet)
    for section in dataclasses.fields(sheet):
        kinds = typing.get_type_hints(sections[section.name])
        for entry in dataclasses.fields(sections[section.name]):
            yield Setting(section.name, entry.name, kinds[entry.name], entry)


def read(path: str | Path, base: T) -> T:
    """`base` overridden by the settings in a TOML file. Raises InputError with every problem, by section and name."""
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from None
    return update(base, tables, str(path))


def update(base: T, tables: dict[str, Any], where: str) -> T:
    """Return `base` with the values of nested mappings, {section: {name: value}}. Raises InputError like `read`."""
    known: dict[str, dict[str, Setting]] = {}
    for setting in settings_of(type(base)):
        known.setdefault(setting.section, {})[setting.name] = setting
    faults: list[str] = []
    values: dict[str, dict[str, Any]] = {}
    for section, entries in tables.items():
        if section not in known or not isinstance(entries, dict):
            faults.append(f"[{section}]: unknown section; expected {', '.join(known)}")
            continue
        values[section] = {}
        for name, value in entries.items():
            if name not in known[section]:
                faults.append(f"{section}.{name}: unknown setting; expected {', '.join(known[section])}")
                continue
            setting = known[section][name]
            value = _coerced(value, setting.kind)
            values[section][name] = value
            if complaint := _complaint(value, setting):
                faults.append(f"{section}.{name}: {complaint}, found {value!r}")
    if faults:
        raise InputError(f"{where}: {len(faults)} setting(s) cannot be used", faults)
    sections = {name: dataclasses.replace(getattr(base, name), **entries) for name, entries in values.items()}
    return dataclasses.replace(base, **sections)  # type: ignore[type-var]


def as_toml(settings: Any) -> str:
    """Return the settings as a TOML file for `read`, each with its explanation."""
    lines: list[str] = []
    section = None
    for setting in settings_of(type(settings)):
        if setting.section != section:
            section = setting.section
            lines += ["", f"[{section}]"]
        value = getattr(getattr(settings, section), setting.name)
        lines += [f"# {setting.meaning}", f"{setting.name} = {_toml(value)}"]
    return "\n".join(lines[1:]) + "\n"


def _coerced(value: Any, kind: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return float(value) if kind is float and type(value) is int else value


def _complaint(value: Any, setting: Setting) -> str | None:
    kind, least, most = setting.kind, setting.field.metadata["least"], setting.field.metadata["most"]
    if typing.get_origin(kind) is typing.Literal:
        choices = typing.get_args(kind)
        return None if value in choices else f"expected one of {', '.join(map(repr, choices))}"
    if typing.get_origin(kind) is tuple:
        of = typing.get_args(kind)[0]
        fits = isinstance(value, tuple) and all(type(_coerced(entry, of)) is of for entry in value)
        return None if fits else f"expected a list of {of.__name__}"
    if type(value) is not kind:
        return f"expected {kind.__name__}"
    if (least is not None and value < least) or (most is not None and value > most):
        return f"expected {least} to {most}" if most is not None else f"expected at least {least}"
    return None


def _toml(value: Any) -> str:
    """Return plain values as TOML; JSON's strings, numbers and lists are also valid TOML."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")  # JSON allows it, TOML forbids it
