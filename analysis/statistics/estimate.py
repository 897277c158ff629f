"""The common form in which the statistics return a number."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A number with its uncertainty, and how both were obtained.

    `value` is None if the quantity is undefined; `reason` then says why in words.
    `ci` is a 95 % interval unless `method` says otherwise. Method-specific figures
    (degrees of freedom, variance components, counts left out) are in `extra`.
    """

    value: float | None
    se: float | None = None
    ci: tuple[float, float] | None = None
    p: float | None = None
    method: str = ""
    df: float | None = None
    reason: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A p of exactly 0 is impossible: values below the float range become the smallest float.
        if self.p == 0:
            object.__setattr__(self, "p", sys.float_info.min)

    def __getattr__(self, name: str) -> Any:
        # Figures of one method (se_null, variance, ...) read like attributes.
        extra = self.__dict__.get("extra", {})
        if name in extra:
            return extra[name]
        raise AttributeError(f"Estimate has no {name!r}; it has {[f.name for f in fields(self)]} and {sorted(extra)}")

    def as_dict(self) -> dict[str, Any]:
        """Return a plain mapping for results.json, without empty fields except `value`."""
        plain: dict[str, Any] = {"value": self.value}
        for name in ("se", "ci", "p", "df", "reason"):
            entry = getattr(self, name)
            if entry is not None:
                plain[name] = list(entry) if isinstance(entry, tuple) else entry
        if self.method:
            plain["method"] = self.method
        return plain | self.extra


def undefined(reason: str, method: str = "", **extra: Any) -> Estimate:
    """Return an estimate without a value, with the reason in words."""
    return Estimate(value=None, method=method, reason=reason, extra=extra)
