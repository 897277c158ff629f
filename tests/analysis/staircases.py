"""Studies with an adaptive exposure whose thresholds are known, as rows of responses."""

import numpy as np
import pandas as pd

from analysis.planning.staircases import Staircases

ANSWERS = {1: ("real", "full"), 2: ("real", "partial"), 4: ("synthetic", "partial"), 5: ("synthetic", "full")}


def study(readers=4, cases=60, threshold_ms=350.0, seed=0, ratio=1.0, lean=0.0, model=None):
    """One row a trial; readers of the group "new" have thresholds `ratio` times as long as those of "old".

    With `lean` a wrong answer falls on synthetic images so much oftener: of the wrong ones on real images that share
    is turned right, and as many right ones on synthetic images wrong.
    """
    rng, model = np.random.default_rng(seed), model or Staircases(reader_sd=0.2)
    rows = []
    for r in range(readers):
        own = threshold_ms * (ratio if r % 2 else 1.0)
        shown, right, _ = model.draw(rng, own, 1, cases)
        truths = rng.permutation(np.arange(cases) % 2)
        numbers = {truth: iter(rng.permutation((cases + 1) // 2)) for truth in (0, 1)}
        for position, truth in enumerate(truths.tolist()):
            correct = right[0, position] == 1
            if lean and rng.random() < lean:
                correct = truth == 0
            answer = truth if correct else 1 - truth
            level = int(rng.choice([4, 5] if answer else [1, 2]))
            said, certainty = ANSWERS[level]
            row = {"design": "staircase", "reader": f"R{r + 1}", "reader_group": "new" if r % 2 else "old"}
            row |= {"sitting": 1, "trial": f"t{r}-{position}", "position": position + 1, "block": 1 + position % 2}
            row |= {"case": f"{'sr'[1 - truth]}{next(numbers[truth]):03}", "truth": ["real", "synthetic"][truth]}
            row |= {"answer": said, "certainty": certainty, "level": level, "criterion": "exposure_ms"}
            row |= {"value": round(float(shown[0, position]), 1), "late": 0, "is_training": 0, "is_repeat": 0}
            rows.append(row | {"response_ms": int(rng.integers(700, 4000))})
    return pd.DataFrame(rows)
