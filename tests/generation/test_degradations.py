"""Small, poor pictures out of good ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import PCG64, Generator
from PIL import Image
from scipy.ndimage import gaussian_filter

from generation.superresolution.degradations import _blur, _sinc, area, real_esrgan


@pytest.fixture(scope="module")
def picture():
    y, x = np.mgrid[0:64, 0:96] / 64
    texture = gaussian_filter(Generator(PCG64(1)).standard_normal(y.shape), 2)
    return (0.5 + 0.3 * np.sin(7 * x + 4 * y) + texture).clip(0, 1).astype(np.float32)


def test_the_area_average_is_pillows_reduce(picture):
    pixels = np.rint(picture * 255).astype(np.uint8)
    expected = np.asarray(Image.fromarray(pixels).reduce(4), dtype=float)
    np.testing.assert_allclose(area(pixels / np.float32(255)) * 255, expected, atol=0.51)


@given(seed=st.integers(0, 2**32))
def test_a_degraded_picture_is_small_and_in_range_whatever_happens_to_it(picture, seed):
    degraded = real_esrgan(picture, Generator(PCG64(seed)))
    assert degraded.shape == (16, 24)
    assert degraded.dtype == np.float32
    assert 0 <= degraded.min() <= degraded.max() <= 1


def test_degrading_is_a_matter_of_the_seed(picture):
    one, again, other = (real_esrgan(picture, Generator(PCG64(seed))) for seed in (3, 3, 4))
    assert (one == again).all()
    assert (one != other).any()


def test_degrading_keeps_the_picture_and_loses_more_than_averaging(picture):
    clean = area(picture)
    degraded = [real_esrgan(picture, Generator(PCG64(seed))) for seed in range(20)]
    assert np.abs(np.mean(degraded, axis=0) - clean).mean() < 0.1
    assert np.mean([np.corrcoef(clean.ravel(), d.ravel())[0, 1] for d in degraded]) > 0.6
    assert all(np.abs(d - clean).mean() > 0.001 for d in degraded)


@given(seed=st.integers(0, 2**32))
def test_filters_keep_the_brightness(seed):
    rng = Generator(PCG64(seed))
    for kernel in (_blur(rng, (0.2, 3.0)), _sinc(rng)):
        assert kernel.sum() == pytest.approx(1, abs=1e-3)
        assert kernel.shape[0] == kernel.shape[1]
        assert kernel.shape[0] % 2 == 1
