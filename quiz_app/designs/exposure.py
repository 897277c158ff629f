"""For how long the next image is shown: staircases that follow a reader's answers, several interleaved.

Weighted up-down (Kaernbach 1991, Percept Psychophys 49:227): shorter after a right answer, longer after a wrong one,
the steps in the ratio that settles where a reader is right as often as wanted (30 up to 10 down: three times in four).
Or QUEST+ (Watson 2017, J Vis 17(3):10) by the package questplus: the exposure from whose answer most is learnt.

Nothing here knows the truth of the trial to come: the exposure follows from earlier answers and the sitting's seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from quiz_app.designs.staircase import StaircaseSettings

TOLERANCE_MS = 50.0  # three pictures of a screen at 60 Hz: an image shown so much longer or shorter tells nothing
LEVELS = 24  # exposures from which QUEST+ chooses
GUESS = 0.5
LAPSES = (0.0, 0.02, 0.05)
SLOPES = tuple(np.geomspace(0.8, 8, 6))


@dataclass(frozen=True)
class Past:
    """An answered trial: the number of its staircase, the exposure asked for and that measured, if it was; and whether
    the answer was right."""

    track: int
    asked_ms: float
    shown_ms: float | None
    right: bool
    cut: bool = False

    @property
    def counts(self) -> bool:
        """Whether the image was shown as asked for; if not, the staircase asks for the same exposure again."""
        return not self.cut and self.shown_ms is not None and abs(self.shown_ms - self.asked_ms) <= TOLERANCE_MS


def next_ms(rules: StaircaseSettings, past: Sequence[Past], track: int, seed: int, position: int) -> float:
    """The exposure of the trial at this position, in ms: that of its staircase, and a random share of the jitter."""
    counted = [one for one in past if one.counts and one.track == track]
    level = _quest(rules, counted) if rules.method == "quest" else _up_down(rules, [one.right for one in counted])
    rng = np.random.Generator(np.random.PCG64([seed, position]))
    return round(_within(rules, level + rng.uniform(-rules.jitter_ms, rules.jitter_ms)), 1)


def has_quest() -> bool:
    """Whether the package questplus is there."""
    return find_spec("questplus") is not None


def _up_down(rules: StaircaseSettings, answers: Sequence[bool]) -> float:
    level, turns = float(rules.start_ms), 0
    for number, right in enumerate(answers):
        turns += number > 0 and right != answers[number - 1]
        step = -rules.down_ms if right else rules.up_ms
        level = _within(rules, level + step * (rules.coarse if turns < rules.reversals else 1))
    return level


def _quest(rules: StaircaseSettings, counted: Sequence[Past]) -> float:
    """The first exposure is that of the settings; each further one is chosen by the answers of this staircase alone.

    From all answers more would be learnt, and the next exposure would tell whether the one just given was right.
    """
    if not counted:
        return float(rules.start_ms)
    from questplus import QuestPlus

    grid = np.log10(np.geomspace(rules.shortest_ms, rules.longest_ms, LEVELS))
    parameters: dict[str, Any] = {
        "threshold": np.log10(np.geomspace(rules.shortest_ms / 2, rules.longest_ms * 2, 2 * LEVELS)),
        "slope": SLOPES,
        "lower_asymptote": [GUESS],
        "lapse_rate": LAPSES,
    }
    quest = QuestPlus(
        stim_domain={"intensity": grid},
        param_domain=parameters,
        outcome_domain={"response": ["right", "wrong"]},
        func="weibull",
        stim_scale="log10",
    )
    for one in counted:
        shown = np.log10(one.shown_ms or one.asked_ms)
        nearest = float(grid[np.argmin(np.abs(grid - shown))])
        quest.update(stim={"intensity": nearest}, outcome={"response": "right" if one.right else "wrong"})
    return float(10 ** quest.next_stim["intensity"])


def _within(rules: StaircaseSettings, exposure_ms: float) -> float:
    return float(min(max(exposure_ms, rules.shortest_ms), rules.longest_ms))
