"""Cues that may give a class away apart from the image content, and how each is measured on one file.

A cue is one number per file. Categorical measures (file format, encoder settings, words of the file name) become one
cue for each value that some files have and others do not.
"""

from __future__ import annotations

import io
import re
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from generation import radiographs
from generation.harmonise import block_steps, noise_level, padding


@dataclass(frozen=True)
class Topic:
    """A group of cues: whether a viewer could see it, and how to remove it."""

    title: str
    visible: bool
    remedy: str


RESIZE = "build the pool with `generation pool`, which resizes all images to one size with one filter"
ENCODE = "build the pool with `generation pool`, which writes every image with one encoder and no metadata"
HARMONISE = "build the pool with `generation pool --harmonise`"
TOPICS = {
    "header": Topic("File format, encoder and metadata", False, ENCODE),
    "size": Topic("Width and height", True, RESIZE),
    "depth": Topic("Bit depth and colour", False, ENCODE),
    "length": Topic("File length", False, ENCODE + "; if it remains, noise or detail differ: --harmonise"),
    "border": Topic("Borders and padding", True, "cut the margins (`generation corpus --margins`), or use --harmonise"),
    "brightness": Topic("Brightness and contrast", True, HARMONISE),
    "histogram": Topic("Gaps and combs in the grey levels", False, HARMONISE + ", whose grain fills them"),
    "noise": Topic("Noise level", True, HARMONISE),
    "sharpness": Topic("Sharpness and texture energy", True, HARMONISE),
    "grid": Topic("Upsampling grid in the spectrum", False, HARMONISE + ", which disrupts the grid"),
    "jpeg": Topic("Traces of JPEG's 8 x 8 blocks", False, HARMONISE + ", or use images that were never JPEG"),
    "side": Topic("Left and right", True, "give all images the same orientation, and crop or cover side markers"),
    "name": Topic("File name and position in the table", False, ENCODE + ", in random order with numbers as names"),
    "date": Topic("Dates of the files", False, ENCODE + "; copy the folder without keeping dates"),
}


UNSEEN = {  # differences in grey level that a viewer cannot see, even if software detects them reliably
    ("brightness", "mean"): 0.5,
    ("brightness", "contrast"): 0.5,
}


@dataclass(frozen=True)
class Measured:
    """All cues of one file: numbers and labels by (topic, name), and differences between its left and right."""

    numbers: dict[tuple[str, str], float]
    labels: dict[tuple[str, str], str]
    sides: tuple[np.ndarray, np.ndarray]


def measure(path: Path, place: int) -> Measured:
    """Measure one file of a pool; `place` is its row. Raises InputError if it is not a radiograph."""
    data = path.read_bytes()
    image = radiographs.read(path)
    pixels = np.asarray(image, dtype=np.float32)
    numbers: dict[tuple[str, str], float] = {
        ("size", "width"): image.width,
        ("size", "height"): image.height,
        ("length", "bytes"): len(data),
        ("name", "length of the name"): len(path.stem),
        ("name", "place in the table"): place,
        ("date", "time of the file"): path.stat().st_mtime,
    }
    labels = {("name", f"word {word!r}"): "yes" for word in re.findall(r"[A-Za-z]+", path.stem)}
    labels |= _header(data, numbers)
    for measures in (_border, _brightness, _histogram, _detail, _grid, _jpeg):
        measures(pixels, numbers)
    return Measured(numbers, labels, _side(pixels))


def table(files: list[Measured]) -> dict[tuple[str, str], np.ndarray]:
    """Return all cues that vary over the files, each as float (files,); common values of labels as 0 and 1."""
    count = len(files)
    columns = {}
    for key in files[0].numbers:
        columns[key] = np.array([file.numbers[key] for file in files], dtype=float)
    for part, name in enumerate(("brightness", "fine detail")):
        # Mirrored images have the same difference with the opposite sign; the leading patterns, about zero, show it.
        differences = np.array([file.sides[part] for file in files])
        _, _, patterns = np.linalg.svd(differences, full_matrices=False)
        for number, pattern in enumerate(patterns[:2], start=1):
            columns["side", f"pattern {number} of {name}"] = differences @ pattern
    for topic, name in sorted({key for file in files for key in file.labels}):
        values = [file.labels.get((topic, name), "") for file in files]
        common = [value for value, times in Counter(values).most_common(6) if 0.02 * count <= times < count]
        if len(common) == 2 and len(set(values)) == 2:
            common = common[1:]  # the other one is redundant
        for value in common:
            column = np.array([other == value for other in values], dtype=float)
            shown = name if value == "yes" else f"{name} is {value or 'absent'}"
            if not any(np.array_equal(column, old) for old in columns.values()):
                columns[topic, shown] = column
    return {key: column for key, column in columns.items() if np.ptp(column) > 0}


