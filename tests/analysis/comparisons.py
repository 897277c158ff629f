"""Studies of comparisons whose truth is known, as rows of responses."""

import numpy as np
import pandas as pd

CRITERIA = {"clearer": "better", "nodule": "yes-no", "sharpness": "scale", "report": "choice"}


def study(
    readers=4, cases=12, methods=("model A", "model B"), share=0.7, ties=0.0, seed=0, criteria=CRITERIA, reference=False
):
    """One row an image and criterion; of the pairs without a tie the earlier method wins the share `share`.

    With several methods every trial has an order, drawn by sorting pairwise wins' log odds with logistic noise.
    """
    rng = np.random.default_rng(seed)
    step = np.log(share / (1 - share))
    rows = []
    for r in range(readers):
        for position, c in enumerate(rng.permutation(cases).tolist(), start=1):
            places = rng.permutation(len(methods)) + 1
            head = {"design": "comparison", "reader": f"R{r + 1}", "reader_group": "new" if r % 2 else "old"}
            head |= {"sitting": 1, "trial": f"t{r}-{c}", "position": position, "block": 1, "is_training": 0}
            head |= {"is_repeat": 0, "response_ms": round(float(np.exp(rng.normal(9, 0.3)))), "late": 0}
            if reference:
                shown = {"case": f"c{c:02d}r", "truth": "real", "source": "reference", "place": len(methods) + 1}
                rows.append(head | shown | {"criterion": "", "value": ""})
            for criterion, kind in criteria.items():
                # Gumbel noise: the difference of two is logistic, so that the pairwise chance is `share`.
                worth = rng.gumbel(size=len(methods)) - step * np.arange(len(methods))
                level = rng.random() < ties and kind != "choice"
                for m, method in enumerate(methods):
                    rank = 0 if level else int((worth > worth[m]).sum())
                    shown = {"case": f"c{c:02d}{'abcd'[m]}", "truth": "synthetic", "source": method}
                    shown |= {"place": int(places[m]), "criterion": criterion}
                    rows.append(head | shown | {"value": _word(kind, rank, len(methods), level)})
    return pd.DataFrame(rows)


def _word(kind, rank, count, level):
    if kind == "better":
        return "same" if level else "better" if rank == 0 else "worse"
    if kind == "yes-no":
        return "yes" if rank == 0 else "no"
    if kind == "choice":
        return "chosen" if rank == 0 else "not chosen"
    return str(1 + count - rank)
