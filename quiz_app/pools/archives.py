"""Unpack zips as written by Windows, macOS, phones and hospital archives."""

from __future__ import annotations

import re
import shutil
import stat
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from quiz_app.errors import InvalidInputError

MOST_FILES = 50_000
MOST_BYTES = 64 * 2**30
# Deflate cannot exceed about 1000:1, and images hardly reach 10:1.
MOST_RATIO = 200
SMALL = 2**20  # bytes; files up to this size may have any ratio
DEEPEST = 2  # zips within zips
LONGEST = 120  # characters of a name; once encoded, longer names exceed the limit of some file systems


@dataclass
class Room:
    """How much of an upload may still be unpacked, for all zips in it together."""

    files: int
    space: int


def unpack(path: Path, into: Path) -> None:
    """Unpack a zip, and the zips in it into folders with their names.

    Backslashes separate folders, characters that some file systems refuse become `_`, and files with equal names are
    all kept. Raises InvalidInputError for a file that is not a zip, or for a zip that has paths outside it, has links,
    expands too much or is protected by a password; then nothing is unpacked. The size is checked as a whole, because
    members can share their bytes and zips can contain compressed zips.
    """
    try:
        most = max(SMALL, MOST_RATIO * path.stat().st_size)
        _unpack(path, into, Room(MOST_FILES, min(MOST_BYTES, most)), 0)
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, EOFError, ValueError) as error:
        shutil.rmtree(into, ignore_errors=True)
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError([f"zip: cannot be read: {error}"]) from error
    except Exception as error:  # zlib.error and anything else that a corrupt stream raises
        shutil.rmtree(into, ignore_errors=True)
        raise InvalidInputError([f"zip: cannot be unpacked: {error}"]) from error


def _unpack(path: Path, into: Path, room: Room, depth: int) -> None:
    with zipfile.ZipFile(path) as archive:
        every = [info for info in archive.infolist() if not info.is_dir()]
        names = dict(zip(map(id, every), _names(every), strict=True))
        members = [info for info in every if not _is_litter(names[id(info)])]
        faults = [f"{names[id(info)]}: {fault}" for info in members for fault in _faults(info, names[id(info)])]
        if len(members) > room.files:
            faults.append(f"zip: contains more than {MOST_FILES} files")
        if sum(info.file_size for info in members) > room.space:
            faults.append(f"zip: unpacks to more than {MOST_BYTES // 2**30} GiB, or {MOST_RATIO} times its size")
        if faults:
            raise InvalidInputError(faults)
        room.files -= len(members)
        room.space -= sum(info.file_size for info in members)
        taken: set[str] = set()
        for info in members:
            target = into / _free(_safe(names[id(info)]), taken)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, 2**20)
    for inner in [one for one in into.rglob("*") if one.suffix.lower() == ".zip" and one.is_file()]:
        if depth + 1 < DEEPEST and zipfile.is_zipfile(inner):
            aside = inner.rename(inner.with_name(f"{inner.name}.packed"))
            _unpack(aside, inner.with_suffix(""), room, depth + 1)
            aside.unlink()


def _names(members: list[zipfile.ZipInfo]) -> list[str]:
    """The names of members with forward slashes.

    Without the UTF-8 flag, a name is in the code page of the computer that packed it, and Python decodes it as cp437.
    macOS writes UTF-8 anyway, and Japanese Windows writes Shift-JIS.
    """
    raw = [b"" if info.flag_bits & 0x800 else _bytes(info.orig_filename) for info in members]
    code = _code_page(b"\n".join(raw))
    names = [one.decode(code) if one else info.orig_filename for one, info in zip(raw, members, strict=True)]
    return [unicodedata.normalize("NFC", name.replace("\\", "/").split("\0")[0]) for name in names]


def _bytes(name: str) -> bytes:
    try:
        return name.encode("cp437")
    except UnicodeEncodeError:
        return name.encode()


def _code_page(names: bytes) -> str:
    for code, fits in (("utf-8", lambda text: True), ("cp932", _is_japanese)):
        try:
            if fits(names.decode(code)):
                return code
        except UnicodeDecodeError:
            continue
    return "cp437"


def _is_japanese(text: str) -> bool:
    """Whether all non-ASCII characters are Japanese, and make up most of the words in which they occur."""
    words = "".join(word for word in re.findall(r"\w+", text) if not word.isascii())
    japanese = re.findall(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]", words)
    return len(japanese) == sum(not letter.isascii() for letter in words) and 2 * len(japanese) >= len(words)


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") and part not in ("..", ".") for part in parts)
    return "__MACOSX" in parts or hidden or parts[-1:] in (("Thumbs.db",), ("desktop.ini",))


def _faults(info: zipfile.ZipInfo, name: str) -> list[str]:
    faults, path = [], PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:/", name):
        faults.append("points outside the zip")
    if stat.S_ISLNK(info.external_attr >> 16):
        faults.append("is a link")
    if info.flag_bits & 0x1:
        faults.append("is protected by a password; pack it without one")
    if info.file_size > MOST_RATIO * max(1, info.compress_size) and info.file_size > SMALL:
        faults.append(f"expands from {info.compress_size} to {info.file_size} bytes")
    return faults


def _safe(name: str) -> PurePosixPath:
    parts = [re.sub(r'[<>:"|?*\x00-\x1f\x7f]', "_", part) for part in PurePosixPath(name).parts]
    short = [part if len(part) <= LONGEST else part[: LONGEST - 12] + part[-12:] for part in parts]
    return PurePosixPath(*(part.rstrip(". ") or "_" for part in short))


def _free(path: PurePosixPath, taken: set[str]) -> PurePosixPath:
    """The path, with a number if one that some file system treats as equal is taken."""
    number, free = 2, path
    while str(free).casefold() in taken:
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    taken.add(str(free).casefold())
    return free
