"""How long the next image is shown: interleaved staircases that follow a reader's answers.

Weighted up-down (Kaernbach 1991, Percept Psychophys 49:227): shorter after a right answer, longer after a wrong one.
The ratio of the steps determines the share of right answers at which the staircase settles (30 up and 10 down: three in
four). Or QUEST+ (Watson 2017, J Vis 17(3):10) from the package questplus: the exposure that is the most informative.

Nothing here knows the truth of the next trial: the exposure depends on earlier answers and the sitting's seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from quiz_app.designs.staircase import StaircaseSettings

TOLERANCE_MS = 50.0  # three frames at 60 Hz: an image shown this much longer or shorter does not count
LEVELS = 24  # exposures from which QUEST+ chooses
GUESS = 0.5
LAPSES = (0.0, 0.02, 0.05)
SLOPES = tuple(np.geomspace(0.8, 8, 6))


@dataclass(frozen=True)
class Past:
    """An answered trial: the number of its staircase, the requested exposure, the measured exposure if there is one,
    and whether the answer was right."""

    track: int
    asked_ms: float
    shown_ms: float | None
    right: bool
    cut: bool = False

    @property
    def counts(self) -> bool:
        """Whether the image was shown as requested; if not, the staircase requests the same exposure again."""
        return not self.cut and self.shown_ms is not None and abs(self.shown_ms - self.asked_ms) <= TOLERANCE_MS


def next_ms(rules: StaircaseSettings, past: Sequence[Past], track: int, seed: int, position: int) -> float:
    """The exposure of the trial at this position, in ms: that of its staircase plus a random share of the jitter."""
    counted = [one for one in past if one.counts and one.track == track]
    level = _quest(rules, counted) if rules.method == "quest" else _up_down(rules, [one.right for one in counted])
    rng = np.random.Generator(np.random.PCG64([seed, position]))
    return round(_within(rules, level + rng.uniform(-rules.jitter_ms, rules.jitter_ms)), 1)


def has_quest() -> bool:
    """Whether the package questplus is installed."""
    return find_spec("questplus") is not None


def _up_down(rules: StaircaseSettings, answers: Sequence[bool]) -> float:
    level, turns = float(rules.start_ms), 0
    for number, right in enumerate(answers):
        turns += number > 0 and right != answers[number - 1]
        step = -rules.down_ms if right else rules.up_ms
        level = _within(rules, level + step * (rules.coarse if turns < rules.reversals else 1))
    return level


def _quest(rules: StaircaseSettings, counted: Sequence[Past]) -> float:
    """The first exposure comes from the settings; each further one depends only on the answers of this staircase.

    Using all answers would be more efficient, but the next exposure would reveal whether the last answer was right.
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
