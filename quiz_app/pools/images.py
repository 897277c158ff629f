"""Blinded images: the bytes that a reader receives for a case.

Every image of a pool is re-encoded by one encoder (8-bit grey PNG, no metadata) and padded to one length, so that
neither format, headers nor size reveal its class. It is sent either in the clear, while its trial is due, or sealed
(AES-256-GCM) one trial ahead; the key follows when the trial is due.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import struct
import zlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PIL import Image

_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_OVERHEAD = 12  # length, type and checksum of a chunk


def encoded(image: Image.Image) -> bytes:
    """`image` as an 8-bit grey PNG without metadata."""
    grey = Image.frombytes("L", image.size, image.convert("L").tobytes())  # a fresh image carries no info
    buffer = io.BytesIO()
    grey.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def padded(png: bytes, length: int) -> bytes:
    """`png` with an ancillary chunk of zeros so that it is `length` bytes long.

    A decoder may skip a chunk whose name begins with a lower-case letter (PNG specification, 5.4).
    Raises ValueError if `png` is already too long.
    """
    room = length - len(png) - _OVERHEAD
    if room < 0 or not png.endswith(_END):
        raise ValueError(f"a PNG of {len(png)} bytes cannot be padded to {length}")
    chunk = b"paDd" + bytes(room)
    return png[: -len(_END)] + struct.pack(">I", room) + chunk + struct.pack(">I", zlib.crc32(chunk)) + _END


def reduced_size(width: int, height: int, largest_side: int) -> tuple[int, int]:
    """Width and height with the longer side at most `largest_side` pixels; 0 = unchanged."""
    if not 0 < largest_side < max(width, height):
        return width, height
    scale = largest_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def reduced(png: bytes, largest_side: int) -> bytes:
    """A blinded image with its longer side at most `largest_side` pixels; unchanged if it is not larger.

    Its length depends only on its size: it is padded to the maximum length of an image of that size.
    """
    if not largest_side:
        return png
    with Image.open(io.BytesIO(png)) as image:
        size = reduced_size(*image.size, largest_side)
        if size == image.size:
            return png
        smaller = encoded(image.convert("L").resize(size, Image.Resampling.LANCZOS))
    raw = size[1] * (size[0] + 1)  # with the filter of each row; deflate stores what it cannot shorten
    return padded(smaller, raw + raw // 100 + 1024)


def common_length(pngs: list[int]) -> int:
    """The length to which images of these lengths are padded: each one needs room for its chunk."""
    return max(pngs) + _OVERHEAD


def seal_key(secret: str, token: str) -> bytes:
    """The key (32 bytes) of the image at this address. Each key seals only one image, so the nonce can be constant."""
    return hmac.new(secret.encode(), b"discern image seal " + token.encode(), hashlib.sha256).digest()


def sealed(data: bytes, key: bytes) -> bytes:
    """`data` under AES-256-GCM: ciphertext, then the 16 bytes of its tag. Nonce: twelve zero bytes."""
    return AESGCM(key).encrypt(bytes(12), data, None)
