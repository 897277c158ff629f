"""Errors in what a user gives us."""

from __future__ import annotations

from collections.abc import Sequence


class InvalidInputError(ValueError):
    """Invalid input. `faults` lists every problem found, each with its field, file or row."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class RefusedError(Exception):
    """A reader's request that the rules do not allow. Nothing was changed; the page can show `message`.

    `code` is for programs (see docs/reference/protocol.md), `status` is the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 409) -> None:
        self.code = code
        self.status = status
        super().__init__(message)


class SettingsError(ValueError):
    """An invalid setting; the message names it and says what was expected."""
