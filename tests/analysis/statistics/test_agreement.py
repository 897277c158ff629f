"""Agreement coefficients against irr, irrCAC, Fleiss' and Krippendorff's published figures."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.statistics import agreement

# Gwet's 12 units x 4 raters with missing readings (irrCAC cac.raw4raters; Krippendorff 2011).
FOUR_RATERS = [
    [1, 1, None, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [None, 5, 5, 5], [None, None, 1, 1], [None, None, 3, None],
]  # fmt: skip


def from_counts(table):
    """Readings, in any order, that give a table of counts (subjects x categories)."""
    return [[k + 1 for k, count in enumerate(row) for _ in range(int(count))] for row in table]


def from_joint(table):
    """The two readers' ratings behind a table of joint counts."""
    pairs = [(i + 1, j + 1) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_fleiss_psychiatric_diagnoses(oracle):
    case = oracle("01")
    found, expected = agreement.fleiss_kappa(**case["inputs"]), case["expected"]
    assert found.value == pytest.approx(expected["kappa"], abs=1e-7)
    assert found.z == pytest.approx(expected["z_null"], abs=1e-5)
    assert found.se_null == pytest.approx(expected["se_null_fleiss1979"], abs=1e-6)
    assert found.se == pytest.approx(expected["se_nonnull_gwet"], abs=1e-6)
    assert found.ci == pytest.approx(expected["ci95_gwet_t"], abs=1e-6)
    assert list(found.by_category.values()) == pytest.approx(expected["kappa_per_category"], abs=1e-9)


def test_fleiss_ten_subjects_by_fourteen_raters():
    # Fleiss' kappa as worked through in statsmodels' tests: 10 subjects, 14 raters, 5 categories.
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    found = agreement.fleiss_kappa(from_counts(table))
    assert found.value == pytest.approx(0.20993070442195522, abs=1e-9)
    assert found.se_null == pytest.approx(0.016965069224393132, abs=1e-9)
    assert found.se == pytest.approx(0.09237111160600824, abs=1e-9)


def test_missing_readings_as_irrcac():
    # irrCAC's printed output, five decimals; its p is one-sided, ours two-sided.
    agreed, ac1 = agreement.percent_agreement(FOUR_RATERS), agreement.gwet_ac1(FOUR_RATERS)
    fleiss, alpha = agreement.fleiss_kappa(FOUR_RATERS), agreement.krippendorff_alpha(FOUR_RATERS)
    assert (agreed.value, agreed.se) == pytest.approx((0.8181818, 0.12561), abs=1e-4)
    assert (ac1.value, ac1.se, ac1.chance_agreement) == pytest.approx((0.77544, 0.14295, 0.1903212), abs=1e-4)
    assert ac1.ci == pytest.approx((0.461, 1), abs=5e-4)
    assert ac1.p / 2 == pytest.approx(0.0001043605, abs=1e-8)
    assert (fleiss.value, fleiss.se, fleiss.chance_agreement) == pytest.approx((0.76117, 0.15302, 0.2387153), abs=1e-4)
    assert fleiss.ci == pytest.approx((0.424, 1), abs=5e-4)
    assert (alpha.value, alpha.se) == pytest.approx((0.74342, 0.14557), abs=1e-4)
    assert ac1.subjects_with_one_reading == 1
    assert ac1.missing_readings == 7


@pytest.mark.parametrize(
    ("level", "alpha"),
    [
        ("nominal", 0.743421052631579),
        ("ordinal", 0.8153875037548814),
        ("interval", 0.8491071428571428),
        ("ratio", 0.7974027747116121),
    ],
)
def test_krippendorffs_own_example_at_every_level(level, alpha):
    assert agreement.krippendorff_alpha(FOUR_RATERS, level).value == pytest.approx(alpha, abs=1e-12)


def test_fifteen_subjects_by_six_raters_as_irrcac(oracle):
    case = oracle("04")
    ratings, expected = from_counts(case["inputs"]["count_table"]), case["expected"]
    fleiss, ac1 = agreement.fleiss_kappa(ratings), agreement.gwet_ac1(ratings)
    assert (fleiss.value, fleiss.se) == pytest.approx((expected["fleiss"], expected["fleiss_se"]), abs=1e-6)
    assert fleiss.ci == pytest.approx(expected["fleiss_ci95"], abs=5e-4)
    assert (ac1.value, ac1.se) == pytest.approx((expected["gwet_ac1"], expected["gwet_ac1_se"]), abs=1e-6)
    assert ac1.ci == pytest.approx(expected["gwet_ac1_ci95"], abs=5e-4)
    uniform = agreement.brennan_prediger(ratings)
    assert (uniform.value, uniform.se) == pytest.approx((expected["brennan_prediger"], expected["bp_se"]), abs=1e-6)
    alpha = agreement.krippendorff_alpha(ratings)
    assert alpha.value == pytest.approx(expected["krippendorff"], abs=1e-6)
    # irrCAC's function for count tables halves the chance term's pull on alpha; its function for raw ratings, which
    # we follow, does not. The two differ by 1.5 % here.
    assert alpha.se == pytest.approx(expected["krippendorff_se"], rel=0.02)


def test_two_readers_as_irrcac_and_statsmodels(oracle):
    case = oracle("05")
    a, b = from_joint(case["inputs"]["table"])
    expected, ratings = case["expected"], list(zip(a, b, strict=True))
    kappa = agreement.cohen_kappa(a, b)
    assert (kappa.value, kappa.se) == pytest.approx((expected["cohen"], expected["cohen_se"]), abs=1e-6)
    assert kappa.se == pytest.approx(expected["cohen_asymptotic_se_statsmodels"], abs=1e-12)
    assert kappa.se_null == pytest.approx(expected["cohen_se0_statsmodels"], abs=1e-12)
    assert kappa.ci == pytest.approx(expected["cohen_ci95"], abs=5e-4)
    # irrCAC divides by n for two readers' tables, by n - 1 for any number of readers; ours is the latter.
    by_n = math.sqrt(99 / 100)
    for function, name, se in (
        (agreement.gwet_ac1, "gwet_ac1", "gwet_ac1_se"),
        (agreement.brennan_prediger, "brennan_prediger", "bp_se"),
        (agreement.percent_agreement, "percent_agreement", "pa_se"),
    ):
        found = function(ratings)
        assert (found.value, found.se * by_n) == pytest.approx((expected[name], expected[se]), abs=1e-6)
    scott = agreement.fleiss_kappa(ratings)  # Fleiss' kappa of two readers is Scott's pi
    assert (scott.value, scott.se * by_n) == pytest.approx((expected["scott"], expected["scott_se"]), abs=1e-6)
    assert agreement.krippendorff_alpha(ratings).value == pytest.approx(expected["krippendorff"], abs=1e-6)


@pytest.mark.parametrize("weights", ["identity", "linear", "quadratic", "ordinal"])
def test_both_standard_errors_of_kappa_are_the_delta_methods(weights):
    table = np.array([[11, 3, 1, 0], [2, 9, 4, 1], [0, 3, 8, 2], [1, 0, 2, 10]])
    credit = agreement.weight_matrix(weights, np.arange(1.0, 5.0))

    def kappa(shares):
        chance = (np.outer(shares.sum(axis=1), shares.sum(axis=0)) * credit).sum()
        return ((shares * credit).sum() - chance) / (shares.sum() - chance)

    def se(shares):
        steps = 1e-6 * np.eye(16).reshape(16, 4, 4)
        slopes = np.array([(kappa(shares + step) - kappa(shares - step)) / 2e-6 for step in steps]).reshape(4, 4)
        return math.sqrt(((shares * slopes**2).sum() - (shares * slopes).sum() ** 2) / table.sum())

    shares = table / table.sum()
    found = agreement.cohen_kappa(*from_joint(table), weights=weights)
    assert found.value == pytest.approx(kappa(shares), abs=1e-12)
    assert found.se == pytest.approx(se(shares), rel=1e-6)
    assert found.se_null == pytest.approx(se(np.outer(shares.sum(axis=1), shares.sum(axis=0))), rel=1e-6)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_a_reader_who_repeats_every_answer_has_a_kappa_of_1_without_a_variance(weights):
    random = np.random.Generator(np.random.PCG64(0))
    for size in range(20, 120):
        levels = random.integers(1, 6, size)
        found = agreement.cohen_kappa(levels, levels, weights, range(1, 6))
        assert (found.value, found.se, found.ci) == (pytest.approx(1), 0.0, None)
        assert "variance over subjects is 0" in found.reason
        assert found.p < 1e-3


def test_weights_are_gwets():
    # Gwet 2014, Inter-Rater Reliability: three categories, ordinal 1 - C(d + 1, 2) / C(3, 2).
    three = np.array([1.0, 2.0, 3.0])
    assert agreement.weight_matrix("ordinal", three)[0].tolist() == pytest.approx([1, 2 / 3, 0])
    assert agreement.weight_matrix("quadratic", three)[0].tolist() == pytest.approx([1, 3 / 4, 0])
    assert agreement.gwet_ac2(FOUR_RATERS, range(1, 6), "identity").value == agreement.gwet_ac1(FOUR_RATERS).value
    assert agreement.gwet_ac2([[1, 1], [1, 1]], weights="ordinal").value is None


def test_ratio_level_needs_a_true_zero():
    assert "0 or more" in agreement.krippendorff_alpha([[-1, 1], [1, 1]], "ratio").reason


def test_the_prevalence_paradox_is_named():
    # Constructed: 118 of 125 agree, nearly all in one category.
    a, b = from_joint([[118, 5], [2, 0]])
    kappa = agreement.cohen_kappa(a, b)
    assert kappa.value == pytest.approx(-0.02339181286549608, abs=1e-9)
    assert kappa.paradox.startswith("prevalence paradox: 94%")
    assert "97% of readings fall in one category" in kappa.paradox
    ratings = list(zip(a, b, strict=True))
    assert agreement.fleiss_kappa(ratings).paradox.startswith("prevalence paradox")
    assert agreement.gwet_ac1(ratings).value == pytest.approx(0.9407763376087177, abs=1e-9)
    assert "paradox" not in agreement.fleiss_kappa(FOUR_RATERS).extra


def test_constant_ratings_are_undefined_in_words_not_one():
    same = [[1] * 7, [1] * 7]
    for found in (
        agreement.fleiss_kappa(same),
        agreement.krippendorff_alpha(same),
        agreement.cohen_kappa([1, 1], [1, 1]),
    ):
        assert found.value is None
        assert "same" in found.reason
    assert "category" in agreement.gwet_ac1(same).reason
    assert agreement.gwet_ac1(same, [1, 2]).value == 1.0
    assert agreement.brennan_prediger(same, [1, 2]).value == 1.0


def test_all_split_is_as_low_as_kappa_goes():
    assert agreement.fleiss_kappa([[1, 2, 3], [1, 2, 3]]).value == pytest.approx(-0.5, abs=1e-9)


def test_null_standard_error_with_missing_readings_is_the_spread_under_chance():
    random = np.random.Generator(np.random.PCG64(3))
    kappas, ses = [], []
    for _ in range(1500):
        ratings = random.choice([1.0, 2.0, 3.0], (60, 5), p=[0.6, 0.3, 0.1])
        ratings[random.random((60, 5)) < 0.4] = np.nan
        found = agreement.fleiss_kappa(ratings)
        kappas.append(found.value)
        ses.append(found.se_null)
    assert np.mean(ses) == pytest.approx(np.std(kappas), rel=0.06)


tables = arrays(
    np.float64, st.tuples(st.integers(2, 12), st.integers(2, 5)), elements=st.sampled_from([1, 2, 3, 4, 5, math.nan])
)
COEFFICIENTS = [
    agreement.fleiss_kappa,
    lambda ratings: agreement.gwet_ac1(ratings, range(1, 6)),
    lambda ratings: agreement.gwet_ac2(ratings, range(1, 6)),
    agreement.brennan_prediger,
    agreement.percent_agreement,
    *(
        lambda ratings, level=level: agreement.krippendorff_alpha(ratings, level)
        for level in ("nominal", "ordinal", "interval")
    ),
]


@settings(max_examples=60)
@given(tables, st.sampled_from(COEFFICIENTS), st.randoms(use_true_random=False))
def test_order_of_readers_and_cases_and_the_names_of_the_ends_do_not_matter(ratings, coefficient, random):
    found = coefficient(ratings)
    rows, columns = (random.sample(range(size), size) for size in ratings.shape)
    for other in (coefficient(ratings[rows][:, columns]), coefficient(6 - ratings)):
        assert (other.value is None) == (found.value is None)
        if found.value is not None:
            assert (other.value, other.se or 0) == pytest.approx((found.value, found.se or 0), abs=1e-9)
    assert found.value is None or found.value <= 1
    assert found.value is not None or found.reason


@given(arrays(np.float64, (12, 3), elements=st.sampled_from([1, 2, 3])))
def test_duplicating_readers_adds_agreement_between_the_twins_only(ratings):
    found, doubled = agreement.percent_agreement(ratings), agreement.percent_agreement(np.hstack([ratings, ratings]))
    # Of the 15 pairs of six readings 3 are twins, the other 12 repeat the three pairs four times.
    assert doubled.value == pytest.approx((12 * found.value + 3) / 15)


def test_readings_nobody_made_are_counted_not_dropped_in_silence():
    found = agreement.fleiss_kappa([[1, 1], [None, None], [2, None], [2, 2], [1, 2]])
    assert (
        found.subjects,
        found.subjects_without_reading,
        found.subjects_with_one_reading,
        found.missing_readings,
    ) == (4, 1, 1, 3)
    assert agreement.cohen_kappa([1, 2, None], [1, 2, 1]).left_out == 1


@pytest.mark.parametrize("ratings", [[[1], [2]], [[None, None]], np.zeros((0, 3)), [[1, None], [None, 2]]])
def test_no_subject_read_twice_is_undefined_in_words(ratings):
    for function in (
        agreement.fleiss_kappa,
        agreement.gwet_ac1,
        agreement.krippendorff_alpha,
        agreement.percent_agreement,
    ):
        assert function(ratings).reason == "no subject has two or more readings"
    assert agreement.cohen_kappa([None], [1]).reason == "no subject has both ratings"


@pytest.mark.parametrize(
    "call",
    [
        lambda: agreement.fleiss_kappa([1, 2, 3]),
        lambda: agreement.fleiss_kappa([["real", "synthetic"]]),
        lambda: agreement.krippendorff_alpha([[1, 2]], "rank"),
        lambda: agreement.cohen_kappa([1, 2], [1]),
        lambda: agreement.cohen_kappa([1, 2], [1, 2], weights="cubic"),
        lambda: agreement.fleiss_kappa([[1, 2]], categories=[1]),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match=r"expected|not among"):
        call()
