"""The shape of a number."""

import json

from analysis.statistics.estimate import Estimate


def test_a_p_that_is_too_small_for_a_float_is_not_zero():
    assert Estimate(1.0, p=0.0).p > 0
    assert json.loads(json.dumps(Estimate(1.0, p=0.0).as_dict()))["p"] > 0
    assert Estimate(1.0).p is None
