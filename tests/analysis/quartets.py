"""Studies of quartets whose truth is known, as rows of responses."""

import math

import numpy as np
import pandas as pd

SOURCES = ("checkpoint A", "checkpoint B", "checkpoint C", "checkpoint D", "checkpoint E")


def study(readers=4, quartets=12, images=4, share=0.5, seed=0, gaps=(0.0, -0.3, -0.6, 0.0, 0.0), points=4, found=None):
    """One row an image of a trial; of all answers the share `share` is right, or those of `found` (readers x quartets).

    Realism is about 3 + the gap of its source, the real images' gap being 0; source B fools twice as often as A.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for r in range(readers):
        for position, q in enumerate(rng.permutation(quartets).tolist(), start=1):
            right = rng.random() < share if found is None else bool(found[r][q])
            weights = np.array([1.0, 2.0, 1.0, 1.0, 1.0][: images - 1])
            pick = 0 if right else 1 + int(rng.choice(images - 1, p=weights / weights.sum()))
            places = rng.permutation(images) + 1
            ms = round(math.exp(rng.normal(9 + 0.3 * (not right), 0.3)))
            for i in range(images):
                mean = 3 + (gaps[i - 1] if i else 0)
                row = {"design": "quartet", "reader": f"R{r + 1}", "reader_group": "new" if r % 2 else "old"}
                row |= {"sitting": 1, "trial": f"t{r}-{q}", "position": position, "block": 1}
                row |= {"case": f"q{q:02d}{'rabcde'[i]}", "truth": "synthetic" if i else "real"}
                row |= {"source": SOURCES[i - 1] if i else "ward", "place": int(places[i]), "chosen": int(i == pick)}
                row |= {"realism": int(np.clip(round(rng.normal(mean, 0.8)), 1, points))}
                rows.append(row | {"response_ms": ms, "late": 0, "is_training": 0, "is_repeat": 0})
    return pd.DataFrame(rows)
