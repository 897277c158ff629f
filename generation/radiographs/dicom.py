"""Render a DICOM file as a viewer would: DICOM PS3.3, sections C.7.6.3, C.7.6.16, C.11.1, C.11.2 and C.11.6.

The order is: exclude padding and areas hidden by the display shutter (C.7.6.11); modality look-up; first window or VOI
look-up, otherwise robust percentiles; inversion (MONOCHROME1, or PresentationLUTShape INVERSE); paint the shutter;
orient by PatientOrientation, with the patient's left on the right-hand side and the head up; make pixels square. The
operations in FieldOfView... have already been applied to the pixels (C.8.11.4).

Only the pixels and the standard terms read by `header` are used; the latter are counted, and a prepared corpus lists
them by image. Overlays, annotations and all other elements are discarded (cf. PS3.15, E.1); text burnt into the pixels
cannot be removed, and is noted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.datadict import keyword_for_tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
)

from generation.errors import InputError
from generation.radiographs import header, shutter, windows
from generation.radiographs.reading import Reading, assert_frame, assert_size

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
LOSSY = (  # transfer syntaxes that always lose detail
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS, near-lossless
)
TELLING = ("Patient", "Study", "Institution", "Physician", "Operator", "Accession", "DeviceSerial")
ITEM = b"\xfe\xff\x00\xe0"  # start of compressed pixels
MOST_STRETCH = 8.0  # larger ratios are an error of the header


def look(path: Path, frame: int | None = None) -> Reading:
    """Return the image of a DICOM file; `frame` as in `reading.look`. Raises InputError with a reason."""
    data = pydicom.dcmread(path, force=True)
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        what = data.get("SOPClassUID")
        kind = f" ({what.name})" if what and what.name != what else ""
        raise InputError(f"{path}: not readable as a DICOM radiograph: it contains no image{kind}")
    number = assert_frame(path, int(data.get("NumberOfFrames") or 1), frame)
    assert_size(path, int(data.get("Columns") or 0), int(data.get("Rows") or 0))
    try:
        pixels = _decoded(path, data, number)
    except InputError:
        raise
    except Exception as error:  # a corrupt file can make a decoder raise anything
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: not readable as a DICOM radiograph ({reason})") from error
    notes: list[str] = []
    seen = _opening(data, (pixels.shape[0], pixels.shape[1]), notes)
    if pixels.ndim == 3 or _is_palette(data):
        grey = _in_colour(data, pixels, notes)
    else:
        grey = _in_grey(data, pixels, seen, notes)
    if seen is not None:
        grey = np.where(seen, grey, np.uint8(shutter.grey(data)))
    if str(data.get("BurnedInAnnotation", "")).upper() == "YES":
        notes.append("states that text is burnt into the image: a name may be readable")
    if any(0x6000 <= element.tag.group <= 0x60FF for element in data):
        notes.append("has an overlay, which is discarded")
    said = header.said(data)
    moved = said.get("field of view: rotation", "0") != "0" or said.get("field of view: flipped") == "YES"
    orientation = said.get("orientation", "")
    if orientation == "other":
        notes.append("gives the patient's orientation in non-DICOM terms, and is not rotated")
    elif moved and not orientation:
        notes.append("was rotated or flipped at the detector, and does not give the patient's orientation")
    image = _square(data, Image.fromarray(_upright(grey, orientation)), notes)
    lossy = str(data.get("LossyImageCompression", "")) == "01" or _syntax(data) in LOSSY
    return Reading(image, tuple(notes), lossy, tuple(_telling(data)), said)


def _opening(data: pydicom.Dataset, size: tuple[int, int], notes: list[str]) -> np.ndarray | None:
    """Return where the display shutter shows the image; None without an applicable shutter."""
    try:
        seen = shutter.opening(data, size, _ratio(data) or 1.0)
    except ValueError as error:
        notes.append(f"{error}; it is not applied")
        return None
    if seen is not None:
        notes.append("has a display shutter, which is applied")
    return seen


def _syntax(data: pydicom.Dataset) -> str:
    return str(getattr(data, "file_meta", {}).get("TransferSyntaxUID", ""))


def _telling(data: pydicom.Dataset) -> list[str]:
    keywords = map(keyword_for_tag, data.keys())
    return [keyword for keyword in keywords if keyword.startswith(TELLING) or "Physician" in keyword]


def _decoded(path: Path, data: pydicom.Dataset, frame: int) -> np.ndarray:
    """Return one frame: (rows, columns), or (rows, columns, 3) in colour."""
    from pydicom.pixels import get_decoder

    _mend_syntax(data)
    syntax = data.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise InputError(f"{path}: is compressed as {syntax.name}, which cannot be read here") from None
    if not decoder.is_available:
        raise InputError(
            f"{path}: is compressed as {syntax.name}, and its decoder is not installed: pip install 'discern[dicom]'"
        )
    if syntax == JPEGExtended12Bit and data.get("BitsStored") != 8:
        return _by_gdcm(path, data)[frame]
    pixels, _ = decoder.as_array(data, index=frame, raw=False)
    return pixels


def _by_gdcm(path: Path, data: pydicom.Dataset) -> np.ndarray:
    """Return the frames (n, rows, columns) with GDCM, which decodes 12-bit JPEG only from whole files."""
    try:
        import gdcm
    except ImportError:
        raise InputError(
            f"{path}: is compressed as {JPEGExtended12Bit.name}, and its decoder is not installed: "
            "pip install 'discern[dicom]'"
        ) from None
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    if not reader.Read():
        raise ValueError("its JPEG stream cannot be decoded")
    signed, wide = data.get("PixelRepresentation") == 1, int(data.BitsAllocated) // 8
    buffer = reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(buffer, f"<{'i' if signed else 'u'}{wide}").reshape(-1, data.Rows, data.Columns)


def _mend_syntax(data: pydicom.Dataset) -> None:
    """Set the transfer syntax if the file meta group is missing or wrong."""
    if not hasattr(data, "file_meta") or data.file_meta is None:
        data.file_meta = pydicom.dataset.FileMetaDataset()
    meta = data.file_meta
    implicit, little = data.original_encoding
    native = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    if "TransferSyntaxUID" not in meta:
        meta.TransferSyntaxUID = native
    if "PixelData" not in data or not isinstance(data.PixelData, bytes):
        return
    element, value = data["PixelData"], data.PixelData
    wrapped = value[:4] == ITEM and element.is_undefined_length
    if wrapped and meta.TransferSyntaxUID in NATIVE:
        meta.TransferSyntaxUID = _compression(value) or meta.TransferSyntaxUID
    elif not wrapped and meta.TransferSyntaxUID not in NATIVE and value[:4] != ITEM:
        meta.TransferSyntaxUID = native


def _compression(value: bytes) -> pydicom.uid.UID | None:
    """Return the transfer syntax of encapsulated pixels, from the start of their stream."""
    start = value.find(b"\xff\xd8\xff"), value.find(b"\xff\x4f\xff\x51")
    if start[1] >= 0 and (start[0] < 0 or start[1] < start[0]):
        return pydicom.uid.JPEG2000
    for marker, syntax in (
        (b"\xff\xf7", pydicom.uid.JPEGLSNearLossless),
        (b"\xff\xc3", pydicom.uid.JPEGLosslessSV1),
        (b"\xff\xc1", pydicom.uid.JPEGExtended12Bit),
        (b"\xff\xc0", pydicom.uid.JPEGBaseline8Bit),
    ):
        if start[0] >= 0 and marker in value[start[0] : start[0] + 4096]:
            return syntax
    return None


def _is_palette(data: pydicom.Dataset) -> bool:
    return data.get("PhotometricInterpretation") == "PALETTE COLOR"


def _in_colour(data: pydicom.Dataset, pixels: np.ndarray, notes: list[str]) -> np.ndarray:
    """Convert colour to 8-bit luminance (ITU-R 601, as in Pillow)."""
    if _is_palette(data):
        pixels = pydicom.pixels.apply_color_lut(pixels, data)
    if pixels.dtype.itemsize > 1:
        bits = 16 if _is_palette(data) else int(data.get("BitsStored") or 16)
        pixels = (pixels >> (bits - 8)).astype(np.uint8)
    pixels = np.ascontiguousarray(pixels[..., :3])
    if (np.ptp(pixels[::4, ::4].astype(np.int16), axis=2) > 24).mean() > 0.001:
        notes.append("in colour; read as luminance")
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _in_grey(data: pydicom.Dataset, pixels: np.ndarray, seen: np.ndarray | None, notes: list[str]) -> np.ndarray:
    inverted = (
        data.get("PhotometricInterpretation") == "MONOCHROME1"
        or str(data.get("PresentationLUTShape", "")).upper() == "INVERSE"
    )
    if "PresentationLUTSequence" in data:
        notes.append("has a presentation look-up table, which is not applied")
    pixels = _without_overlay_bits(data, pixels)
    return windows.rendered(pixels, _display(data, pixels, notes), inverted, _padding(data), seen)


def _without_overlay_bits(data: pydicom.Dataset, pixels: np.ndarray) -> np.ndarray:
    """Remove overlays that old files store in the bits above the image."""
    stored, allocated = int(data.get("BitsStored") or 0), int(data.get("BitsAllocated") or 0)
    if pixels.dtype.kind == "u" and 0 < stored < allocated and int(pixels.max(initial=0)) >> stored:
        return pixels & np.array((1 << stored) - 1, dtype=pixels.dtype)
    return pixels


def _padding(data: pydicom.Dataset) -> tuple[int, int] | None:
    """Return the range of stored values used as padding (C.7.5.1.1.2)."""
    value = data.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = data.get("PixelPaddingRangeLimit")
    limit = limit if isinstance(limit, int) else value
    return min(value, limit), max(value, limit)


def _display(data: pydicom.Dataset, pixels: np.ndarray, notes: list[str]) -> windows.Display:
    """The transformation of stored values: modality look-up, then the file's window or look-up, or percentiles."""
    modality = _modality(data, notes)
    if data.get("VOILUTSequence"):
        first, table = _look_up_table(data.VOILUTSequence[0], pixels)
        return lambda values, counts: _by_table(modality(values), first, table)
    centre, width = _first(data.get("WindowCenter")), _first(data.get("WindowWidth"))
    if centre is not None and width is not None and width > 0:
        function = str(data.get("VOILUTFunction", "LINEAR")).upper()
        return lambda values, counts: windows.windowed(modality(values), centre, width, function)
    if width is not None and width <= 0:
        notes.append("its window has no width and is not used")
    if int(data.get("BitsStored") or 16) <= 8 and "ModalityLUTSequence" not in data and "RescaleSlope" not in data:
        return lambda values, counts: values / (2 ** int(data.BitsStored) - 1)
    return lambda values, counts: windows.between_percentiles(modality(values), counts)


