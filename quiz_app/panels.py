"""Readers who come from a panel, such as Prolific: their ID at the panel, and their way back to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from quiz_app.errors import RefusedError
from quiz_app.rules import rule

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
EXTERNAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
ADDRESS = re.compile(r"[!#-;=?-\[\]-~]{1,1000}")  # all printable characters except spaces, quotes, < > and backslashes
PLACEHOLDERS = ("code", "reader")
_BRACES = re.compile(r"\{([^{}]*)\}")


def check_code(code: str) -> None:
    """Raise ValueError for a code that cannot be copied into every panel's form."""
    if not CODE.fullmatch(code):
        raise ValueError(f"{code!r} is not 1 to 64 letters A to Z, digits, dashes or underscores")


def check_parameter(name: str) -> None:
    """Raise ValueError if this is not the name of a parameter in a link."""
    if not PARAMETER.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a parameter of a link, such as PROLIFIC_PID: "
            "a letter, then up to 39 letters, digits, dashes or underscores"
        )


def check_return(address: str) -> None:
    """Raise ValueError for an address to which no reader should be sent, or for an unknown placeholder."""
    if strange := [f"{{{name}}}" for name in _BRACES.findall(address) if name not in PLACEHOLDERS]:
        known = " and ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"{', '.join(strange)}: unknown placeholder; expected {known}")
    if set("{}") & set(_BRACES.sub("", address)):
        raise ValueError("a brace is not closed, or not opened")
    if not ADDRESS.fullmatch(address):
        raise ValueError(
            "expected an address of at most 1000 characters, without spaces, quotes, backslashes or accents"
        )
    try:
        parts = urlsplit(address)
        is_fit = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fit = False
    if not is_fit or "@" in parts.netloc:
        raise ValueError(f"{address!r} is not an address that begins with https:// and a host, without a user name")
    if "{" in parts.netloc:
        raise ValueError("a placeholder can be in the path or the query, but not in the host")


@dataclass(frozen=True)
class PanelSettings:
    """The settings of a study whose readers come from a panel."""

    completion_code: str = rule(
        "Panel",
        "Completion code",
        "",
        "Shown on the last page to readers who have finished, so that a panel such as Prolific pays them. It is the "
        "same for every reader. Empty = none.",
        check=check_code,
    )
    return_address: str = rule(
        "Panel",
        "Return address",
        "",
        "Where the last page sends readers back to: an https address, in which {code} stands for the completion code "
        "and {reader} for the reader's ID at the panel. Empty = nowhere.",
        check=check_return,
    )
    panel_parameter: str = rule(
        "Panel",
        "Reader's ID in the link",
        "",
        "Name of the parameter of the panel's link that contains the reader's ID, such as PROLIFIC_PID. The ID is "
        "stored once the reader consents. Empty = no ID is stored.",
        check=check_parameter,
    )


def faults(taken: Mapping[str, Any]) -> list[str]:
    """Inconsistencies between settings that are each valid, by field."""
    address = taken.get("return_address", "")
    wanting = []
    if "{code}" in address and not taken.get("completion_code"):
        wanting.append("return_address: contains {code}, but there is no completion code")
    if "{reader}" in address and not taken.get("panel_parameter"):
        wanting.append("return_address: contains {reader}, but no parameter is set for the reader's ID in the link")
    return wanting


@dataclass(frozen=True)
class WayBack:
    """What a reader sees after finishing: a code to copy and an address to return to; either may be empty."""

    code: str
    address: str

    @property
    def host(self) -> str:
        """The host of the address, so that the reader can see it before following the link."""
        return urlsplit(self.address).hostname or ""


def way_back(rules: PanelSettings, external_id: str | None) -> WayBack:
    """A reader's way back; it contains only the study's settings and the reader's own ID."""
    values = {"{code}": rules.completion_code, "{reader}": external_id or ""}
    address = rules.return_address
    for placeholder, value in values.items():
        address = address.replace(placeholder, quote(value, safe=""))
    return WayBack(rules.completion_code, address)


def told(rules: PanelSettings, query: Mapping[str, str]) -> dict[str, str]:
    """The link's parameter with the reader's ID, unchanged, to be passed on; {} = the study does not use one.

    Raises RefusedError (422) for a value that cannot be an ID.
    """
    name = rules.panel_parameter
    value = query.get(name, "") if name else ""
    if not value:
        return {}
    if not EXTERNAL_ID.fullmatch(value):
        raise RefusedError(
            "bad-panel-id",
            "The ID in this link is not valid. Please go back to where you found the link and open it again.",
            422,
        )
    return {name: value}


def carrying(address: str, carried: Mapping[str, str]) -> str:
    """A page's address plus what `told` returned; a parameter may have the same name as a part of the address."""
    return f"{address}?{urlencode(carried)}" if carried else address
