"""Training crops: whether their side fits, where one lies."""

from __future__ import annotations

from numpy.random import Generator


def faults(name: str, side: int, size: tuple[int, int], unit: int) -> list[str]:
    """Why crops of `side` px, the setting `name`, cannot be cut from pictures of `size` (height, width), nor be a
    network's whose sides are multiples of `unit`."""
    height, width = size
    found = [f"{name}: {side} px, and the pictures have {width} x {height}"] if side > min(size) else []
    return found + [f"{name}: expected a multiple of {unit}, found {side}"] * bool(side % unit)


def place(size: tuple[int, ...], side: int, rng: Generator) -> tuple[slice, slice]:
    """Rows and columns of a crop of `side` px, anywhere in a picture of `size` (height, width)."""
    top, left = (int(rng.integers(length - side + 1)) for length in size)
    return slice(top, top + side), slice(left, left + side)
