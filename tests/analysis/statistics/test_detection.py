"""d', criterion and beta against textbook values; the m-alternative d' against its integral."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from analysis.statistics import detection


def test_every_row_of_the_textbook_table_is_met(oracle):
    for row in oracle("16")["expected"].values():
        c = row["counts"]
        counts = (c["hit"], c["miss"], c["fa"], c["cr"])
        corrected = detection.dprime(*counts)
        expected = row["loglinear"]
        found = (
            corrected.hit_rate,
            corrected.false_alarm_rate,
            corrected.dprime,
            corrected.criterion,
            corrected.beta,
            corrected.az,
        )
        assert found == pytest.approx(
            [expected[k] for k in ("H", "F", "dprime", "c", "beta", "Az")], abs=1e-9, rel=1e-9
        )
        assert corrected.ln_beta == pytest.approx(expected["ln_beta"], abs=1e-9)
        raw = detection.dprime(*counts, correction="none")
        if isinstance(row["raw"], str):  # "infinite: must use correction"
            assert raw.dprime is None
            assert "infinite" in raw.reason
        else:
            found = (raw.dprime, raw.criterion, raw.beta, raw.az)
            assert found == pytest.approx([row["raw"][k] for k in ("dprime", "c", "beta", "Az")], abs=1e-9)


def test_macmillan_and_creelman_normal_and_hypnotised():
    # Detection Theory, 2005, chapter 1: hits .69, .89 with false alarms .31, .59.
    normal, hypnotised = detection.dprime(69, 31, 31, 69), detection.dprime(89, 11, 59, 41)
    assert (normal.dprime, hypnotised.dprime) == pytest.approx((0.9810501905615259, 0.9809923251138419), abs=1e-9)
    assert (normal.criterion, hypnotised.criterion) == pytest.approx((0, -0.7157495256253567), abs=1e-9)


def test_the_standard_error_is_the_spread_of_dprime():
    random = np.random.Generator(np.random.PCG64(5))
    hits, alarms = random.binomial(100, 0.8, 4000), random.binomial(100, 0.3, 4000)
    found = [detection.dprime(h, 100 - h, f, 100 - f) for h, f in zip(hits, alarms, strict=True)]
    assert np.mean([d.se for d in found]) == pytest.approx(np.std([d.dprime for d in found]), rel=0.03)
    assert np.mean([d.criterion_se for d in found]) == pytest.approx(np.std([d.criterion for d in found]), rel=0.03)


counts = st.integers(0, 200)


@given(counts, counts, counts, counts)
def test_swapping_classes_keeps_dprime_and_mirrors_the_criterion(hits, misses, alarms, rejections):
    found = detection.dprime(hits, misses, alarms, rejections)
    swapped = detection.dprime(rejections, alarms, misses, hits)
    if hits + misses == 0 or alarms + rejections == 0:
        assert found.dprime is None
        assert found.reason == swapped.reason == "answers to both classes are needed"
    else:
        assert (swapped.dprime, swapped.se) == pytest.approx((found.dprime, found.se), abs=1e-9)
        assert swapped.criterion == pytest.approx(-found.criterion, abs=1e-9)


def test_results_are_plain_and_leave_out_what_is_not_defined():
    assert detection.dprime(0, 0, 1, 1).as_dict()["dprime"] is None
    plain = detection.dprime(75, 25, 25, 75).as_dict()
    assert plain["ci"][0] < plain["dprime"] < plain["ci"][1]
    assert "reason" not in plain


@pytest.mark.parametrize("alternatives", [2, 3, 4, 8])
@pytest.mark.parametrize("d", [-1.5, 0.0, 0.7, 3.0])
def test_mafc_inverts_the_integral(alternatives, d):
    share, _ = quad(lambda x: norm.pdf(x - d) * norm.cdf(x) ** (alternatives - 1), -10, 12)
    assert detection.mafc_dprime(share, alternatives).value == pytest.approx(d, abs=1e-6)


def test_two_alternatives_have_the_closed_form():
    assert detection.mafc_dprime(0.76, 2).value == pytest.approx(math.sqrt(2) * norm.ppf(0.76), abs=1e-9)


def test_quartets_of_the_cervical_spine_study_are_at_the_edge_of_chance():
    found = detection.mafc_dprime(116 / 400, 4, trials=400)  # arXiv 2510.22166
    assert found.ci[0] < found.value < found.ci[1]
    assert found.ci[0] == pytest.approx(0.0, abs=0.03)


def test_finding_all_or_none_is_undefined_in_words():
    for share in (0.0, 1.0):
        assert "infinite" in detection.mafc_dprime(share, 4, trials=50).reason


@pytest.mark.parametrize(
    "call",
    [
        lambda: detection.dprime(-1, 1, 1, 1),
        lambda: detection.dprime(math.nan, 1, 1, 1),
        lambda: detection.dprime(1, 1, 1, 1, correction="add one"),
        lambda: detection.mafc_dprime(0.5, 1),
        lambda: detection.mafc_dprime(1.5, 4),
        lambda: detection.mafc_dprime(0.5, 4, trials=0),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()
