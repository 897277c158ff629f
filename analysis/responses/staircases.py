"""The rows of staircases: those of ratings, with the measured exposure of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CRITERION = "exposure_ms"
LONGEST_MS = 600_000  # no staircase shows an image for more than ten minutes


def check(table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """Return the table with `exposure_ms`, in ms, NaN if not measured; and problems with the index of their row."""
    import pandas as pd

    criterion, value = (table[column].astype(str).str.strip() for column in ("criterion", "value"))
    numbers = pd.to_numeric(value.replace("", None), errors="coerce").astype(float)
    strange = ~criterion.str.lower().isin(["", CRITERION])
    faults = [(i, f"criterion {table.at[i, 'criterion']!r}; expected {CRITERION}") for i in table.index[strange]]
    bad = (value != "") & ~numbers.between(0, LONGEST_MS, inclusive="right")
    expected = f"expected an exposure in ms, above 0 and at most {LONGEST_MS}, or nothing"
    faults += [(i, f"value {table.at[i, 'value']!r}; {expected}") for i in table.index[bad]]
    return table.assign(exposure_ms=numbers), faults
