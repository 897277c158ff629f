"""A simulated observer, by signal detection theory (Macmillan and Creelman, Detection Theory, 2005, chapters 1 and 3).

A reader's evidence for a case is normal with standard deviation 1 around +d'/2 if it is synthetic and -d'/2 if it is
real, shifted by how odd the case looks to all readers. The answer depends on where it lies among the reader's
thresholds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

ABLE = 1.2  # mean sensitivity of the readers
PREFERENCE = 0.7  # chance of preferring the first of two methods by name
PAUSES = 0.01  # share of the answers after which a reader asks for a pause
SLOPE = 4.0  # of the psychometric function, per natural log unit of exposure
LAPSE = 0.02
THRESHOLD_MS, THRESHOLD_SPREAD = 350.0, 0.25  # geometric mean over readers, standard deviation of its logarithm
SEEN = 0.05  # half axis of a fault that 63 % of readers see, as a share of the image
STRAY = 0.2  # chance of each further mark, anywhere in the image
NAMED = 0.7  # chance of giving the reason that matches the kind of fault
ODDITY = 0.5  # standard deviation of what all readers see in a case apart from its class


class Ellipse(Protocol):
    """The known place of a fault in an image, as shares of width and height."""

    kind: str
    x: float
    y: float
    rx: float
    ry: float


@dataclass(frozen=True)
class Observer:
    """How one simulated reader judges: sensitivity, bias and the widths of certainty, in units of the evidence's sd."""

    seed: int
    number: int
    dprime: float
    criterion: float
    narrow: float  # "unsure" within this distance of the criterion
    wide: float  # "partially certain" within this distance
    success: float | None = None  # chance of choosing the real image of several; None = from sensitivity and bias
    threshold_ms: float = THRESHOLD_MS  # exposure halfway between guessing and always being right
    exposure_ms: float | None = None  # how long the image of this trial is shown, if limited
    lift: float = 0.0  # extra evidence for synthetic images of this trial, in units of the evidence's sd
    period: int = 1  # reading an image again gives new evidence

    @classmethod
    def drawn(
        cls,
        seed: int,
        number: int,
        success: float | None = None,
        threshold_ms: float = THRESHOLD_MS,
        dprime: float | None = None,
    ) -> Observer:
        """The observer with this number: the same seed always gives the same one, unless `dprime` is given."""
        rng = np.random.default_rng([seed, number])
        narrow = rng.uniform(0.05, 0.35)
        able = max(0.0, rng.normal(ABLE, 0.4))
        return cls(
            seed,
            number,
            dprime=able if dprime is None else dprime,
            criterion=rng.normal(0.0, 0.3),
            narrow=narrow,
            wide=narrow + rng.uniform(0.5, 1.2),
            success=success,
            threshold_ms=threshold_ms * float(np.exp(rng.normal(0, THRESHOLD_SPREAD))),
        )

    def judge(self, case: str, truth: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """This observer's answer about `case`: one of 2, 4 or 5 `choices` (in order of the levels), the time taken in
        ms, and whether a pause is requested. It depends only on the seed, the observer and the case."""
        evidence, own = self._sees(case, truth)
        inner = [-self.narrow, self.narrow] if len(choices) == 5 else [0.0]
        bounds = [-self.wide, *inner, self.wide] if len(choices) > 2 else inner
        thresholds = self.criterion + np.array(bounds)
        # The closer to the criterion, the longer it takes; times are skewed, as in people.
        seconds = 6 * np.exp(own.normal(0, 0.3)) / (1 + abs(evidence - self.criterion))
        return {
            **choices[int(np.searchsorted(thresholds, evidence))],
            "client_ms": round(1000 * seconds),
            "pause": bool(own.random() < PAUSES),
        }

    def choose(self, cases: Sequence[tuple[str, str]], points: int) -> dict[str, Any]:
        """This observer's answer about several cases (name and truth, by place), one of which is real: the chosen
        place, from 1, and the realism of each from 1 to `points`; with the time taken in ms, and whether a pause is
        requested. It chooses the case that looks least synthetic or, if `success` is given, the real one with that
        probability."""
        seen = [self._sees(case, truth) for case, truth in cases]
        evidence, own = [one for one, _ in seen], seen[0][1]
        chosen = int(np.argmin(evidence))
        if self.success is not None:
            real = next(place for place, (_, truth) in enumerate(cases) if truth == "real")
            others = [place for place in range(len(cases)) if place != real]
            chosen = real if own.random() < self.success else int(own.choice(others))
        bounds = self.criterion + self.wide * np.linspace(-1, 1, points - 1)
        return {
            "chosen": chosen + 1,
            "realism": [points - int(np.searchsorted(bounds, one)) for one in evidence],
            "client_ms": round(1000 * len(cases) * 5 * np.exp(own.normal(0, 0.3))),
            "pause": bool(own.random() < PAUSES),
        }

    def shown_for(self, exposure_ms: float | None) -> Observer:
        """This observer when an image is shown for this long; None = without a limit."""
        return replace(self, exposure_ms=exposure_ms)

    def glance(self, case: str, truth: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """This observer's answer about an image shown for `exposure_ms`, one of 2 or 4 `choices`, with the time taken
        in ms, the exposure that a browser would report, and whether a pause is requested."""
        _, own = self._sees(case, truth)
        exposure_ms = self.exposure_ms or self.threshold_ms
        knows = (1 - 2 * LAPSE) / (1 + (exposure_ms / self.threshold_ms) ** -SLOPE)
        answer = truth if own.random() < (1 + knows) / 2 else next(c["answer"] for c in choices if c["answer"] != truth)
        offered = [choice for choice in choices if choice["answer"] == answer]
        return {
            **offered[int(own.integers(len(offered)))],
            "viewer": {"shown_ms": exposure_ms, "frames": max(1, round(exposure_ms * 0.06)), "frame_ms": 16.7},
            "client_ms": round(exposure_ms + 1000 * np.exp(own.normal(0, 0.3))),
            "pause": bool(own.random() < PAUSES),
        }

    def meeting(self, known: Mapping[str, float], condition: str | None, source: str, period: int) -> Observer:
        """This observer when seeing an image from this source, under this condition, in this period.

        `known` is the mean sensitivity of all readers, by name of condition or source. This observer's own sensitivity
        is changed by the difference from ABLE: for a condition with all images, for a source with its synthetic ones.
        """
        change, lift = (known.get(name, ABLE) - ABLE for name in (condition or "", source))
        return replace(self, dprime=max(0.0, self.dprime + change), lift=lift, period=period)

    def compare(self, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]], images: int) -> dict[str, Any]:
        """This observer's answer about several cases (name and method, by place), under each criterion of `choices`;
        with the time taken in ms, and whether a pause is requested. Of two methods with adjacent names, the first is
        preferred with probability `success`, or PREFERENCE (Bradley and Terry's model, with Gumbel noise)."""
        chance = PREFERENCE if self.success is None else min(max(self.success, 1e-6), 1 - 1e-6)
        names = sorted({method for _, method in cases})
        _, own = self._sees("/".join(sorted(case for case, _ in cases)), "real")
        place_of = sorted(range(len(cases)), key=lambda place: cases[place][1])
        said: dict[str, Any] = {}
        for choice in choices:
            worth = own.gumbel(size=len(names)) - np.log(chance / (1 - chance)) * np.arange(len(names))
            rank = np.empty(len(cases), dtype=int)
            for method, place in enumerate(place_of):
                rank[place] = int((worth > worth[method]).sum())
            said[choice["criterion"]] = _ranked(choice, rank.tolist())
        return {
            "criteria": said,
            "client_ms": round(1000 * images * 5 * np.exp(own.normal(0, 0.3))),
            "pause": bool(own.random() < PAUSES),
        }

    def mark(self, cases: Mapping[int, tuple[str, Sequence[Ellipse]]], asked: Mapping[str, Any]) -> dict[str, Any]:
        """Where this observer says that images (name and known faults, by place) gave themselves away, as `asked`.

        Larger faults are more likely to be seen, and are marked near their centre; further marks are placed at random.
        An observer who guesses (with a sensitivity of 0) sees no faults.
        """
        places = [place for place in asked["places"] if place in cases]
        name = _number("/".join(cases[place][0] for place in places))
        own = np.random.default_rng([self.seed, self.number, name, 1])
        marks: list[dict[str, Any]] = []
        for place in places:
            for fault in cases[place][1] if self.dprime else ():
                if own.random() < 1 - np.exp(-np.sqrt(fault.rx * fault.ry) / SEEN):
                    away = own.normal(0, 0.35, 2) * (fault.rx, fault.ry)
                    reason = _reason(fault.kind, asked["reasons"])
                    reason = reason if own.random() < NAMED else str(own.choice(asked["reasons"]))
                    x, y = np.clip((fault.x + away[0], fault.y + away[1]), 0, 1).round(4).tolist()
                    marks.append({"place": place, "x": x, "y": y, "reason": reason, "rating": int(own.integers(3, 6))})
        for place in places:
            while own.random() < STRAY:
                x, y = own.random(2).round(4).tolist()
                reason = str(own.choice(asked["reasons"]))
                marks.append({"place": place, "x": x, "y": y, "reason": reason, "rating": int(own.integers(1, 5))})
        kept = [mark if asked["rating"] else mark | {"rating": None} for mark in marks[: asked["most"]]]
        return {"outcome": "marked" if kept else "nothing", "marks": kept}

    def _sees(self, case: str, truth: str) -> tuple[float, np.random.Generator]:
        """The evidence for a case, and the generator for its other random parts."""
        name = _number(case)
        again = [self.period] if self.period > 1 else []
        own = np.random.default_rng([self.seed, self.number, name, *again, *again])  # never the same as in `mark`
        oddity = np.random.default_rng([self.seed, name]).normal(0, ODDITY)
        mean = self.dprime / 2 + self.lift if truth == "synthetic" else -self.dprime / 2
        return own.normal(mean) + oddity, own


def _number(name: str) -> int:
    """A number derived from a name, the same on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _reason(kind: str, reasons: Sequence[str]) -> str:
    """The reason that shares a word with the kind of fault; if there is none, always the same one."""
    sharing = (reason for reason in reasons if set(reason.split()) & set(kind.split()))
    return next(sharing, reasons[_number(kind) % len(reasons)])


def _ranked(choice: dict[str, Any], ranks: list[int]) -> Any:
    """The answer to a criterion, given the ranks by place, 0 = the best."""
    kind = choice["kind"]
    if kind == "choice":
        return 1 + ranks.index(0)
    if kind == "scale":
        return [max(1, choice["points"] - rank) for rank in ranks]
    ahead, behind = ("better", "worse") if kind == "better" else ("yes", "no")
    return [ahead if rank == 0 else behind for rank in ranks]
