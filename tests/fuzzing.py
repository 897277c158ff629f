"""Corrupted files for everything that reads users' files: each must give a value or the reader's own error.

Plain seeded mutations (numpy): bytes and blocks changed, cut, doubled and joined; members of archives and workbooks
changed and packed again; PNG chunks with corrected checksums; words of tables and manifests exchanged. One seed makes
one file of one kind, always the same.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import struct
import tempfile
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileMetaDataset

from analysis.responses import ResponsesError, load_csv, load_mapped, load_panodiff, load_ratings
from generation import pool, radiographs
from generation.errors import InputError
from generation.radiographs import guarded, reading
from quiz_app.errors import InvalidInputError
from quiz_app.pools import archives, survey

OWN = (InputError, InvalidInputError, ResponsesError)
VALUE, REFUSED = "value", "refused"
LOST = "decoder lost"  # by a crash, 60 s or 2 GiB: that file's fault
WORDS = [
    *(
        b"",
        b"0",
        b"-1",
        b"1e999",
        b"nan",
        b"\x00",
        b"\xff\xfe",
        b'"',
        b"'",
        b";",
        b",",
        b"\r",
        b"\n\n",
        b"%",
        b"1.2.3 %",
    ),
    *(b"9" * 40, b"real", b"synthetic", b"2026-13-45", b"../", b"[", b"{", b"null", b"\xef\xbb\xbf"),
    *(
        "Ærø".encode("cp1252"),
        "\u0663".encode(),
        "\u00b2".encode(),
    ),  # a figure that is no ASCII, and one that is no digit
]


def spoilt(data: bytes, rng: np.random.Generator, other: bytes = b"", words: bool = False) -> bytes:
    """One to six changes of `data`, most of them near its beginning, where headers are."""
    out = bytearray(data)
    for _ in range(min(6, int(rng.geometric(0.6)))):
        if not out:
            break
        at = int(len(out) * rng.random() ** (3 if rng.random() < 0.7 else 1))
        length = int(rng.integers(1, 1 + max(1, len(out) // 8)))
        kind = rng.integers(0, 9 if words else 7)
        if kind <= 1:
            out[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(0, 256))]))
        elif kind == 2:
            out[at : at + 4] = struct.pack("<I", int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**16])))
        elif kind == 3:
            del out[at : at + length]
        elif kind == 4:
            out[at:at] = out[at : at + length]
        elif kind == 5:
            out = out[: max(1, at)] if rng.random() < 0.4 else out
            out += other[int(len(other) * rng.random()) :][:length]
        elif kind == 6:
            out[at : at + length] = rng.integers(0, 256, min(length, 32), dtype=np.uint8).tobytes()
        else:
            ends = [place for place in (out.find(mark, at) for mark in (b",", b"\n", b'"', b";")) if place >= 0]
            out[at : min(ends, default=at + 3)] = WORDS[int(rng.integers(len(WORDS)))]
    return bytes(out)


def repacked(data: bytes, rng: np.random.Generator) -> bytes:
    """A zip with one member changed, left out, or called by another name, and right again as a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = int(rng.integers(len(members)))
    name, body = members[at]
    kind = rng.integers(0, 4)
    if kind <= 1:
        members[at] = name, spoilt(body, rng, words=True)
    elif kind == 2:
        del members[at]
    else:
        members[at] = spoilt(name.encode(), rng, words=True).decode("latin-1").replace("\0", "") or "x", body
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, body) in enumerate(members):
            archive.writestr(name if name not in archive.namelist() else f"{number}{name}", body)
    return buffer.getvalue()


