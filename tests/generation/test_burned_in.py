"""Lettering in the pixels is found, whatever its size, grey and place; teeth, wires and textures are not called so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from generation import phantom
from generation.phantom import film
from generation.radiographs import burned_in
from generation.radiographs.burned_in import Box


def radiograph(seed=0, size=(1024, 512)):
    """Soft shapes with a grain, as on a film: nothing to be read."""
    rng = np.random.Generator(np.random.PCG64(seed))
    shapes = gaussian_filter(rng.standard_normal(size[::-1]), 25)
    pixels = 110 + 25 * shapes / shapes.std() + gaussian_filter(rng.normal(0, 9, size[::-1]), 0.6)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def lettered(pixels, text, place, height=20, grey=250):
    """The pixels with a text at `place` (left, top), and the box of the text."""
    image, font = Image.fromarray(pixels), ImageFont.load_default(size=height)
    left, top, right, bottom = ImageDraw.Draw(image).textbbox(place, text, font=font)
    ImageDraw.Draw(image).text(place, text, fill=grey, font=font)
    return np.asarray(image), Box(round(top), round(left), round(bottom), round(right))


def assert_covers(box, text):
    """The box lies about the text, give or take a letter at either end."""
    slack = text.bottom - text.top
    assert all(abs(one - other) <= slack for one, other in zip(box, text, strict=True)), (box, text)


@pytest.mark.parametrize("grey", [250, 3])
@pytest.mark.parametrize("height", [12, 20, 40, 90])
@pytest.mark.parametrize("text", ["ANDERSEN", "Doe, Jane", "2024-03-18", "21.04.1968"])
def test_names_and_dates_are_found_large_and_small_bright_and_dark(text, height, grey):
    pixels, place = lettered(radiograph(), text, (300, 200), height, grey)
    [box] = burned_in.find(pixels)
    assert_covers(box, place)


def test_every_row_has_a_box_from_top_to_bottom():
    pixels, first = lettered(radiograph(), "DOE JANE", (40, 30))
    pixels, second = lettered(pixels, "2024-03-18", (700, 440), grey=5)
    found = burned_in.find(pixels)
    assert len(found) == 2
    assert_covers(found[0], first)
    assert_covers(found[1], second)


def test_in_a_large_image_boxes_are_in_its_own_pixels_and_inside_it():
    pixels, place = lettered(radiograph(size=(2441, 1240)), "MUELLER EVA", (2160, 1185), 50)
    [box] = burned_in.find(pixels)
    assert_covers(box, Box(*np.minimum(place, (1240, 2441) * 2).tolist()))
    assert box.bottom <= 1240
    assert box.right <= 2441


def test_in_a_very_large_image_letters_may_be_as_large():
    pixels, place = lettered(np.full((1400, 6000), 90, np.uint8), "DOE", (2000, 500), 180)
    [box] = burned_in.find(pixels)
    assert_covers(box, place)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (50, 61), (200, 9)])
@pytest.mark.parametrize("size", [3, 9, 15])
def test_the_extremes_of_squares_are_those_of_scipy(shape, size):
    pixels = np.random.default_rng(size).integers(0, 256, shape, dtype=np.uint8)
    assert (burned_in._extreme(pixels, size, np.minimum) == minimum_filter(pixels, size)).all()
    assert (burned_in._extreme(pixels, size, np.maximum) == maximum_filter(pixels, size)).all()


def test_a_film_without_lettering_has_none():
    assert burned_in.find(radiograph()) == []


def test_of_a_phantom_only_its_label_is_found():
    for seed in range(6):
        found = burned_in.find(phantom.draw(seed, "real"))
        assert len(found) == 1, seed
        assert found[0].top > phantom.HEIGHT - 40
        assert found[0].right < 40 + 10 * len(film.LABEL)


def brackets(pixels, gap):
    """Blocks of one grey in a row, as far apart as brackets on teeth."""
    marked = pixels.copy()
    for number in range(10):
        left = 300 + number * (12 + gap)
        marked[250:262, left : left + 12] = 250
    return marked


def test_brackets_on_a_row_of_teeth_are_no_letters():
    assert burned_in.find(brackets(radiograph(), 12)) == []
    assert len(burned_in.find(brackets(radiograph(), 5))) == 1


def test_what_is_blurred_is_no_letter_nor_taken_with_the_letters_beside_it():
    soft, left = lettered(radiograph(), "MMMMMMMM", (100, 200))
    soft = gaussian_filter(soft, 1.4)
    assert burned_in.find(soft) == []
    pixels, right = lettered(soft, "ANDERSEN", (left.right + 6, 200))
    [box] = burned_in.find(pixels)
    assert_covers(box, right)


def test_letters_that_hardly_stand_out_are_not_asked_about():
    flat = np.full((256, 512), 120, np.uint8)
    assert len(burned_in.find(lettered(flat, "ANDERSEN", (100, 100), grey=200)[0])) == 1
    assert burned_in.find(lettered(flat, "ANDERSEN", (100, 100), grey=140)[0]) == []


def test_pure_noise_is_looked_through_without_swelling():
    rng = np.random.Generator(np.random.PCG64(1))
    burned_in.find(rng.integers(0, 256, (700, 700), dtype=np.uint8))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_any_size_of_image_gives_boxes_inside_it(height, width, seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    for box in burned_in.find(rng.integers(0, 256, (height, width), dtype=np.uint8)):
        assert 0 <= box.top < box.bottom <= height
        assert 0 <= box.left < box.right <= width


def test_shares_are_of_width_and_height():
    assert burned_in.shares([Box(10, 20, 30, 100)], (200, 100)) == [(0.1, 0.1, 0.5, 0.3)]


@pytest.mark.parametrize("pixels", [np.zeros((8, 8), np.uint16), np.zeros((8, 8, 3), np.uint8)])
def test_only_grey_images_of_8_bits_are_taken(pixels):
    with pytest.raises(TypeError, match="expected uint8"):
        burned_in.find(pixels)