def _header(data: bytes, numbers: dict) -> dict[tuple[str, str], str]:
    """Measure format, mode and encoder settings as labels, and the amount of metadata as a number."""
    labels = {}
    with Image.open(io.BytesIO(data)) as image:
        labels["header", "format"] = str(image.format)
        labels["depth", "mode"] = image.mode
        known = {key: value for key, value in image.info.items() if key not in ("transparency",)}
        numbers["header", "metadata fields"] = len(known)
        date = next((str(known[key]) for key in known if "date" in str(key).lower() or "time" in str(key).lower()), "")
        exif = image.getexif() if image.format in ("JPEG", "PNG", "TIFF") else {}
        date = date or str(exif.get(0x0132, ""))
        labels["date", "date within the file"] = date[:10]
        if image.format == "JPEG":
            tables = getattr(image, "quantization", {})
            labels["header", "JPEG quantisation"] = str(sum(sum(table) for table in tables.values()))
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        chunks, first = _png_chunks(data)
        labels["depth", "PNG bits and colour type"] = f"{data[24]}/{data[25]}"
        labels["header", "PNG chunks"] = " ".join(sorted({name for name, _ in chunks}))
        labels["header", "PNG largest data chunk"] = str(
            max((size for name, size in chunks if name == "IDAT"), default=0)
        )
        labels["header", "compression level"] = f"{first[1] >> 6}" if len(first) > 1 else ""
    numbers["header", "bytes of metadata"] = sum(
        size
        for name, size in (chunks if data[:4] == b"\x89PNG" else [])
        if name not in ("IHDR", "IDAT", "IEND", "PLTE")
    )
    return labels


def _png_chunks(data: bytes) -> tuple[list[tuple[str, int]], bytes]:
    """Return name and size of each chunk, and the first bytes of the compressed data."""
    chunks, first, position = [], b"", 8
    while position + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[position : position + 8])
        chunks.append((name.decode("latin-1"), size))
        if name == b"IDAT" and not first:
            first = data[position + 8 : position + 10]
        position += 12 + size
    return chunks, first


def _border(pixels: np.ndarray, numbers: dict) -> None:
    rim = max(2, round(min(pixels.shape) / 128))
    frame = np.ones(pixels.shape, dtype=bool)
    frame[rim:-rim, rim:-rim] = False
    inner = np.zeros(pixels.shape, dtype=bool)
    inner[2 * rim : -2 * rim, 2 * rim : -2 * rim] = True
    inner[4 * rim : -4 * rim, 4 * rim : -4 * rim] = False
    numbers["border", "rows and columns of padding"] = sum(padding(pixels))
    numbers["border", "brightness of the rim"] = pixels[frame].mean() - pixels[inner].mean()
    numbers["border", "variation in the rim"] = pixels[frame].std()


def _brightness(pixels: np.ndarray, numbers: dict) -> None:
    mean, spread = float(pixels.mean()), float(pixels.std())
    numbers["brightness", "mean"] = mean
    numbers["brightness", "contrast"] = spread
    numbers["brightness", "skew"] = float(((pixels - mean) ** 3).mean()) / max(spread, 1e-6) ** 3
    numbers["brightness", "pure black"] = float((pixels <= 0).mean())
    numbers["brightness", "pure white"] = float((pixels >= 255).mean())


