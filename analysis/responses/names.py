"""Match image names between tables: with or without a path, a suffix, or capitals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

ENDING = re.compile(r"\.(png|jpe?g|tiff?|bmp|gif|webp|dcm|dicom)$", re.IGNORECASE)
READINGS: tuple[Callable[[str], str], ...] = (  # each ignores a little more than the one before
    lambda name: name,
    lambda name: re.split(r"[/\\]", name)[-1],
    lambda name: ENDING.sub("", re.split(r"[/\\]", name)[-1]),
    lambda name: ENDING.sub("", re.split(r"[/\\]", name)[-1]).casefold(),
)


class Names:
    """Known names, by which others are found; counts those that were written differently."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known: list[dict[str, list[str]]] = []
        every = list(known)
        for reading in READINGS:
            found: dict[str, list[str]] = {}
            for name in every:
                found.setdefault(reading(name), []).append(name)
            self._known.append(found)
        self._forgiven: dict[str, str] = {}

    def find(self, name: str) -> str:
        """Return the one known name that `name` can mean. Raises ValueError if there is none, or more than one."""
        for reading, known in zip(READINGS, self._known, strict=True):
            found = known.get(reading(name), [])
            if len(found) > 1:
                raise ValueError(f"{name!r} could be {' or '.join(map(repr, found))}")
            if found:
                if found[0] != name:
                    self._forgiven[name] = found[0]
                return found[0]
        raise ValueError(f"{name!r} has no label")

    def remarks(self, here: str, there: str) -> list[str]:
        """Return a sentence about the differences ignored between the tables of these names."""
        if not self._forgiven:
            return []
        name, found = next(iter(self._forgiven.items()))
        many = len(self._forgiven)
        return [f"{here}: {many} image name(s) matched with {there} without path or suffix, e.g. {name!r} as {found!r}"]
