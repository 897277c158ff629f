"""Holm and Benjamini-Hochberg within families."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.multiplicity import adjust


@pytest.fixture(autouse=True)
def _little_garbage():
    """statsmodels collects garbage at each call, which is slow with everything that a worker has in memory."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_the_cervical_spine_study_is_reproduced():
    # arXiv 2510.22166: raw .128, .236, 1.000 become .383, .471, 1.000 (from unrounded p-values).
    rows = adjust({"realism": {"checkpoint 1": 0.1278, "checkpoint 2": 0.2357, "checkpoint 3": 1.0}})
    assert [row.holm for row in rows] == pytest.approx([0.383, 0.471, 1.0], abs=1e-3)


def test_figures_of_p_adjust():
    # R: p.adjust(c(.01, .02, .03, .04), "holm") and "BH"
    rows = adjust({"family": dict(zip("abcd", (0.01, 0.02, 0.03, 0.04), strict=True))})
    assert [row.holm for row in rows] == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert [row.benjamini_hochberg for row in rows] == pytest.approx([0.04] * 4)


def test_adjusted_p_are_what_their_definitions_say():
    p_values = np.random.Generator(np.random.PCG64(2)).random(9) ** 3
    holm = [max(min(1.0, q * (p_values >= q).sum()) for q in p_values if q <= p) for p in p_values]
    hochberg = [min(q * p_values.size / (p_values <= q).sum() for q in p_values if q >= p) for p in p_values]
    rows = adjust({"family": {str(place): p for place, p in enumerate(p_values)}})
    assert [row.holm for row in rows] == pytest.approx(holm, abs=1e-15)
    assert [row.benjamini_hochberg for row in rows] == pytest.approx(hochberg, abs=1e-15)


def test_a_test_without_p_does_not_weigh_on_its_family():
    rows = adjust({"family": {"a": 0.01, "not made": None, "b": 0.04}, "empty": {"c": None}})
    assert [row.holm for row in rows] == [0.02, None, 0.04, None]
    assert [row.tests for row in rows] == [2, 2, 2, 0]
    assert rows[0].as_dict()["family"] == "family"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.lists(st.floats(0, 1), max_size=4))
def test_adjusted_p_are_ordered_and_families_do_not_touch(p_values, others):
    family = {str(place): p for place, p in enumerate(p_values)}
    rows = adjust({"mine": family})
    for row in rows:
        assert row.p <= row.benjamini_hochberg + 1e-12
        assert row.benjamini_hochberg <= row.holm + 1e-12 <= 1 + 1e-9
    with_others = adjust({"mine": family, "theirs": {str(place): p for place, p in enumerate(others)}})
    assert with_others[: len(rows)] == rows


def test_impossible_p_is_refused():
    with pytest.raises(ValueError, match="family, a: expected"):
        adjust({"family": {"a": 1.5}})