def _histogram(pixels: np.ndarray, numbers: dict) -> None:
    counts = np.bincount(pixels.astype(np.int64).ravel(), minlength=256).astype(float)
    used = np.flatnonzero(counts)
    inside = counts[used[0] : used[-1] + 1]
    numbers["histogram", "levels left out"] = float((inside == 0).mean())
    numbers["histogram", "range of levels"] = float(len(inside))
    middle = counts[1:-1]
    rough = np.abs(middle[1:-1] - (middle[:-2] + middle[2:]) / 2).sum() / max(middle.sum(), 1.0)
    numbers["histogram", "roughness"] = float(rough)


def _detail(pixels: np.ndarray, numbers: dict) -> None:
    """Measure noise, and energy between blurs of 1, 2 and 4 px."""
    numbers["noise", "finest detail"] = noise_level(pixels)
    blurs = [pixels, *(gaussian_filter(pixels, sigma, truncate=3.0) for sigma in (1.0, 2.0, 4.0))]
    for number, name in enumerate(("below 1 px", "1 to 2 px", "2 to 4 px")):
        band = blurs[number] - blurs[number + 1]
        numbers["sharpness", f"energy at {name}"] = float(np.log(band.std() + 1e-3))
    dark = pixels < np.median(pixels)
    fine = np.abs(blurs[0] - blurs[1])
    numbers["noise", "in dark compared with bright areas"] = float(
        np.log((fine[dark].mean() + 0.1) / (fine[~dark].mean() + 0.1))
    )


def _grid(pixels: np.ndarray, numbers: dict) -> None:
    """Measure the excess power at the frequencies of a grid of 2, 4 and 8 px over neighbouring frequencies."""
    window = np.outer(np.hanning(pixels.shape[0]), np.hanning(pixels.shape[1])).astype(np.float32)
    power = np.log(np.abs(np.fft.rfft2((pixels - pixels.mean()) * window)) ** 2 + 1.0)
    for name, profile, size in (
        ("across", power[: max(4, pixels.shape[0] // 16)].mean(axis=0), pixels.shape[1]),
        ("down", power[: pixels.shape[0] // 2 + 1, : max(4, pixels.shape[1] // 16)].mean(axis=1), pixels.shape[0]),
    ):
        for period in (2, 4, 8):
            peaks = [multiple * size / period for multiple in range(1, period // 2 + 1)]
            numbers["grid", f"period {period} px {name}"] = float(np.mean([_peak(profile, peak) for peak in peaks]))


def _peak(profile: np.ndarray, place: float) -> float:
    at = min(round(place), len(profile) - 1)
    around = profile[max(0, at - 12) : at + 13]
    near = profile[max(0, at - 1) : at + 2]
    return float(near.max() - np.median(around))


def _jpeg(pixels: np.ndarray, numbers: dict) -> None:
    """Measure steps across the borders of 8 x 8 blocks relative to steps elsewhere, at the worst origin."""
    numbers["jpeg", "steps across"] = float(block_steps(pixels).max())
    numbers["jpeg", "steps down"] = float(block_steps(pixels.T).max())
    blocks = pixels[: pixels.shape[0] // 8 * 8, : pixels.shape[1] // 8 * 8]
    blocks = blocks.reshape(blocks.shape[0] // 8, 8, -1, 8).swapaxes(1, 2)
    finest = np.abs(np.einsum("abij,ij->ab", blocks, _HIGHEST))
    numbers["jpeg", "empty high frequencies"] = float((finest < 1.0).mean())


_WAVE = np.cos((2 * np.arange(8) + 1) * 7 * np.pi / 16) / 2
_HIGHEST = np.outer(_WAVE, _WAVE).astype(np.float32)  # the DCT's highest frequency, which JPEG rounds to 0 first


def _side(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences between left and right in each cell of a grid: in brightness and in fine detail, each (64,)."""
    height, width = pixels.shape[0] // 8 * 8, pixels.shape[1] // 16 * 16
    cells = pixels[:height, :width].reshape(8, height // 8, 16, width // 16)
    bright = cells.mean(axis=(1, 3)) / max(float(pixels.std()), 1e-6)
    detail = np.log(np.abs(np.diff(cells, axis=3)).mean(axis=(1, 3)) + 0.5)
    return tuple((part[:, :8] - part[:, :7:-1]).ravel() for part in (bright, detail))  # type: ignore[return-value]
