"""JAFROC against an independent computation: every pair looked at, every case really left out, ellipses by complex
numbers. RJafroc's published figures are not at hand without R."""

import cmath
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics import localisation
from analysis.statistics.localisation import by_chance, jafroc, rates, ratio, search

NOWHERE = -math.inf


def study(readers=4, real=9, synthetic=8, seed=0, angle=0.0):
    """Marks, faults and truth at random; some readers rate, others leave it to the level of their answer."""
    rng = np.random.default_rng(seed)
    truth = [0] * real + [1] * synthetic + [1]  # the last synthetic case has no known fault
    faults = [
        [case, *rng.uniform(0.3, 0.7, 2), *rng.uniform(0.1, 0.25, 2), angle * rng.random()]
        for case in range(real, real + synthetic)
        for _ in range(int(rng.integers(1, 4)))
    ]
    marks = [
        [reader, case, *rng.uniform(0.1, 0.9, 2), rng.integers(1, 6) if reader % 2 else math.nan, rng.integers(3, 6)]
        for reader in range(readers)
        for case in range(len(truth))
        for _ in range(int(rng.integers(0, 4)))
    ]
    return marks, faults, truth


def inside(mark, fault, aspect):
    """Whether a mark is inside an ellipse, by rotating the complex plane (y upwards)."""
    _, _, x, y, *_ = mark
    _, fx, fy, rx, ry, angle = fault
    turned = complex((x - fx) * aspect, fy - y) * cmath.exp(-1j * math.radians(angle))
    return (turned.real / (rx * aspect)) ** 2 + (turned.imag / ry) ** 2 <= 1


def by_hand(marks, faults, truth, reader, aspect=1.0, without=None):
    """The AFROC area of one reader: every fault against every real image."""
    own = [mark for mark in marks if mark[0] == reader]
    rated = [(mark, mark[5] if math.isnan(mark[4]) else mark[4]) for mark in own]
    lesions = [
        max([rate for mark, rate in rated if mark[1] == fault[0] and inside(mark, fault, aspect)], default=NOWHERE)
        for fault in faults
        if fault[0] != without
    ]
    normal = [
        max([rate for mark, rate in rated if mark[1] == case], default=NOWHERE)
        for case, positive in enumerate(truth)
        if not positive and case != without
    ]
    won = [1.0 if lesion > other else 0.5 if lesion == other else 0.0 for lesion in lesions for other in normal]
    return sum(won) / len(won)


@pytest.mark.parametrize(("angle", "aspect"), [(0.0, 1.0), (70.0, 2.0)])
def test_each_readers_area_is_the_share_of_pairs_won(angle, aspect):
    marks, faults, truth = study(angle=angle)
    found = jafroc(marks, faults, truth, aspect=aspect)
    expected = [by_hand(marks, faults, truth, reader, aspect) for reader in range(4)]
    assert [one["value"] for one in found.each] == pytest.approx(expected)
    assert found.value == pytest.approx(np.mean(expected))
    assert (found.faults, found.n_synthetic, found.n_real) == (len(faults), 8, 9)


def test_the_interval_is_obuchowskis_and_rocketts_of_jackknifed_areas():
    marks, faults, truth = study(seed=3)
    found = jafroc(marks, faults, truth)
    counted = range(17)
    left = np.array([[by_hand(marks, faults, truth, r, without=case) for case in counted] for r in range(4)])
    covariance = (len(counted) - 1) ** 2 / len(counted) * np.cov(left)
    areas = np.array([by_hand(marks, faults, truth, reader) for reader in range(4)])
    cov2 = max(covariance[~np.eye(4, dtype=bool)].mean(), 0)
    variance = (areas.var(ddof=1) + 4 * cov2) / 4
    df = (areas.var(ddof=1) + 4 * cov2) ** 2 / (areas.var(ddof=1) ** 2 / 3)
    half = stats.t.ppf(0.975, df) * math.sqrt(variance)
    assert found.se == pytest.approx(math.sqrt(variance))
    assert found.ci == pytest.approx((areas.mean() - half, areas.mean() + half))
    alone = [one["se"] for one in found.each]
    assert alone == pytest.approx(np.sqrt(np.diag(covariance)))
    assert found.p is None


def test_columns_and_rows_say_the_same_and_a_rating_goes_before_the_level():
    marks, faults, truth = study()
    by_rows = jafroc(marks, faults, truth).value
    frames = pd.DataFrame(marks, columns=localisation.MARKS), pd.DataFrame(faults, columns=localisation.FAULTS)
    assert jafroc(*frames, truth).value == by_rows
    assert jafroc(frames[0].assign(level=1), frames[1], truth).value != by_rows
    rated = frames[0].assign(rating=frames[0]["rating"].fillna(frames[0]["level"]))
    assert jafroc(rated.drop(columns="level"), frames[1].drop(columns="angle"), truth).value == by_rows


def test_whoever_marks_nothing_has_one_half_and_whoever_finds_all_has_one():
    _, faults, truth = study()
    perfect = [[0, fault[0], fault[1], fault[2], 5, 5] for fault in faults]
    found = jafroc(perfect, faults, truth, readers=2)
    assert [one["value"] for one in found.each] == [1.0, 0.5]
    everywhere = [[0, case, 0.01, 0.01, 5, 5] for case in range(len(truth))]
    assert jafroc(everywhere, faults, truth).value == 0.0