def _by_table(values: np.ndarray, first: int, table: np.ndarray) -> np.ndarray:
    """Map values (n,) through a table, from 0 at its smallest to 1 at its largest entry."""
    shown = table[np.clip(np.rint(values) - first, 0, len(table) - 1).astype(int)]
    return (shown - table.min()) / max(np.ptp(table), 1.0)


def _modality(data: pydicom.Dataset, notes: list[str]) -> Any:
    if data.get("ModalityLUTSequence"):
        first, table = _look_up_table(data.ModalityLUTSequence[0], None)
        return lambda values: table[np.clip(values - first, 0, len(table) - 1).astype(int)]
    slope, intercept = _first(data.get("RescaleSlope")), _first(data.get("RescaleIntercept"))
    if slope == 0:
        notes.append("its rescale slope is 0 and is not used")
        return lambda values: values
    return lambda values: values * (1.0 if slope is None else slope) + (intercept or 0.0)


def _look_up_table(item: pydicom.Dataset, pixels: np.ndarray | None) -> tuple[int, np.ndarray]:
    """Return the first value that a table maps, and its entries (n,)."""
    _, first, bits = (int(number) for number in item.LUTDescriptor)
    if pixels is not None and pixels.dtype.kind == "u" and first < 0:
        first += 2**16
    entries = item.LUTData
    if isinstance(entries, bytes):
        entries = np.frombuffer(
            entries, np.uint8 if bits <= 8 and len(entries) == int(item.LUTDescriptor[0]) else "<u2"
        )
    return first, np.atleast_1d(np.asarray(entries, dtype=float))


