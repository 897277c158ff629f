"""What can be wrong with what somebody gave us."""

from __future__ import annotations

from collections.abc import Sequence


class InvalidInputError(ValueError):
    """Input that cannot be used. `faults` lists everything found, each naming its field, file or row."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class RefusedError(Exception):
    """A request of a reader that the rules do not allow. Nothing was changed; the page can show `message`.

    `code` is for programs (see docs/reference/protocol.md), `status` is the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 409) -> None:
        self.code = code
        self.status = status
        super().__init__(message)


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it and says what was expected."""
