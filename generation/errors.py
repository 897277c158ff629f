"""The error for invalid input in this package."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(ValueError):
    """Input that cannot be used: lists every problem, one per line, naming its file, row or field."""

    def __init__(self, what: str, faults: Sequence[str] = ()) -> None:
        self.what = what
        self.faults = list(faults)
        super().__init__("\n".join([what, *(f"  - {fault}" for fault in self.faults)]))
