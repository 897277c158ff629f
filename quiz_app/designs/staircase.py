"""Staircase: one image, shown for an exposure that follows the reader's answers, then masked; real or synthetic?

The approach of HYPE-time (Zhou et al. 2019, arXiv 1904.01121). The staircase of each trial is drawn at random,
independently of its truth, and stored in the `block` of the trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from quiz_app.designs import exposure
from quiz_app.designs.design import Planned, Shown
from quiz_app.designs.observer import Observer
from quiz_app.designs.rating import Rating
from quiz_app.rules import marked, rule
from quiz_app.study.settings import OF_RATINGS, StudySettings

CRITERION = "exposure_ms"
FEWEST_OF_A_STAIRCASE = 10  # cases; with fewer, a staircase does not reach the threshold
USUAL_FRAME_MS = 1000 / 60


@dataclass(frozen=True)
class StaircaseSettings(StudySettings):
    """How a staircase study is read. The defaults are those of HYPE-time, with larger steps at first."""

    unused: ClassVar[frozenset[str]] = OF_RATINGS | {
        *("limit_s", "at_timeout", "repeats", "block", "unsure", "tools", "keys_ahead"),
    }

    limit_s: float = 0.0
    repeats: int = 0
    unsure: bool = False
    tools: tuple[str, ...] = ()
    keys_ahead: int = 0

    interval_ms: int = rule(
        "Time", "Interval (ms)", 800, "Pause before each image, with a fixation cross, in milliseconds.", 0, 10_000
    )
    method: str = rule(
        "Exposure",
        "Method",
        "staircase",
        "How the next exposure is chosen.",
        choices={
            "staircase": "shorter after a correct answer, longer after a wrong one",
            "quest": "the most informative exposure (QUEST+, needs the package questplus)",
        },
    )
    start_ms: int = rule("Exposure", "First exposure (ms)", 500, "How long the first image is shown.", 10, 60_000)
    shortest_ms: int = rule("Exposure", "Shortest exposure (ms)", 100, "Lower limit of the exposure.", 10, 60_000)
    longest_ms: int = rule("Exposure", "Longest exposure (ms)", 1000, "Upper limit of the exposure.", 10, 60_000)
    up_ms: int = rule("Exposure", "Step up (ms)", 30, "Added to the exposure after a wrong answer.", 1, 10_000)
    down_ms: int = rule(
        "Exposure",
        "Step down (ms)",
        10,
        "Subtracted from the exposure after a correct answer. The staircase "
        "settles where the share of correct answers is "
        "up / (up + down): with 30 up and 10 down, three in four.",
        1,
        10_000,
    )
    coarse: float = rule("Exposure", "Coarse steps", 4.0, "Factor by which the first steps are larger.", 1, 20)
    reversals: int = rule(
        "Exposure",
        "Reversals",
        3,
        "Number of reversals (from shorter to longer or back) after which coarse steps end; 0 = no coarse steps.",
        0,
        50,
    )
    tracks: int = rule(
        "Exposure",
        "Staircases",
        2,
        "Number of staircases that run in parallel, in random order, each with half of its cases of each class. An "
        "exposure then reveals less about the answer before it.",
        1,
        4,
    )
    jitter_ms: int = rule(
        "Exposure",
        "Jitter (ms)",
        30,
        "Each exposure is changed at random by up to this much: steps are harder to notice, and more of the curve is "
        "measured.",
        0,
        1000,
    )
    mask_ms: int = rule(
        "Exposure", "Mask (ms)", 300, "How long a pattern replaces the image afterwards; 0 = plain grey.",
        0, 10_000,
    )  # fmt: skip
    practice: int = rule("Cases", "Practice cases", 5, "Practice cases at the start, never scored.", 0, 50)
    welcome: str = rule(
        "Texts",
        "Welcome",
        marked(
            "Thank you for taking part. You will see radiographs one at a time, each only briefly. Some are real, "
            "others synthetic."
        ),
        "Shown at the top of the welcome page.",
        long=True,
    )
    instructions: str = rule(
        "Texts",
        "Instructions",
        marked(
            "Look at the cross. A radiograph appears in its place for a moment. Then say whether it is real or "
            "synthetic, and whether you are fully or only partially certain. If you are not sure, guess."
        ),
        "Shown before practice.",
        long=True,
    )


class Staircase(Rating):
    """One case per trial; real and synthetic cases are equal in number over all of a reader's trials, but not within
    any stretch of them."""

    name = "staircase"
    settings = StaircaseSettings
    presets: Mapping[str, tuple[str, StudySettings]] = MappingProxyType(
        {
            "hype-time": (
                "HYPE-time: how long must one look? 150 cases, exposures of 100 to 1000 ms that depend on the answers.",
                StaircaseSettings(cases=150, break_every=50),
            ),
            "staircase": ("The same with every case of the pool.", StaircaseSettings()),
        }
    )
    brief = True
    untimed_s = 4

    def faults(self, cases: Sequence[Shown], practice: Sequence[Shown], rules: StudySettings) -> list[str]:
        """As for a rating; also, exposures must be consistent, and every staircase needs enough cases."""
        assert isinstance(rules, StaircaseSettings)
        reasons = super().faults(cases, practice, rules)
        if not rules.shortest_ms <= rules.start_ms <= rules.longest_ms:
            reasons.append(
                f"start_ms: {rules.start_ms} is not between the shortest exposure, {rules.shortest_ms}, and the "
                f"longest, {rules.longest_ms}"
            )
        if rules.shortest_ms >= rules.longest_ms:
            reasons.append(f"longest_ms: {rules.longest_ms} is not above the shortest exposure, {rules.shortest_ms}")
        if (rules.cases or len(cases)) < FEWEST_OF_A_STAIRCASE * rules.tracks:
            reasons.append(f"tracks: {rules.tracks} staircases need {FEWEST_OF_A_STAIRCASE} cases each")
        if rules.method == "quest" and not exposure.has_quest():
            reasons.append("method: QUEST+ needs the package questplus (pip install 'discern[quest]')")
        return reasons

    def warnings(self, rules: StudySettings) -> list[str]:
        """How a 60 Hz screen affects the exposures."""
        assert isinstance(rules, StaircaseSettings)
        said = []
        if rules.shortest_ms < 2 * USUAL_FRAME_MS:
            said.append(f"The shortest exposure, {rules.shortest_ms} ms, is less than two frames of a 60 Hz screen.")
        if rules.method == "staircase" and max(rules.jitter_ms, min(rules.up_ms, rules.down_ms)) < USUAL_FRAME_MS:
            said.append(
                "Steps of less than 17 ms are shorter than one frame of a 60 Hz screen; a jitter evens them out."
            )
        if rules.tracks == 1 or not rules.jitter_ms:
            said.append("With one staircase, or without a jitter, a reader can notice which answers were right.")
        return said

    def compose(self, cases: Sequence[Shown], rules: StudySettings, rng: np.random.Generator) -> list[Planned]:
        """Every case once, in random order; each staircase (`block`) has about half of its cases from each class."""
        assert isinstance(rules, StaircaseSettings)
        tracks: dict[int, int] = {}
        for truth in ("real", "synthetic"):
            members = rng.permutation([index for index, case in enumerate(cases) if case.truth == truth])
            order = rng.permutation(rules.tracks)
            tracks |= {int(index): 1 + int(order[at % rules.tracks]) for at, index in enumerate(members)}
        return [Planned((int(index),), tracks[int(index)]) for index in rng.permutation(len(cases))]

    def check(self, said: Mapping[str, Any], rules: StudySettings, places: Sequence[int]) -> list[dict[str, Any]]:
        """The row of a rating, and in `exposure_ms` what the browser measured; None if it measured nothing."""
        (row,) = super().check(said, rules, places)
        shown = (said.get("viewer") or {}).get("shown_ms")
        return [{**row, "criterion": CRITERION, "value": f"{shown:.1f}" if shown else None}]

    def next_ms(
        self, rules: StudySettings, past: Sequence[exposure.Past], track: int, seed: int, position: int
    ) -> float:
        """The exposure of the trial that is due, in ms; practice, track 0, has the first exposure."""
        assert isinstance(rules, StaircaseSettings)
        return float(rules.start_ms) if track == 0 else exposure.next_ms(rules, past, track, seed, position)

    def exposure(self, rules: StudySettings, asked_ms: float | None) -> dict[str, Any]:
        """How long the image is shown, and then the mask."""
        assert isinstance(rules, StaircaseSettings)
        return {"exposure_ms": asked_ms, "mask_ms": rules.mask_ms}

    def simulate(
        self, observer: Observer, cases: Sequence[tuple[str, str]], choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Answer correctly with the probability that a psychometric function of the exposure gives."""
        return observer.glance(*cases[0], choices)
