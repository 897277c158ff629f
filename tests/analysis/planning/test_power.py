"""Power formulae against RJafroc's good values and against simulation; smallest numbers; impossible input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.planning.power import kappa_error, power, power_of_difference, smallest_cases, smallest_readers
from analysis.planning.roe_metz import RoeMetz
from analysis.statistics.agreement import fleiss_kappa


def pilot(case):
    theirs = {"error": "Var", "cov1": "Cov1", "cov2": "Cov2", "cov3": "Cov3", "modality_reader": "VarTR"}
    return {ours: case["vc"][name] for ours, name in theirs.items()}


def test_rjafroc_is_reproduced_on_vandyke(oracle):
    case, expected = oracle("19")["inputs"]["vandyke"], oracle("19")["expected"]
    design = (case["effect"], case["J"], case["K"], pilot(case), case["KStar"])
    found = power_of_difference(*design)
    for ours, theirs in ((found.value, "power"), (found.ncp, "ncp"), (found.df, "df2"), (found.critical, "fcrit")):
        assert ours == pytest.approx(expected["vandyke_RRRC"][theirs], rel=1e-7)
    fixed = power_of_difference(case["effect"], case["J"], 131, pilot(case), case["KStar"], readers_random=False)
    assert fixed.value == pytest.approx(expected["vandyke_FRRC_K131"]["power"], abs=1e-7)
    assert fixed.ncp == pytest.approx(expected["vandyke_FRRC_K131"]["ncp"], rel=1e-7)


def test_rjafroc_is_reproduced_on_franken_with_negative_components(oracle):
    case, expected = oracle("19")["inputs"]["franken"], oracle("19")["expected"]["franken_smallest_K_for_80pct"]
    plans = {
        cases: power_of_difference(case["effect"], case["J"], cases, pilot(case), case["KStar"]).value
        for cases in range(100, 130)
    }
    smallest = min(cases for cases, chance in plans.items() if chance >= 0.8)
    assert smallest == expected["K"]
    assert plans[smallest] == pytest.approx(expected["power"], abs=1e-7)


def test_a_pilot_of_the_same_size_gives_what_the_model_gives():
    model = RoeMetz()
    components = model.components(0.6, 200, "auc") | {"cases": 200}
    assert power("auc", 0.6, 6, 200, components=components).value == pytest.approx(power("auc", 0.6, 6, 200).value)


@given(st.sampled_from(["auc", "accuracy"]), st.floats(0.5, 0.9), st.integers(3, 12), st.integers(20, 400))
def test_power_rises_with_effect_readers_and_cases_and_mirrors(endpoint, value, readers, cases):
    found = power(endpoint, value, readers, cases).value
    assert 0.0499 <= found <= 1
    assert power(endpoint, min(value + 0.05, 0.95), readers, cases).value >= found - 1e-9
    assert power(endpoint, value, 2 * readers, cases).value >= found - 1e-9
    assert power(endpoint, 1 - value, readers, cases).value == pytest.approx(found)


def test_without_an_effect_power_is_the_level_of_the_test():
    assert power("auc", 0.5, 6, 200).value == pytest.approx(0.05)
    assert power("accuracy", 0.5, 6, 200, alpha=0.01).value == pytest.approx(0.01)
    assert power("kappa", 0.0, 6, 200).value == pytest.approx(0.05)


def test_equivalence_needs_more_than_no_effect():
    narrow, wide = (power("accuracy", 0.5, 8, 400, margin=margin).value for margin in (0.02, 0.2))
    assert narrow == 0
    assert wide > 0.95
    assert power("accuracy", 0.7, 8, 400, margin=0.1).value < 0.05
    # True value on the margin: the level of the test.
    assert power("accuracy", 0.6, 20, 4000, margin=0.1).value == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize("kappa", [0.0, 0.1, 0.4])
def test_the_error_of_kappa_is_that_of_simulated_answers(kappa):
    rng = np.random.default_rng(9)
    found = []
    for _ in range(600):
        share = rng.beta(0.5 * (1 - kappa) / kappa, 0.5 * (1 - kappa) / kappa, (80, 1)) if kappa else 0.5
        found.append(fleiss_kappa((rng.random((80, 6)) < share).astype(float)).value)
    assert np.mean(found) == pytest.approx(kappa, abs=0.01)
    assert np.std(found) == pytest.approx(kappa_error(kappa, 6, 80), rel=0.1)


def test_smallest_numbers_are_smallest():
    cases = smallest_cases("auc", 0.6, readers=10)
    assert power("auc", 0.6, 10, cases.value).value >= 0.8 > power("auc", 0.6, 10, cases.value - 2).value
    readers = smallest_readers("auc", 0.6, cases=200)
    assert power("auc", 0.6, readers.value, 200).value >= 0.8 > power("auc", 0.6, readers.value - 1, 200).value
    limited = smallest_cases("auc", 0.6, readers=3)
    assert limited.value is None
    assert "not reached" in limited.reason


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("auc", 1.2, 6, 200), "value: expected a number between 0 and 1"),
        (("auc", 0.6, 1, 200), "readers: expected 2 or more"),
        (("auc", 0.6, 6, 2), "cases: expected 4 or more"),
        (("kappa", -0.1, 6, 200), "value: expected a kappa"),
        (("dprime", 0.6, 6, 200), "endpoint: expected one of"),
    ],
)
def test_what_cannot_be_is_said(settings, words):
    with pytest.raises(ValueError, match=words):
        power(*settings)


def test_levels_and_margins_that_cannot_be_are_said():
    with pytest.raises(ValueError, match="alpha"):
        power("auc", 0.6, 6, 200, alpha=0.7)
    with pytest.raises(ValueError, match="margin"):
        power("auc", 0.6, 6, 200, margin=0)
    with pytest.raises(ValueError, match="target"):
        smallest_cases("auc", 0.6, 6, target=1.5)
