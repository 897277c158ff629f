"""Detect the encoding of a text file: a byte order mark, UTF-8, or a safe guess."""

from __future__ import annotations

import codecs
import re

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WESTERN = ("cp1252", "mac_roman", "cp1250")  # written by Excel on Windows, on a Mac, and in Central Europe
OTHERS = ("cp1251", "cp1253", "cp932", "gb18030", "cp949", "big5")
NAMES = {
    "cp1252": "Windows-1252 (Western European)",
    "mac_roman": "Mac Roman",
    "cp1250": "Windows-1250 (Central European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
    "cp932": "Shift-JIS (Japanese)",
    "gb18030": "GB 18030 (Chinese)",
    "cp949": "CP949 (Korean)",
    "big5": "Big5 (Chinese)",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
}


def decoded(data: bytes, encoding: str = "") -> tuple[str, str]:
    """Return the text of a file and the name of its encoding; the name is empty for UTF-8.

    encoding: Python's name of the encoding, if given. Raises ValueError with the reason if the bytes do not match, or
    more than one encoding would.
    """
    if encoding:
        try:
            return data.decode(encoding), ""
        except (LookupError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot be read as {encoding} ({error})") from None
    marked = next((name for mark, name in MARKS if data.startswith(mark)), "")
    if not marked and b"\0" in data[:2000]:  # UTF-16 without its byte order mark: every other byte of ASCII text is 0
        marked = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    try:
        return data.decode(marked or "utf-8"), NAMES.get(marked, "")
    except UnicodeDecodeError as error:
        if marked:
            raise ValueError(f"starts like {NAMES.get(marked, 'UTF-8')}, but byte {error.start} is invalid") from None
        found = _guess(data)
        if len(found) == 1:
            return data.decode(found[0]), NAMES[found[0]]
        why = f"it could be {' or '.join(NAMES[name] for name in found)}; " if found else ""
        raise ValueError(f"not UTF-8 text (byte {error.start}): {why}save it as CSV UTF-8") from None


def _guess(data: bytes) -> list[str]:
    """Return the possible encodings: one if it is practically certain.

    charset-normalizer rules out those that give garbage. A few names cannot distinguish Windows-1252 from Windows-1250,
    so the first of WESTERN that gives words is used.
    """
    from charset_normalizer import from_bytes

    matches = from_bytes(data, cp_isolation=[*WESTERN, *OTHERS])
    left = {name for match in matches for name in match.could_be_from_charset}
    western = [name for name in WESTERN if name in left and _is_western(data.decode(name))]
    return western[:1] or [name for name in OTHERS if name in left and _is_words(data.decode(name))]


def _is_western(text: str) -> bool:
    """Return whether non-ASCII letters occur among ASCII ones, without capitals in the middle of a word."""
    words = [word for word in re.findall(r"\w+", text) if not word.isascii()]
    letters = "".join(words)
    plain = sum(letter.isascii() for letter in letters)
    return _is_words(text) and 2 * plain >= len(letters) and not any(map(_has_odd_capital, words))


def _has_odd_capital(word: str) -> bool:
    odd = (at for at, letter in enumerate(word) if at and letter.isupper() and not letter.isascii())
    return any(word[at - 1].islower() or word[at + 1 : at + 2].islower() for at in odd)


def _is_words(text: str) -> bool:
    """Return whether all non-ASCII characters are letters or common punctuation."""
    return all(letter.isascii() or letter.isalpha() or letter in "–—‘’“”„…€§°´«»ªº\u00a0" for letter in text)