def rechecked(data: bytes) -> bytes:
    """A PNG with corrected chunk checksums, so that the decoder continues."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        size = struct.unpack(">I", data[at : at + 4])[0]
        body = data[at + 4 : at + 8 + size]
        out += struct.pack(">I", max(0, len(body) - 4)) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return bytes(out)


# Images


@cache
def images() -> list[tuple[str, bytes]]:
    """Sound files: PNG, JPEG, TIFF of several kinds, and DICOM of several transfer syntaxes."""
    rng = np.random.Generator(np.random.PCG64(1))
    grey = rng.integers(0, 256, (64, 96), dtype=np.uint8)
    deep = rng.integers(0, 4096, (64, 96), dtype=np.uint16)
    found: list[tuple[str, bytes]] = []

    def add(name: str, image: Image.Image, kind: str, **options: object) -> None:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        found.append((name, buffer.getvalue()))

    plain, frames = Image.fromarray(grey), [Image.fromarray(grey) for _ in range(2)]
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, image in (
        ("l", plain),
        ("rgb", plain.convert("RGB")),
        ("p", plain.convert("P")),
        ("d", Image.fromarray(deep)),
    ):
        add(f"{name}.png", image, "PNG")
    add("l.jpg", plain, "JPEG", exif=exif)
    add("rgb.jpg", plain.convert("RGB"), "JPEG", progressive=True)
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits"):
        add(f"{compression}.tif", plain, "TIFF", compression=compression)
    add("d.tif", Image.fromarray(deep), "TIFF")
    add("f.tif", Image.fromarray(deep.astype(np.float32)), "TIFF")
    add("m.tif", frames[0], "TIFF", save_all=True, append_images=frames[1:])
    found += [(f"{number}.dcm", dicom(deep, syntax)) for number, syntax in enumerate(UNCOMPRESSED + COMPRESSED)]
    return found


UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
COMPRESSED = ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90")


def dicom(pixels: np.ndarray, syntax: str) -> bytes:
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3.4"
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME1"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.RescaleSlope, data.RescaleIntercept, data.WindowCenter, data.WindowWidth = 1, 0, [2000, 100], [4000, 10]
    data.PixelPaddingValue, data.PixelAspectRatio, data.PresentationLUTShape = 0, [1, 2], "INVERSE"
    table = pydicom.Dataset()
    table.LUTDescriptor = [16, 0, 8]
    table.add_new("LUTData", "OW", bytes(32))
    data.VOILUTSequence = [table]
    data.PatientName, data.PatientOrientation, data.BurnedInAnnotation = "Doe^Jane", ["R", "F"], "NO"
    data.PixelData = pixels.tobytes()
    big = syntax == "1.2.840.10008.1.2.2"
    if syntax in COMPRESSED:
        data.compress(syntax)
    elif big:
        data.PixelData = pixels.byteswap().tobytes()
    data.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, implicit_vr=syntax == "1.2.840.10008.1.2", little_endian=not big,
                     enforce_file_format=True)  # fmt: skip
    return buffer.getvalue()


def image_file(rng: np.random.Generator) -> tuple[str, bytes]:
    name, data = images()[int(rng.integers(len(images())))]
    changed = spoilt(data, rng, images()[int(rng.integers(len(images())))][1])
    return name, rechecked(changed) if name.endswith("png") and rng.random() < 0.7 else changed


def image(rng: np.random.Generator, folder: Path) -> None:
    name, data = image_file(rng)
    path = folder / name
    path.write_bytes(data)
    radiographs.find(folder)
    count = radiographs.frames_of(path)
    for frame in radiographs.chosen(count, "all")[:3] if count > 1 else [None]:
        found = reading.look(path, frame)
        assert found.image.mode == "L"
        assert min(found.image.size) > 0


# Tables

LINES = [[reader, f"c{n:02}.png", ("real", "synthetic")[n % 2], 1 + (n * 7 + at) % 5] for at, reader in
         enumerate(("EC1", "EC2", "EP1", "Ærø")) for n in range(8)]  # fmt: skip
PANODIFF = {1: "Definitely Real", 2: "Probably Real", 3: "Unsure", 4: "Probably Fake", 5: "Definitely Fake"}
MAPPING = """[columns]
reader = "reader"
case = "case"
answer = "level"
truth = "truth"
[answers]
"1" = 1
"2" = 2
"3" = 3
"4" = 4
"5" = 5
[truths]
"real" = "real"
[table]
skip = 0
"""
WIDE = """[columns]
reader = "Mail"
[wide]
cases = 'Image (\\d+).*'
"""


def written(lines: list[list[object]], delimiter: str = ",") -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(lines)
    return buffer.getvalue().encode()


@cache
def sav() -> bytes:
    import pandas as pd
    import pyreadstat

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "r.sav")
        frame = pd.DataFrame(LINES, columns=["reader", "case", "truth", "level"])
        pyreadstat.write_sav(frame, str(path), variable_value_labels={"level": {1: "1", 5: "5"}})
        return path.read_bytes()


@cache
def xlsx() -> bytes:
    import openpyxl

    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for line in [["reader", "case", "truth", "level"], *LINES]:
        book.active.append(line)
    book.create_sheet("more")
    book.save(buffer)
    return buffer.getvalue()


def table(rng: np.random.Generator, folder: Path) -> None:
    ours = [["reader", "case", "truth", "level"], *LINES]
    export = [["User Name", "File", "RealFakeValueSlider", "Progress Value"]]
    export += [[r, c, PANODIFF[level], f"Progress: {n % 8 * 12.5}%"] for n, (r, c, _, level) in enumerate(LINES)]
    files = {
        "r.csv": written(ours, ",;\t"[int(rng.integers(3))]),
        "p.csv": written(export),
        "l.csv": written([["Filename", "Label"], *([f"c{n:02}.png", ("Real", "Fake")[n % 2]] for n in range(8))]),
        "w.csv": written([["Mail", "Image 1 [a]", "Image 2 [b]"], ["a@x", 1, 5], ["b@x", 2, 2]]),
        "wl.csv": written([["Filename", "Label"], ["1", "Real"], ["2", "Fake"]]),
        "t.csv": written([["case", "truth", "R1", "R2"], *([f"c{n}", LINES[n][2], 1 + n % 5, 2] for n in range(8))]),
        "g.csv": written([["reader", "group", "years"], *([r, r[:2], 3.5] for r in ("EC1", "EC2", "EP1", "Ærø"))]),
        "d.csv": written([["case", "value"], *([f"c{n:02}.png", n / 8] for n in range(8))]),
        "m.toml": MAPPING.encode(),
        "wm.toml": WIDE.encode(),
        "r.xlsx": xlsx(),
        "r.sav": sav(),
    }
    chosen = list(files)[int(rng.integers(len(files)))]
    packed = chosen == "r.xlsx" and rng.random() < 0.7
    binary = chosen in ("r.xlsx", "r.sav")
    files[chosen] = repacked(files[chosen], rng) if packed else spoilt(files[chosen], rng, words=not binary)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "spoilt").write_text(chosen)
    at = {name: folder / name for name in files}
    if chosen in ("r.csv", "r.xlsx", "r.sav", "g.csv", "d.csv"):
        loaded = load_csv(at[chosen if chosen.startswith("r.") else "r.csv"])
        if chosen[0] in "gd":
            loaded = loaded.with_groups(at["g.csv"]) if chosen[0] == "g" else loaded.with_detector(at["d.csv"])
        loaded.matrix("level")
    if chosen in ("p.csv", "l.csv"):
        load_panodiff(at["p.csv"], at["l.csv"]).matrix("level")
    if chosen in ("w.csv", "wl.csv", "wm.toml"):
        load_mapped(at["w.csv"], at["wm.toml"], at["wl.csv"]).matrix("level")
    if chosen in ("r.csv", "m.toml"):
        load_mapped(at["r.csv"], at["m.toml"]).matrix("level")
    if chosen == "t.csv":
        load_ratings(at["t.csv"]).matrix("level")


# Archives and pools


def archive(rng: np.random.Generator, folder: Path) -> None:
    members = {"real/a.png": images()[0][1], "real/b.dcm": images()[-1][1], "synthetic/c.jpg": images()[4][1]}
    if rng.random() < 0.5:
        members |= {"DICOMDIR": images()[-2][1], "DICOM/PAT/IM1": images()[-3][1]}
    if rng.random() < 0.3:
        name = list(members)[int(rng.integers(len(members)))]
        members[name] = spoilt(members[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    data = buffer.getvalue()
    (folder / "u.zip").write_bytes(repacked(data, rng) if rng.random() < 0.4 else spoilt(data[::-1], rng)[::-1])
    into, work = folder / "in" / "side", folder / "work"
    into.mkdir(parents=True)
    work.mkdir()
    archives.unpack(folder / "u.zip", into)
    assert [path.name for path in (folder / "in").iterdir()] == ["side"]
    survey.take(into, work, (32, 16))


def pool_folder(rng: np.random.Generator, folder: Path) -> None:
    made = folder / "pool"
    grey = np.arange(512, dtype=np.uint8).reshape(16, 32)
    entries = [
        pool.Entry(pool.TRUTHS[n % 2], "s", pool.encode(grey + np.uint8(n)), origin=f"{n}.png") for n in range(4)
    ]
    pool.write(made, entries, name="P", seed=0, width=32, height=16, how={"real": "r", "synthetic": "s"})
    for name in ("pool.json", "cases.csv", "images/case-0001.png"):
        if rng.random() < 0.5:
            path = made / name
            changed = spoilt(path.read_bytes(), rng, words=not name.endswith("png"))
            path.write_bytes(changed)
            if name.startswith("images") and rng.random() < 0.7:  # the table knows of it
                before, after = (hashlib.sha256(one).hexdigest().encode() for one in (pool.encode(grey), changed))
                (made / "cases.csv").write_bytes((made / "cases.csv").read_bytes().replace(before, after))
            if name == "pool.json" and rng.random() < 0.6:
                manifest = {"format": 1, "name": "P", "width": 32, "height": 16, "counts": {}, "how": {}}
                odd = [None, [], {}, True, -1, 1.5, "x", 10**400, [[]]]
                manifest[list(manifest)[int(rng.integers(len(manifest)))]] = odd[int(rng.integers(len(odd)))]
                path.write_text(json.dumps(manifest))
    pool.read(made)


KINDS: dict[str, Callable[[np.random.Generator, Path], None]] = {
    "image": image, "table": table, "archive": archive, "pool": pool_folder,
}  # fmt: skip
APART = ("image", "table")  # are tried in processes that may be lost; the others have their own


def tried(seed: int, kind: str) -> str:
    """`value`, `refused`, or the traceback of an error that should not occur."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            KINDS[kind](np.random.Generator(np.random.PCG64([seed, *kind.encode()])), Path(folder))
        except OWN as error:
            return REFUSED if str(error) else "an error without a word"
        except Exception:
            return traceback.format_exc()
    return VALUE


def outcomes(kind: str, seeds: range) -> Iterator[tuple[int, str]]:
    """The outcome for each seed's file; for the kinds in APART also `decoder lost`, if the file caused that."""
    if kind not in APART:
        yield from ((seed, tried(seed, kind)) for seed in seeds)
        return
    for seed, found in zip(seeds, guarded.each(partial(tried, kind=kind), seeds), strict=True):
        lost = isinstance(found, guarded.Failed)
        yield seed, (LOST if kind == "image" else str(found)) if lost else found


def keep(seed: int, kind: str, into: Path) -> Path:
    """Keep the files of this seed, for fixing the problem they show."""
    target = into / f"{kind}-{seed}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        KINDS[kind](np.random.Generator(np.random.PCG64([seed, *kind.encode()])), target)
    except Exception:
        return target
    return target
