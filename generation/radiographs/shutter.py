"""The display shutter of a DICOM file: DICOM PS3.3, C.7.6.11. Areas outside it are not shown."""

from __future__ import annotations

import numpy as np
import pydicom
from PIL import Image, ImageDraw


def opening(data: pydicom.Dataset, size: tuple[int, int], ratio: float) -> np.ndarray | None:
    """Return where the shutter shows the image, bool (rows, columns); None if the file has no shutter.

    With several shapes, a pixel is hidden if any of them hides it. Rows and columns count from 1; pixels on an edge are
    shown. size: rows, columns. ratio: width of a pixel divided by its height; the radius of a circle is in pixel
    widths. Raises ValueError for a shutter that cannot be applied.
    """
    shapes = _list(data, "ShutterShape")
    if not shapes:
        return None
    seen = np.ones(size, dtype=bool)
    for shape in shapes:
        if str(shape) not in SHAPES:
            raise ValueError("has a display shutter of unknown shape")  # its text may be anything
        seen &= SHAPES[str(shape)](data, size, ratio)
    if not seen.any():
        raise ValueError("has a display shutter that hides the whole image")
    return seen


def grey(data: pydicom.Dataset) -> int:
    """Return the grey level of hidden areas, from 0 to 255: black, unless the file says otherwise."""
    value = data.get("ShutterPresentationValue")
    return min(max(value, 0), 0xFFFF) >> 8 if isinstance(value, int) else 0


def _list(data: pydicom.Dataset, keyword: str) -> list:
    value = data.get(keyword)
    return [] if value is None or value == "" else [value] if isinstance(value, str | int) else list(value)


def _numbers(data: pydicom.Dataset, keyword: str, least: int = 1) -> list[int]:
    try:
        numbers = [int(number) for number in _list(data, keyword)]
    except Exception:  # pydicom may raise anything for values that are not numbers
        numbers = []
    if len(numbers) < least:
        raise ValueError(f"has a display shutter without {keyword}")
    return numbers


def _rectangle(data: pydicom.Dataset, size: tuple[int, int], ratio: float) -> np.ndarray:
    left, right, upper, lower = (
        _numbers(data, f"Shutter{edge}")[0]
        for edge in ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge", "LowerHorizontalEdge")
    )
    rows, columns = np.ogrid[1 : size[0] + 1, 1 : size[1] + 1]
    return (rows >= upper) & (rows <= lower) & (columns >= left) & (columns <= right)


def _circle(data: pydicom.Dataset, size: tuple[int, int], ratio: float) -> np.ndarray:
    row, column = _numbers(data, "CenterOfCircularShutter", 2)[:2]
    radius = _numbers(data, "RadiusOfCircularShutter")[0]
    rows, columns = np.ogrid[1 : size[0] + 1, 1 : size[1] + 1]
    return ((rows - row) / ratio) ** 2 + (columns - column) ** 2 <= radius**2


def _polygon(data: pydicom.Dataset, size: tuple[int, int], ratio: float) -> np.ndarray:
    numbers = _numbers(data, "VerticesOfThePolygonalShutter", 6)
    corners = [(column - 1, row - 1) for row, column in zip(numbers[::2], numbers[1::2], strict=False)]
    mask = Image.new("1", size[::-1])
    ImageDraw.Draw(mask).polygon(corners, fill=1, outline=1)
    return np.asarray(mask)


SHAPES = {"RECTANGULAR": _rectangle, "CIRCULAR": _circle, "POLYGONAL": _polygon}
