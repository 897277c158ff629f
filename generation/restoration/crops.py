"""Training crops: checks of their size, and random positions."""

from __future__ import annotations

from numpy.random import Generator


def faults(name: str, side: int, size: tuple[int, int], unit: int) -> list[str]:
    """Return why crops of `side` px (setting `name`) are impossible for images of `size` (height, width), or for a
    network that needs multiples of `unit`."""
    height, width = size
    found = [f"{name}: {side} px, but the images have {width} x {height}"] if side > min(size) else []
    return found + [f"{name}: expected a multiple of {unit}, found {side}"] * bool(side % unit)


def place(size: tuple[int, ...], side: int, rng: Generator) -> tuple[slice, slice]:
    """Return rows and columns of a random crop of `side` px in an image of `size` (height, width)."""
    top, left = (int(rng.integers(length - side + 1)) for length in size)
    return slice(top, top + side), slice(left, left + side)