def _first(value: Any) -> float | None:
    """Return the first of several values as a number, or None."""
    if value is None or isinstance(value, str):
        return None
    try:
        return float(value[0]) if hasattr(value, "__len__") else float(value)
    except (IndexError, TypeError, ValueError):
        return None


def _upright(pixels: np.ndarray, orientation: str) -> np.ndarray:
    across, down = header.flips(orientation)
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if across else 1])


def _ratio(data: pydicom.Dataset) -> float | None:
    """Return the ratio of a pixel's width to its height, if the file gives a plausible one."""
    ratio = _said_ratio(data)
    return ratio if 1 / MOST_STRETCH <= ratio <= MOST_STRETCH else None


def _said_ratio(data: pydicom.Dataset) -> float:
    for keyword in ("PixelAspectRatio", "ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing"):
        sides = data.get(keyword)
        if sides is None or isinstance(sides, str) or len(sides) != 2 or min(map(float, sides)) <= 0:
            continue
        ratio = float(sides[1]) / float(sides[0])
        if abs(ratio - 1) > 0.01:
            return ratio
    return 1.0


def _square(data: pydicom.Dataset, image: Image.Image, notes: list[str]) -> Image.Image:
    """Make pixels square, keeping the shorter side so that no detail is lost."""
    ratio = _ratio(data)
    if ratio is None:
        notes.append(f"its pixel aspect ratio is above {MOST_STRETCH:g}, which is implausible and is ignored")
    if ratio is None or ratio == 1:
        return image
    notes.append(f"its pixels are {ratio:.3g} times as wide as high, and were made square")
    size = (round(image.width * ratio), image.height) if ratio > 1 else (image.width, round(image.height / ratio))
    return image.resize(size, Image.Resampling.LANCZOS)
