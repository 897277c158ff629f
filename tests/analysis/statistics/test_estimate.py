"""The shape of a number."""

import json

import pytest

from analysis.statistics.estimate import Estimate


def test_a_p_that_is_too_small_for_a_float_is_not_zero():
    assert Estimate(1.0, p=0.0).p > 0
    assert json.loads(json.dumps(Estimate(1.0, p=0.0).as_dict()))["p"] > 0
    assert Estimate(1.0).p is None


def test_figures_of_one_method_read_like_attributes_and_others_are_named():
    estimate = Estimate(1.0, extra={"se_null": 0.5})
    assert estimate.se_null == 0.5
    with pytest.raises(AttributeError, match=r"no 'variance'; it has .*se_null"):
        _ = estimate.variance
