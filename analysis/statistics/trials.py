"""The trials of a rating design as plain arrays, from the table of responses; unusable trials are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.arrays import Floats

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("reader", "case", "truth", "level", "response_ms")


class Trials(NamedTuple):
    """Usable trials as plain arrays, NaN for unknown values, and the numbers left out, by reason.

    `readers` and `cases` are indices; `names` has the name of each reader.
    """

    names: list[str]
    readers: NDArray[np.intp]
    cases: NDArray[np.intp]
    synthetic: NDArray[np.bool_]
    levels: Floats
    ms: Floats
    late: NDArray[np.bool_]
    position: Floats
    block: Floats
    zoomed: Floats
    windowed: Floats
    left_out: dict[str, int]

    def by_reader(self) -> dict[str, NDArray[np.intp]]:
        """Return the indices of each reader's trials, with one sort, because there may be ten thousand readers."""
        order = np.argsort(self.readers, kind="stable")
        ends = np.cumsum(np.bincount(self.readers, minlength=len(self.names)))
        return dict(zip(self.names, np.split(order, ends[:-1]), strict=True)) if self.names else {}


def trials(responses: pd.DataFrame) -> Trials:
    """The scored trials with a level and a time above 0; practice, repeats and the rest are left out and counted.

    `responses`: a pandas DataFrame with the columns of the `responses` view, one row per trial of a rating
    design: reader, case, truth (real, synthetic, or 0, 1), level, response_ms, and if known position, block, late,
    is_training, is_repeat, zoom_max, windowed. Raises ValueError if a required column is missing, or truth is neither
    real nor synthetic.

    >>> import pandas as pd
    >>> rows = [("A", 1, "real", 2, 900), ("A", 2, "synthetic", None, 800), ("A", 3, "real", 1, None)]
    >>> found = trials(pd.DataFrame(rows, columns=NEEDED))
    >>> found.ms.tolist(), found.left_out
    ([900.0], {'practice': 0, 'repeats': 0, 'unanswered': 1, 'without_time': 1})
    """
    import pandas as pd

    if missing := [name for name in NEEDED if name not in responses.columns]:
        raise ValueError(f"responses: expected the columns {', '.join(NEEDED)}; missing: {', '.join(missing)}")
    truth = responses["truth"].map({"real": 0.0, "synthetic": 1.0, 0: 0.0, 1: 1.0})
    if truth.isna().any():
        raise ValueError(f"truth: expected real or synthetic, got {responses['truth'][truth.isna()].iloc[0]!r}")
    size = len(responses)
    practice, repeat = (_flags(responses, name) for name in ("is_training", "is_repeat"))
    levels, ms = _numbers(responses, "level"), _numbers(responses, "response_ms")
    steps = {
        "practice": practice,
        "repeats": repeat,
        "unanswered": np.isnan(levels),
        "without_time": ~(ms > 0),
    }
    kept, left_out = np.ones(size, dtype=bool), {}
    for reason, out in steps.items():
        left_out[reason] = int((kept & out).sum())
        kept &= ~out
    zoom, windowed = _numbers(responses, "zoom_max"), _numbers(responses, "windowed")
    readers, names = pd.factorize(responses["reader"].to_numpy()[kept], sort=True)
    return Trials(
        names=[str(name) for name in names],
        readers=readers,
        cases=pd.factorize(responses["case"].to_numpy()[kept])[0],
        synthetic=truth.to_numpy()[kept] == 1,
        levels=levels[kept],
        ms=ms[kept],
        late=_flags(responses, "late")[kept],
        position=_numbers(responses, "position")[kept],
        block=_numbers(responses, "block")[kept],
        zoomed=np.where(np.isnan(zoom), np.nan, zoom > 1)[kept],
        windowed=windowed[kept],
        left_out=left_out,
    )


def _numbers(responses: pd.DataFrame, name: str) -> Floats:
    import pandas as pd

    if name not in responses.columns:
        return np.full(len(responses), np.nan)
    column = responses[name]
    if column.dtype == bool:
        return column.to_numpy(dtype=float)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    given = column[np.isnan(numbers) & column.notna().to_numpy()]
    if strange := [entry for entry in given if str(entry).strip()]:
        raise ValueError(f"{name}: expected numbers, got {strange[0]!r}")
    return numbers


def _flags(responses: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    return _numbers(responses, name) == 1
