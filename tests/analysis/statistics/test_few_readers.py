"""Intervals of three to ten readers: Welch's criterion, and where it leads."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.planning.conditions import Paired
from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics import few_readers, mrmc
from analysis.statistics.few_readers import LEVELS, SHARES, critical_values, difference, leading, welch
from analysis.statistics.readings import as_readings, figures


@pytest.mark.parametrize("readers", range(3, 11))
def test_the_critical_values_hold_at_every_share_of_the_readers(readers):
    chi = stats.chi2.ppf((np.arange(4000) + 0.5) / 4000, readers - 1) / (readers - 1)
    for level, critical in zip(LEVELS, critical_values()[readers], strict=True):
        for share in np.linspace(0, 1, 26):
            variance = share * chi + 1 - share
            error = 2 * stats.norm.sf(np.interp(share * chi / variance, SHARES, critical) * np.sqrt(variance)).mean()
            # No smooth solution is exact for three readers at low levels.
            assert error == pytest.approx(level, rel=0.01 if level >= 0.05 or readers > 4 else 0.3)


@pytest.mark.parametrize("readers", range(3, 11))
def test_the_critical_values_run_from_the_normals_to_those_of_t(readers):
    for level, critical in zip(LEVELS, critical_values()[readers], strict=True):
        assert (np.diff(critical) >= 0).all()
        assert critical[0] == pytest.approx(stats.norm.isf(level / 2), abs=0.001)
        assert critical[-1] == pytest.approx(stats.t.isf(level / 2, readers - 1), abs=0.001)


def test_p_falls_steadily_as_the_figure_leaves_the_null():
    found = drawn(4, 0.7)
    away = [welch(found, null).p for null in np.linspace(found.value, 0.02, 200)]
    assert (np.diff(away) < 0).all()


def drawn(seed, value=0.8, readers=3, cases=40):
    scores, truth = RoeMetz().draw(np.random.default_rng(seed), value, readers, cases, "auc")
    return mrmc.obuchowski_rockette(to_levels(scores), truth)


def test_with_three_readers_the_interval_holds_where_hillis_does_not():
    true = RoeMetz().five_level_auc(0.8)
    held = np.zeros(2)
    for seed in range(400):
        found = drawn(seed)
        held += [low <= true <= high for low, high in (found.ci, welch(found).ci)]
    hillis, welchs = held / 400
    assert hillis < 0.93 < welchs < 0.975


def test_p_is_below_5_per_cent_where_the_interval_leaves_the_null_out():
    for seed in range(40):
        found = drawn(seed, 0.65)
        for null in (0.5, 0.6):
            few = welch(found, null)
            assert (few.p < 0.05) == (not few.ci[0] <= null <= few.ci[1])
            assert few.method.endswith(f"against {null:g}, logit interval")


def test_readers_who_do_not_differ_get_the_normal_interval():
    credits = np.array([[1, 1, 0, 1, 1, 0, 1, 1]] * 3, dtype=float)
    found = mrmc.obuchowski_rockette(credits, np.ones(8), endpoint="sensitivity")
    few = welch(found)
    half = stats.norm.ppf(0.975) * found.se / (found.value * (1 - found.value))
    centre = math.log(found.value / (1 - found.value))
    assert few.df is None
    assert few.ci == pytest.approx([1 / (1 + math.exp(-centre + way * half)) for way in (1, -1)], abs=1e-4)


def test_it_stays_within_0_and_1_and_leans_away_from_the_nearer_end():
    found = drawn(3, 0.95)
    low, high = welch(found).ci
    assert 0 < low < found.value < high < 1
    assert found.value - low > high - found.value


def test_what_it_cannot_better_comes_back_as_it_was():
    truth = np.array([0, 0, 0, 1, 1, 1])
    perfect = mrmc.obuchowski_rockette([[1, 1, 1, 5, 5, 5]] * 3, truth)
    pair = drawn(0, readers=2)
    many = drawn(0, readers=11)
    alone = drawn(0, readers=1)
    assert [welch(found) for found in (perfect, pair, many, alone)] == [perfect, pair, many, alone]


def test_it_leads_with_three_to_five_readers():
    led = {readers: leading(drawn(1, readers=readers)).method.split(" (")[0][:29] for readers in (2, 3, 5, 6)}
    assert led == {
        2: "Obuchowski-Rockette",
        3: few_readers.METHOD[:29],
        5: few_readers.METHOD[:29],
        6: "Obuchowski-Rockette",
    }
    assert few_readers.standing(2, 100) == "none"


def test_a_null_that_no_figure_can_have_is_refused():
    with pytest.raises(ValueError, match="null: expected a number between 0 and 1, got 1"):
        welch(drawn(0), null=1)


def test_a_difference_has_the_critical_value_of_its_readers_share():
    scores, truth = Paired().draw(np.random.default_rng(1), (0.7, 0.8), 3, 60, "auc", "same")
    found = mrmc.obuchowski_rockette(to_levels(scores), truth)
    few = difference(found, 2)
    parts, ms = found.extra["components"], np.diff(found.extra["per_reader"], axis=0).var(ddof=1) / 2
    share = ms / (ms + 3 * max(parts["cov2"] - parts["cov3"], 0))
    assert 0 < share < 1
    half = np.interp(share, SHARES, critical_values()[3][LEVELS.index(0.05)]) * found.se
    assert few.ci == pytest.approx((found.value - half, found.value + half))
    assert (few.p < 0.05) == (abs(found.value) > half)
    assert few.p > found.p


def test_the_mean_of_differences_is_the_same_difference():
    scores, truth = Paired().draw(np.random.default_rng(2), (0.7, 0.8), 4, 60, "auc", "same")
    one = figures(as_readings(to_levels(scores), truth), "auc", "jackknife")
    gaps = mrmc.of_figures(one.value[0] - one.value[1], one.influence[0] - one.influence[1], "difference", null=0)
    both = mrmc.obuchowski_rockette(to_levels(scores), truth)
    assert difference(gaps, 3).ci == pytest.approx(difference(both, 3).ci)


def test_a_difference_that_it_cannot_better_comes_back_as_it_was():
    scores, truth = Paired().draw(np.random.default_rng(3), (0.7, 0.8), 12, 60, "auc", "same")
    for readers in (1, 2, 12):
        found = mrmc.obuchowski_rockette(to_levels(scores[:, :readers]), truth)
        assert difference(found, readers - 1) is found
