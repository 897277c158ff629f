"""Proportions and mean scores against Newcombe's table, R's binom.test and TOSTER."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import contingency, fisher_exact, norm

from analysis.statistics import proportions

# Newcombe 1998, Stat Med 17:857, table I, methods 3 and 5, recomputed to full precision.
NEWCOMBE = [
    (81, 263, (0.2552885198782742, 0.36620957698280004), (0.25273674558527137, 0.36762192260135146)),
    (15, 148, (0.0623863995307363, 0.16048724172330803), (0.057844010083448576, 0.161650490349479)),
    (0, 20, (0.0, 0.16112515805281938), (0.0, 0.1684334709830853)),
    (1, 29, (0.006113214292762653, 0.17175521879320288), (0.0008726468835799228, 0.1776442954887229)),
]
# R binom.test and scipy: k, n, p0, margin, exact p low and high, Wald p, score z, two-sided p, 90 % Clopper-Pearson.
TOST = [
    (104, 200, 0.5, 0.1, (0.00039377295904690523, 0.013140145129040817), 0.011770029130589013,
     (3.4641016151377544, -2.309401076758502), 0.620728928096832, (0.459463208127155, 0.5800889842164649)),
    (100, 200, 0.5, 0.05, (0.08870061556169301, 0.08870061556169209), 0.07864960352514266,
     (1.4213381090374024, -1.4213381090374042), 1.0, (0.439641025282761, 0.560358974717239)),
    (60, 200, 0.25, 0.1, (5.6609299831994294e-08, 0.07830045966594618), 0.06141132405069629,
     (5.940885257860046, -1.482498633322202), 0.10297644047580261, (0.24669655335152285, 0.3578017327604547)),
]  # fmt: skip


@pytest.mark.parametrize(("k", "n", "wilson", "exact"), NEWCOMBE)
def test_intervals_agree_with_newcombe(k, n, wilson, exact):
    assert proportions.interval(k, n).ci == pytest.approx(wilson, abs=1e-9)
    assert proportions.interval(k, n, "exact").ci == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(("k", "n", "chance", "margin", "exact", "wald", "score", "two_sided", "ci90"), TOST)
def test_equivalence_agrees_with_r(k, n, chance, margin, exact, wald, score, two_sided, ci90):
    found = proportions.equivalence(k, n, chance, margin)
    assert (found.p_low, found.p_high) == pytest.approx(exact, abs=1e-9)
    assert found.p == max(found.p_low, found.p_high)
    assert found.normal_p == pytest.approx(wald, abs=1e-9)
    assert found.score_z == pytest.approx(score, abs=1e-9)
    assert found.score_p == pytest.approx(max(norm.sf(score[0]), norm.cdf(score[1])), abs=1e-9)
    assert found.ci == pytest.approx(ci90, abs=1e-9)
    assert proportions.against_chance(k, n, chance).p == pytest.approx(two_sided, abs=1e-9)


def test_equivalence_of_a_mean_agrees_with_toster():
    scores = np.linspace(0, 1, 300)
    scores = 0.52 + 0.5 * (scores - scores.mean()) / scores.std(ddof=1)  # TOSTone.raw: m .52, sd .5, n 300
    found = proportions.mean_equivalence(scores, target=0.5, margin=0.1)
    assert (found.t_low, found.t_high) == pytest.approx((4.156921938165307, -2.7712812921102037), abs=1e-9)
    assert (found.p_low, found.p_high) == pytest.approx((2.108450756519668e-05, 0.002966761875505435), abs=1e-9)
    assert found.ci == pytest.approx((-0.027630408998862308, 0.06763040899886234), abs=1e-9)


def test_every_row_of_the_oracles_is_met(oracle):
    for row in oracle("17")["expected"]["rows"]:
        assert proportions.interval(row["k"], row["n"]).ci == pytest.approx(row["wilson"], abs=1e-9)
        assert proportions.interval(row["k"], row["n"], "exact").ci == pytest.approx(row["clopper_pearson"], abs=1e-9)
    tost = oracle("18")
    for case, row in zip(tost["inputs"]["binom"], tost["expected"]["binom"], strict=True):
        found = proportions.equivalence(case["k"], case["n"], case["p0"], case["delta"])
        assert found.p == pytest.approx(row["exact"]["p"], abs=1e-9)
        assert found.normal_p == pytest.approx(row["wald"]["p"], abs=1e-9)
        wilson = proportions.interval(case["k"], case["n"], level=0.9).ci
        assert wilson == pytest.approx(row["ci90_wilson"], abs=1e-9)


def test_a_mean_of_zeros_and_ones_has_nearly_wilsons_interval():
    found = proportions.mean_score([1] * 150 + [0] * 50)
    assert found.ci == pytest.approx(proportions.interval(150, 200).ci, abs=2e-3)


def test_fractional_credit_is_known_more_precisely_than_a_coin_of_the_same_mean():
    found = proportions.mean_score([0.75] * 100 + [0.5] * 100)
    low, high = proportions.interval(125, 200).ci
    assert found.ci[1] - found.ci[0] < (high - low) / 3


def test_equal_scores_get_a_bounded_interval_and_a_sign_test():
    all_right = proportions.mean_score([1.0] * 3)
    assert all_right.ci == pytest.approx(proportions.interval(3, 3).ci)
    assert all_right.p == pytest.approx(0.25)
    assert proportions.mean_score([0.5] * 9).p == 1.0


def test_interval_of_a_mean_covers_as_promised():
    random = np.random.Generator(np.random.PCG64(7))
    levels, shares = np.array([0, 0.25, 0.5, 0.75, 1]), [0.1, 0.15, 0.1, 0.35, 0.3]
    truth = float(levels @ shares)
    intervals = [proportions.mean_score(random.choice(levels, 40, p=shares)).ci for _ in range(2000)]
    assert 0.935 < np.mean([low <= truth <= high for low, high in intervals]) < 0.965


@given(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from(["wilson", "exact"]),
)
def test_intervals_hold_the_proportion_and_mirror(counts, method):
    k, n = counts
    low, high = proportions.interval(k, n, method).ci
    assert 0 <= low <= k / n <= high <= 1
    mirrored = proportions.interval(n - k, n, method).ci
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)


@given(st.lists(st.integers(0, 40), min_size=4, max_size=4))
def test_fishers_test_and_its_odds_ratio_are_those_of_scipy(cells):
    table = np.reshape(cells, (2, 2))
    if not (table.sum(axis=0).all() and table.sum(axis=1).all()):
        return
    found, theirs = proportions.odds_ratio(table), contingency.odds_ratio(table)
    assert found.p == pytest.approx(fisher_exact(table).pvalue, rel=1e-6)
    assert found.value == (pytest.approx(theirs.statistic, rel=1e-6) if math.isfinite(theirs.statistic) else None)
    if found.ci:
        assert found.ci == pytest.approx(tuple(theirs.confidence_interval(0.95)), rel=1e-6)


def test_an_odds_ratio_of_a_hundred_thousand_answers_is_near_the_normal_one():
    found = proportions.odds_ratio([[30_000, 12_000], [20_000, 25_000]])
    log_se = math.sqrt(1 / 30_000 + 1 / 12_000 + 1 / 20_000 + 1 / 25_000)
    assert found.value == pytest.approx(3.125, rel=1e-4)
    assert found.ci == pytest.approx((3.125 * math.exp(-1.96 * log_se), 3.125 * math.exp(1.96 * log_se)), rel=1e-3)


def test_an_odds_ratio_with_an_empty_cell_keeps_its_p():
    infinite, zero = proportions.odds_ratio([[5, 0], [1, 6]]), proportions.odds_ratio([[0, 5], [6, 1]])
    assert (infinite.value, zero.value) == (None, 0.0)
    assert infinite.p == pytest.approx(zero.p) == pytest.approx(0.015151515)  # R: fisher.test(...)$p.value
    assert "infinite" in infinite.reason
    assert proportions.odds_ratio([[5, 0], [6, 0]]).value is None


def test_nothing_counted_is_undefined_in_words():
    for found in (
        proportions.interval(0, 0),
        proportions.against_chance(0, 0),
        proportions.mean_score([None, None]),
        proportions.mean_score([]),
    ):
        assert found.value is None
        assert found.reason == "there are no answers to count"
    assert proportions.mean_score([1, None, 0]).left_out == 1
    assert proportions.mean_equivalence([0.5], 0.5, 0.1).value is None
    assert "equal" in proportions.mean_equivalence([0.5, 0.5], 0.5, 0.1).reason


def test_an_observed_extreme_has_an_exact_equivalence_test_and_no_normal_one():
    found = proportions.equivalence(20, 20, 0.5, 0.1)
    assert found.p == pytest.approx(1.0)
    assert found.normal_p is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: proportions.interval(5, 4),
        lambda: proportions.interval(math.nan, 4),
        lambda: proportions.interval(1, 4, "wald"),
        lambda: proportions.equivalence(1, 4, 0.5, 0.5),
        lambda: proportions.mean_score([2.0]),
        lambda: proportions.mean_score(["a"]),
        lambda: proportions.mean_equivalence([0.1, 0.2], 0.5, 0),
        lambda: proportions.against_chance(1, 4, 1.5),
        lambda: proportions.odds_ratio([[1, 2, 3], [1, 2, 3]]),
        lambda: proportions.odds_ratio([[1, 0.5], [1, 2]]),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()
