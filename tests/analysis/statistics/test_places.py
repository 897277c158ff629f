"""Densities, distances and overlaps of marks, against loops over every mark."""

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from analysis.statistics.places import density, nearest, overlap, peak, spread


def marks(readers=3, cases=6, seed=0, scatter=0.02):
    """Two marks of each reader on each image, about a place of the image."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0.2, 0.8, (cases, 2))
    rows = [
        (r, c, *(places[c] + rng.normal(0, scatter, 2))) for r in range(readers) for c in range(cases) for _ in "ab"
    ]
    reader, case, x, y = map(np.array, zip(*rows, strict=True))
    return reader, case, np.column_stack([x, y])


def test_a_density_is_a_gaussian_kernels():
    places = np.array([[0.3, 0.5], [0.42, 0.46], [0.7, 0.55]])
    found = density(places, (40, 20), aspect=2.0, kernel=0.06)
    x, y = (np.arange(40) + 0.5) / 40, (np.arange(20) + 0.5) / 20 / 2
    known = gaussian_kde((places * [1, 0.5]).T)
    known.covariance = np.eye(2) * 0.06**2
    known.cho_cov = np.linalg.cholesky(known.covariance)
    known.log_det = 2 * np.log(np.diag(known.cho_cov * np.sqrt(2 * np.pi))).sum()
    expected = known(np.stack(np.meshgrid(x, y)).reshape(2, -1)).reshape(20, 40)
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-9)
    assert density(np.empty((0, 2))).sum() == 0


def test_the_peak_lies_where_most_marks_lie():
    assert peak([[0.2, 0.3], [0.21, 0.31], [0.9, 0.9]]) == pytest.approx((0.205, 0.305), abs=0.01)
    with pytest.raises(ValueError, match="at least one"):
        peak(np.empty((0, 2)))


def test_spread_takes_the_shape_of_the_image_into_account():
    assert spread([[0.5, 0.4], [0.5, 0.6]], aspect=2.0) == pytest.approx(0.05)
    assert spread([[0.5, 0.4], [0.5, 0.6]], aspect=1.0) == pytest.approx(0.1)


def test_the_nearest_mark_is_that_of_another_reader_on_the_same_image():
    reader, case, place = marks()
    found = nearest(reader, case, place, aspect=2.0, replicates=99)
    least = []
    for i in range(len(reader)):
        others = [j for j in range(len(reader)) if reader[j] != reader[i] and case[j] == case[i]]
        least.append(min(np.hypot(place[i, 0] - place[j, 0], (place[i, 1] - place[j, 1]) / 2) for j in others))
    assert found.value == pytest.approx(np.mean(least))
    assert found.p == pytest.approx(1 / 100)
    assert found.chance > 3 * found.value


def test_marks_at_random_are_as_near_as_chance_has_it():
    rng = np.random.default_rng(1)
    reader, case = np.repeat(np.arange(4), 60), np.tile(np.repeat(np.arange(30), 2), 4)
    found = nearest(reader, case, rng.random((240, 2)), replicates=199)
    assert found.p > 0.05
    assert found.chance == pytest.approx(found.value, rel=0.1)


def test_p_of_marks_at_random_is_even():
    reader, case = np.repeat(np.arange(3), 10), np.tile(np.arange(10), 3)
    ps = [nearest(reader, case, np.random.default_rng(s).random((30, 2)), replicates=99).p for s in range(200)]
    assert 0.02 <= np.mean(np.array(ps) <= 0.05) <= 0.09
    assert 0.4 < np.mean(ps) < 0.6


def test_dice_is_the_shared_part_of_two_densities():
    reader, case, place = marks(readers=2, cases=2, scatter=0.05)
    found = overlap(reader, case, place)
    each = []
    for c in range(2):
        one, two = (density(place[(reader == r) & (case == c)], (32, 16)) for r in range(2))
        each.append(np.minimum(one, two).sum())
    assert found.value == pytest.approx(np.mean(each), rel=1e-4)
    assert found.cases == pytest.approx({0: each[0], 1: each[1]}, rel=1e-4)


def test_agreement_shows_in_the_overlap_beyond_chance():
    found = overlap(*marks(cases=10))
    assert found.value > 2 * found.chance
    assert (found.pairs, len(found.cases)) == (30, 10)


def test_where_nobody_shares_an_image_nothing_is_said():
    one = [0, 1], [0, 1], [[0.5, 0.5], [0.5, 0.5]]
    assert nearest(*one).reason == overlap(*one).reason == "no image has marks by two readers"
    assert nearest([], [], []).value is None
    with pytest.raises(ValueError, match="expected one per mark"):
        nearest([0], [0, 1], [[0.5, 0.5]])