def test_images_that_were_not_read_have_no_part_in_it():
    marks, faults, truth = study()
    read = np.ones((4, len(truth)))
    read[1, [0, 9]] = 0
    kept = [fault for fault in faults if fault[0] != 9]
    value = jafroc(marks, faults, truth, read=read).each[1]["value"]
    others = [mark for mark in marks if mark[1] != 0]
    lesions = by_hand(others, kept, [1, *truth[1:]], 1)
    assert value == pytest.approx(lesions)


def test_too_few_cases_give_a_reason():
    marks, faults, truth = study(readers=2)
    read = np.ones((2, len(truth)))
    read[0, 1:9] = 0
    found = jafroc(marks, faults, truth, read=read)
    assert "fewer than two real images" in found.each[0]["reason"]
    assert found.value == found.each[1]["value"]
    assert found.ci is None
    assert found.reason == "there is only one reader, so the variation between readers is unknown"


@pytest.mark.parametrize(
    ("marks", "faults", "said"),
    [
        ([[0, 7, 0.5, 0.5, 1, 1]], [], "marks: case: expected whole numbers from 0 to 1"),
        ([[0, 1, 1.5, 0.5, 1, 1]], [], "marks: expected places"),
        ([], [[0, 0.5, 0.5, 0.1, 0.1, 0]], "faults in synthetic images only"),
        ([], [[1, 0.5, 0.5, 0.1, 3, 0]], "faults: expected places and half-axes"),
        ([[0, 1, 0.5]], [], "marks: expected rows of reader, case, x, y"),
        ({"reader": [0]}, [], "marks: no column case, x, y"),
    ],
)
def test_what_cannot_be_is_refused(marks, faults, said):
    with pytest.raises(ValueError, match=said):
        search(marks, faults, [0, 1])


def test_rates_count_found_faults_and_marks_elsewhere():
    faults = [[2, 0.5, 0.5, 0.1, 0.1, 0], [2, 0.9, 0.9, 0.05, 0.05, 0], [3, 0.5, 0.5, 0.1, 0.1, 0]]
    marks = [
        *([0, 2, 0.5, 0.5, 5, 5], [0, 2, 0.51, 0.5, 4, 5], [0, 2, 0.2, 0.2, 3, 5], [0, 0, 0.3, 0.3, 2, 4]),
        *([1, 3, 0.5, 0.55, 5, 5], [1, 1, 0.1, 0.1, 5, 5], [1, 1, 0.2, 0.1, 5, 5]),
    ]
    found = rates(search(marks, faults, [0, 0, 1, 1]), {"a": [True, False, True], "b": [False, True, False]})
    assert found["faults"].value == pytest.approx(1 / 3)
    assert [one["value"] for one in found["faults"].each] == pytest.approx([1 / 3, 1 / 3])
    assert (found["kinds"]["a"].part, found["kinds"]["a"].whole) == (2, 4)
    assert found["kinds"]["b"].value is None
    assert [one["value"] for one in found["elsewhere_real"].each] == [0.5, 1.0]
    assert [one["value"] for one in found["elsewhere_synthetic"].each] == [0.5, 0.0]


def test_a_ratios_variance_is_the_jackknifes():
    rng = np.random.default_rng(1)
    whole = rng.integers(0, 4, (3, 20))
    part = rng.binomial(whole, 0.4)
    found = ratio(part, whole, "share", most=1.0)
    used = whole[0] > 0
    left = [(part[0].sum() - part[0, k]) / (whole[0].sum() - whole[0, k]) for k in np.flatnonzero(used)]
    assert found.each[0]["se"] == pytest.approx(math.sqrt((len(left) - 1) ** 2 / len(left) * np.var(left, ddof=1)))
    assert found.value == pytest.approx(np.mean(part.sum(axis=1) / whole.sum(axis=1)))


def test_shuffled_places_stay_with_their_reader_and_tell_seeing_from_guessing():
    rng = np.random.default_rng(0)
    truth = [0] * 20 + [1] * 20
    faults = [[case, *rng.uniform(0.2, 0.8, 2), 0.08, 0.08, 0] for case in range(20, 40)]
    sees = [[r, f[0], *np.clip(rng.normal(f[1:3], 0.03), 0, 1), 4, 5] for r in range(3) for f in faults]
    guesses = [[r, case, *rng.uniform(0.2, 0.8, 2), 4, 5] for r in range(3) for case in range(20, 40)]
    given = search(sees, faults, truth)
    other = given.shuffled(rng)
    for reader in range(3):
        before, after = (np.sort(one.place[one.reader == reader], axis=0) for one in (given, other))
        np.testing.assert_array_equal(before, after)
    assert not np.array_equal(given.place, other.place)
    assert by_chance(given)["faults"]["p"] == pytest.approx(1 / 200)
    assert by_chance(given)["area"]["p"] == pytest.approx(1 / 200)
    assert by_chance(search(guesses, faults, truth))["faults"]["p"] > 0.02
    expected = rates(search(guesses, faults, truth))["faults"].value
    assert by_chance(search(guesses, faults, truth))["faults"]["value"] == pytest.approx(expected, abs=0.06)


def test_without_a_real_image_there_is_no_area_by_chance_and_no_p():
    faults = [[0, 0.3, 0.3, 0.1, 0.1, 0], [1, 0.6, 0.6, 0.1, 0.1, 0]]
    marks = [[0, 0, 0.3, 0.3, 5, 5], [0, 1, 0.6, 0.6, 5, 5]]
    area = by_chance(search(marks, faults, [1, 1]), 9)["area"]
    assert (area["value"], area["p"]) == (None, None)
