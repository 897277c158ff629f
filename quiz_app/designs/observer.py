"""A simulated observer, by signal detection theory (Macmillan and Creelman, Detection Theory, 2005, chapters 1 and 3).

A reader's evidence for a case is normal with standard deviation 1 around +d'/2 when it is synthetic and -d'/2 when it
is real, shifted by how odd this case looks to everybody; the answer is where it falls among the reader's thresholds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

ABLE = 1.2  # mean sensitivity of the readers
PREFERENCE = 0.7  # chance of preferring the earlier of two methods by name
PAUSES = 0.01  # share of the answers after which a reader asks for a pause
SLOPE = 4.0  # of the psychometric function, per natural log unit of exposure
LAPSE = 0.02
THRESHOLD_MS, THRESHOLD_SPREAD = 350.0, 0.25  # geometric mean over readers, standard deviation of its logarithm
SEEN = 0.05  # the half axis of a fault, in shares of the image, that 63 % of readers see
STRAY = 0.2  # chance of each further mark, anywhere in the image
NAMED = 0.7  # chance of giving the reason that goes with the kind of a fault
ODDITY = 0.5  # standard deviation of what all readers see in a case beyond its class


class Ellipse(Protocol):
    """Where a fault of an image is known to lie, in shares of width and height."""

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
    narrow: float  # "unsure" within so much of the criterion
    wide: float  # "partially certain" within so much of it
    success: float | None = None  # chance of choosing the real one of several; none = as sensitivity and bias give it
    threshold_ms: float = THRESHOLD_MS  # exposure half way between guessing and knowing
    exposure_ms: float | None = None  # for how long the image of this trial is shown, where that is limited
    lift: float = 0.0  # what a synthetic image of this trial shows more than others, in units of the evidence's sd
    period: int = 1  # an image that is read again is seen anew

    @classmethod
    def drawn(
        cls,
        seed: int,
        number: int,
        success: float | None = None,
        threshold_ms: float = THRESHOLD_MS,
        dprime: float | None = None,
    ) -> Observer:
        """The observer with this number: the same seed always gives the same one, but for a `dprime` that is given."""
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
        """What this observer says of `case`: one of 2, 4 or 5 `choices` (in the order of the levels), the time it
        takes in ms, and whether a pause is asked for. It depends on nothing but the seed, the observer and the case."""
        evidence, own = self._sees(case, truth)
        inner = [-self.narrow, self.narrow] if len(choices) == 5 else [0.0]
        bounds = [-self.wide, *inner, self.wide] if len(choices) > 2 else inner
        thresholds = self.criterion + np.array(bounds)
        # The closer to the criterion, the longer it takes; times are skewed as people's are.
        seconds = 6 * np.exp(own.normal(0, 0.3)) / (1 + abs(evidence - self.criterion))
        return {
            **choices[int(np.searchsorted(thresholds, evidence))],
            "client_ms": round(1000 * seconds),
            "pause": bool(own.random() < PAUSES),
        }

    def choose(self, cases: Sequence[tuple[str, str]], points: int) -> dict[str, Any]:
        """What this observer says of several cases (name and truth, by place), of which one is real: the place chosen,
        from 1, and the realism of each from 1 to `points`; with the time it takes in ms, and whether a pause is asked
        for. The one that looks least synthetic is chosen, or where `success` is given the real one with that chance."""
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
        """This observer, before an image that is shown for so long; None = for as long as one likes."""
        return replace(self, exposure_ms=exposure_ms)

    def glance(self, case: str, truth: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """What this observer says of an image shown for `exposure_ms`, one of 2 or 4 `choices`, with the time it takes
        in ms and what a browser reports of the exposure; and whether a pause is asked for."""
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
        """This observer before an image of this source, under this condition, in this period.

        `known` is the mean sensitivity of all readers, by names of conditions and sources: by as much as it is off
        ABLE, this observer's own goes up or down, of a condition for all images, of a source for its synthetic ones.
        """
        change, lift = (known.get(name, ABLE) - ABLE for name in (condition or "", source))
        return replace(self, dprime=max(0.0, self.dprime + change), lift=lift, period=period)

    def compare(self, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]], images: int) -> dict[str, Any]:
        """What this observer says of several cases (name and method, by place), under each criterion of `choices`; with
        the time it takes in ms, and whether a pause is asked for. Of two methods that follow each other by name the
        first is preferred with the chance `success`, or PREFERENCE (Bradley and Terry's model, by Gumbel noise)."""
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

        A fault is seen the more likely the larger it is, and marked near its middle; further marks lie at random. Who
        guesses (a sensitivity of 0) sees no fault.
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
        """The evidence for a case, and what else is random about it."""
        name = _number(case)
        again = [self.period] if self.period > 1 else []
        own = np.random.default_rng([self.seed, self.number, name, *again, *again])  # never that of `mark`
        oddity = np.random.default_rng([self.seed, name]).normal(0, ODDITY)
        mean = self.dprime / 2 + self.lift if truth == "synthetic" else -self.dprime / 2
        return own.normal(mean) + oddity, own


def _number(name: str) -> int:
    """A number that goes with a name, the same everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _reason(kind: str, reasons: Sequence[str]) -> str:
    """The reason that shares a word with the kind of a fault; where there is none, always the same one."""
    sharing = (reason for reason in reasons if set(reason.split()) & set(kind.split()))
    return next(sharing, reasons[_number(kind) % len(reasons)])


def _ranked(choice: dict[str, Any], ranks: list[int]) -> Any:
    """The answer to a criterion that follows from the ranks by place, 0 = the best."""
    kind = choice["kind"]
    if kind == "choice":
        return 1 + ranks.index(0)
    if kind == "scale":
        return [max(1, choice["points"] - rank) for rank in ranks]
    ahead, behind = ("better", "worse") if kind == "better" else ("yes", "no")
    return [ahead if rank == 0 else behind for rank in ranks]
