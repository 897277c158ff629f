"""Brier's decomposition adds up; certainty is tested as R's fisher.test would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics import calibration

forecasts = st.lists(st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.integers(0, 1)), min_size=1, max_size=80)


@given(forecasts, st.sampled_from([None, 3, 10]))
def test_the_decomposition_adds_up_to_the_score(rows, bins):
    p, truth = (np.array(column, float) for column in zip(*rows, strict=True))
    found = calibration.brier(p, truth, bins)
    assert found.value == pytest.approx(((p - truth) ** 2).mean())
    assert found.reliability - found.resolution + found.uncertainty == pytest.approx(found.value)
    assert found.reliability >= 0
    assert 0 <= found.ece <= 1
    assert bins is not None or found.resolution >= 0


@given(forecasts)
def test_swapping_the_classes_changes_nothing(rows):
    p, truth = (np.array(column, float) for column in zip(*rows, strict=True))
    one, other = calibration.brier(p, truth), calibration.brier(1 - p, 1 - truth)
    for part in ("value", "reliability", "resolution", "uncertainty", "ece"):
        assert getattr(one, part) == pytest.approx(getattr(other, part), abs=1e-12)


def test_a_calibrated_reader_has_no_reliability_term():
    p = [0.25] * 8 + [0.75] * 8
    found = calibration.brier(p, [1, 1] + [0] * 6 + [1] * 6 + [0, 0])
    assert (found.reliability, found.ece) == (0, 0)
    assert found.resolution == pytest.approx(1 / 16)


def test_score_of_a_published_reader_by_hand(published):
    found = calibration.brier(calibration.probabilities(published.levels[0]), published.truth)
    # EC1's answers, FACTS.md: synthetic 40, 34, 16, 7, 3 and real 10, 25, 32, 20, 13, from surely synthetic on.
    losses = [
        (1 - p) ** 2 * s + p**2 * r
        for p, s, r in zip((1, 0.75, 0.5, 0.25, 0), (40, 34, 16, 7, 3), (10, 25, 32, 20, 13), strict=True)
    ]
    assert found.value == pytest.approx(sum(losses) / 200)
    assert [group["n"] for group in found.groups] == [16, 27, 48, 59, 50]


def test_nothing_read_or_one_answer_says_so():
    assert calibration.brier([None], [1]).reason == "there are no answers to count"
    assert calibration.brier([0.5, None], [1, 0]).reason.startswith("there is only one answer")
    assert calibration.brier([0.5, None, 1], [1, 0, 1]).left_out == 1


def test_certainty_of_a_constant_reader_is_undefined_in_words():
    found = calibration.certainty_test([5, 5, 3, None], [1, 0, 1, 0])
    assert (found.value, found.unsure, found.missing) == (None, 1, 1)
    assert "empty" in found.reason
    assert found.accuracy == {"full": 0.5, "partial": None}


def test_certainty_of_a_published_reader(published):
    found = calibration.certainty_test(published.levels[0], published.truth)
    assert found.table == [[53, 13], [54, 32]]
    assert found.value > 1
    assert found.p < 0.05


def test_impossible_input_is_refused():
    with pytest.raises(ValueError, match="expected"):
        calibration.brier([1.2], [1])
    with pytest.raises(ValueError, match="expected"):
        calibration.certainty_test([1, 2], [1])
