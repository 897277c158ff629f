"""Input checks shared by the statistics: arguments become float arrays, or raise a clear error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def as_floats(values: ArrayLike, name: str, ndim: int = 1) -> Floats:
    """Return `values` as a float array of `ndim` dimensions; None and NaN both mean missing.

    Raises ValueError, naming the argument, for text, infinite numbers or a wrong number of dimensions.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as fault:
        raise ValueError(f"{name}: expected numbers, with None or NaN for missing values ({fault})") from None
    if array.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} dimension(s), got an array of shape {array.shape}")
    if np.isinf(array).any():
        raise ValueError(f"{name}: expected finite numbers, got infinity")
    return array


def as_truth(truth: ArrayLike, cases: int) -> NDArray[np.bool_]:
    """Return the truth of each case as booleans, True = synthetic.

    Raises ValueError unless there is one 0 (real) or 1 (synthetic) for each of the `cases`.
    """
    array = as_floats(truth, "truth")
    if array.shape != (cases,):
        raise ValueError(f"truth: expected one value for each of the {cases} cases, got {array.size}")
    strange = array[~np.isin(array, (0.0, 1.0))]
    if strange.size:
        raise ValueError(f"truth: expected 0 (real) or 1 (synthetic), got {_some(strange)}")
    return array == 1.0


def as_levels(levels: ArrayLike, name: str = "levels", ndim: int = 1) -> Floats:
    """Levels 1 (surely real) ... 5 (surely synthetic), NaN where missing; raise ValueError for any other number."""
    array = as_floats(levels, name, ndim)
    strange = array[~(np.isnan(array) | np.isin(array, (1.0, 2.0, 3.0, 4.0, 5.0)))]
    if strange.size:
        raise ValueError(
            f"{name}: expected whole numbers from 1 (surely real) to 5 (surely synthetic), got {_some(strange)}"
        )
    return array


def as_flags(flags: ArrayLike | None, size: int, name: str) -> NDArray[np.bool_]:
    """Return one boolean for each of `size` entries; None means all False. Raises ValueError for a wrong length."""
    if flags is None:
        return np.zeros(size, dtype=bool)
    array = as_floats(flags, name)
    if array.shape != (size,):
        raise ValueError(f"{name}: expected {size} values, got {array.size}")
    strange = array[~np.isin(array, (0.0, 1.0))]
    if strange.size:
        raise ValueError(f"{name}: expected true or false, got {_some(strange)}")
    return array == 1.0


def one_of(value: str, choices: tuple[str, ...], name: str) -> str:
    """Return `value` if it is one of `choices`; otherwise raise ValueError naming them."""
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    return value


def _some(strange: Floats) -> str:
    listed: list[Any] = sorted({float(number) for number in strange if not np.isnan(number)})[:5]
    return ", ".join(f"{number:g}" for number in listed) or "a missing value"
