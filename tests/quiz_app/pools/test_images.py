"""Blinded bytes look alike, decode to the same picture and open only with their key."""

import io

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from quiz_app.pools import images


def noise(seed, size=(40, 20)):
    return Image.fromarray(np.random.Generator(np.random.PCG64(seed)).integers(0, 256, size[::-1], dtype=np.uint8))


@given(room=st.integers(12, 5000), seed=st.integers(0, 100))
def test_filling_up_gives_the_length_and_keeps_the_picture(room, seed):
    png = images.encoded(noise(seed))
    filled = images.padded(png, len(png) + room)
    assert len(filled) == len(png) + room
    with Image.open(io.BytesIO(filled)) as image:
        assert np.array_equal(np.asarray(image), np.asarray(noise(seed)))


def test_what_has_no_room_is_refused():
    png = images.encoded(noise(1))
    with pytest.raises(ValueError, match="cannot be padded"):
        images.padded(png, len(png) + 11)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_metadata_colour_and_format_do_not_survive(mode):
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "a diffusion model")
    given_ = io.BytesIO()
    told = {"pnginfo": info, "dpi": (300, 300), "icc_profile": b"of a scanner", "exif": b"Exif\0\0of a camera"}
    noise(3).convert(mode).save(given_, "PNG", **told)
    with Image.open(given_) as image:
        png = images.encoded(image)
    assert png == images.encoded(noise(3))
    assert b"diffusion" not in png
    assert b"pHYs" not in png


def test_a_seal_opens_with_its_own_key_alone():
    key, other = (images.seal_key("secret", token) for token in ("a", "b"))
    closed = images.sealed(b"picture", key)
    assert AESGCM(key).decrypt(bytes(12), closed, None) == b"picture"
    assert b"picture" not in closed
    with pytest.raises(InvalidTag):
        AESGCM(other).decrypt(bytes(12), closed, None)


def test_reduced_images_have_one_length_whatever_is_in_them():
    rng = np.random.Generator(np.random.PCG64(1))
    flat, noisy = np.zeros((80, 200), np.uint8), rng.integers(0, 256, (80, 200), dtype=np.uint8)
    reduced = [images.reduced(images.encoded(Image.fromarray(pixels)), 100) for pixels in (flat, noisy)]
    assert len(reduced[0]) == len(reduced[1])
    assert {Image.open(io.BytesIO(png)).size for png in reduced} == {(100, 40)} == {images.reduced_size(200, 80, 100)}
    whole = images.encoded(Image.fromarray(noisy))
    assert images.reduced(whole, 0) == images.reduced(whole, 200) == whole
