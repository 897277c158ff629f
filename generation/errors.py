"""The one way in which this wing refuses what it was given."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(ValueError):
    """Input that cannot be used: every fault found, each naming its file, row or field, one a line."""

    def __init__(self, what: str, faults: Sequence[str] = ()) -> None:
        self.what = what
        self.faults = list(faults)
        super().__init__("\n".join([what, *(f"  - {fault}" for fault in self.faults)]))
