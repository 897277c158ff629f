"""Decisions at planned interim looks (stop or continue), and the adjusted figure after the study has ended.

A look tests the readers' mean figure against chance, readers and cases random (`statistics.few_readers`), and compares
its p with the level of that look (`statistics.sequential`). `analysis.planning.looks` makes such plans.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from analysis.statistics import few_readers, sequential
from analysis.statistics.arrays import Floats, one_of
from analysis.statistics.estimate import Estimate
from analysis.statistics.mrmc import obuchowski_rockette
from analysis.statistics.sequential import Boundaries

ENDPOINTS = ("auc", "accuracy")


@dataclass(frozen=True)
class Looks:
    """Readers and cases at each look, boundaries, and the conditional power below which a look stops for futility."""

    endpoint: str
    null: float
    readers: tuple[int, ...]
    cases: tuple[int, ...]
    planned: Boundaries
    futility: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the content of looks.json."""
        looks = zip(
            self.readers,
            self.cases,
            self.planned.information,
            self.planned.critical,
            self.planned.levels,
            strict=True,
        )
        named = ("readers", "cases", "information", "critical", "level")
        return {
            "endpoint": self.endpoint,
            "null": self.null,
            "alpha": self.planned.alpha,
            "spending": self.planned.spending,
            "futility": self.futility,
            "looks": [dict(zip(named, look, strict=True)) for look in looks],
        }


def from_dict(kept: dict[str, Any]) -> Looks:
    """Return the looks from the output of `Looks.as_dict`. Raises ValueError naming what is missing or invalid.

    >>> kept = Looks("auc", 0.5, (3, 6), (100, 100), sequential.boundaries([0.6, 1]))
    >>> from_dict(kept.as_dict()) == kept
    True
    """
    try:
        looks = kept["looks"]
        information = [float(look["information"]) for look in looks]
        planned = sequential.boundaries(information, float(kept["alpha"]), kept["spending"])
        readers, cases = (tuple(int(look[name]) for look in looks) for name in ("readers", "cases"))
        return Looks(
            one_of(kept["endpoint"], ENDPOINTS, "endpoint"),
            float(kept["null"]),
            readers,
            cases,
            planned,
            kept["futility"],
        )
    except KeyError as gone:
        raise ValueError(f"looks: expected an entry {gone.args[0]!r}") from None
    except TypeError:
        raise ValueError("looks: expected looks as written by `discern plan --looks`") from None


def measure(scores: Floats, truth: Floats, endpoint: str, null: float) -> Estimate:
    """The figure that a look tests: `few_readers.welch` for the readers' mean; Hillis' for more than ten readers.

    `scores`: levels for "auc", credits for "accuracy"; readers x cases.

    >>> scores = [[1, 2, 3, 2, 3, 4, 5, 5], [2, 1, 4, 3, 3, 2, 5, 4], [1, 3, 2, 2, 4, 3, 4, 5]]
    >>> round(measure(scores, [0, 0, 0, 0, 1, 1, 1, 1], "auc", 0.5).p, 2)
    0.14
    """
    return few_readers.welch(obuchowski_rockette(scores, truth, endpoint=endpoint, null=null), null)


def decide(found: Estimate, look: int, looks: Looks) -> str:
    """Return the decision of a look (0 = first): "efficacy", "futility", "continue", or "end" at the last one.

    A figure without p never stops a study: if readers do not vary, for example make no mistakes, there is no test.

    >>> looks = Looks("auc", 0.5, (3, 6), (100, 100), sequential.boundaries([0.6, 1]), futility=0.1)
    >>> [decide(Estimate(0.6, p=p), 0, looks) for p in (0.0001, 0.1, 0.9)], decide(Estimate(0.6, p=0.2), 1, looks)
    (['efficacy', 'continue', 'futility'], 'end')
    """
    planned = looks.planned
    if found.p is not None and found.p <= planned.levels[look]:
        return "efficacy"
    if look == len(planned.levels) - 1:
        return "end"
    if looks.futility is not None and found.p is not None:
        z = sequential.as_normal(found.p, (found.value or 0.0) >= looks.null)
        if sequential.conditional_power(z, look, planned) < looks.futility:
            return "futility"
    return "continue"


def adjust(found: Estimate, look: int, looks: Looks) -> Estimate:
    """The median-unbiased figure after the study ended at `look` (0 = first), with adjusted interval and p.

    `found` is the result of `measure`. Its p, as a normal statistic, and the distance of the figure from `null` (on
    logits if `welch` was used) give the distance in standard errors; `statistics.sequential.adjusted` uses stage-wise
    ordering. If the figure is far from the null and readers are few, the interval is slightly wide, because a t
    statistic shrinks when converted to a normal one. Undefined if `found` has no p, or equals the null.

    >>> looks = Looks("auc", 0.5, (3, 6), (100, 100), sequential.boundaries([0.6, 1]))
    >>> after = adjust(Estimate(0.8, 0.05, p=0.0005, method="Welch, logit interval"), 0, looks)
    >>> round(after.value, 3), [round(limit, 3) for limit in after.ci], round(after.p, 4)
    (0.8, [0.647, 0.897], 0.0005)
    """
    name = f"median-unbiased after look {look + 1} of {len(looks.readers)}, stage-wise ordering"
    if found.value is None or found.p is None or found.value == looks.null:
        reason = found.reason or "the figure equals the null value, so its distance in standard errors is unknown"
        return Estimate(found.value, method=name, reason=reason)
    on_logits = found.method.endswith("logit interval")
    there, null = (_logit(one) if on_logits else one for one in (found.value, looks.null))
    z = sequential.as_normal(found.p, found.value > looks.null)
    if abs(z) < 1e-6:
        return Estimate(found.value, method=name, reason="p is 1, so the distance in standard errors is unknown")
    # One unit of drift, the mean of z at the last look, on the figure's scale.
    unit = (there - null) / z * math.sqrt(looks.planned.information[look])
    again = sequential.adjusted(z, look, looks.planned)
    value, low, high = (null + part * unit for part in again[:3])
    if on_logits:
        value, low, high = (1 / (1 + math.exp(-part)) for part in (value, low, high))
    return Estimate(value, ci=(low, high), p=again.p, method=f"{name}, against {looks.null:g}")


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
