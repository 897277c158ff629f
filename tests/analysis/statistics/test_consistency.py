"""Recodings, pairs of readers, classes, groups, certainty and repeats."""

import math

import numpy as np
import pytest

from analysis.statistics import agreement, consistency

ALL = (1, 2, 3, 4, 5)


def test_recodings_say_what_becomes_of_each_level():
    levels = [1, 2, 3, 4, 5, math.nan]
    expected = {
        "five_level": [1, 2, 3, 4, 5],
        "three_level": [1, 1, 2, 3, 3],
        "unsure_as_real": [1, 1, 1, 2, 2],
        "unsure_as_synthetic": [1, 1, 2, 2, 2],
        "certainty": [3, 2, 1, 2, 3],
    }
    assert {scheme: consistency.recode(levels, scheme)[:5].tolist() for scheme in consistency.SCHEMES} == expected
    assert all(math.isnan(consistency.recode(levels, scheme)[5]) for scheme in expected)
    with pytest.raises(ValueError, match="expected one of"):
        consistency.recode(levels, "seven_level")


def test_published_readers_agree_little_and_the_scheme_moves_it(published):
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    found = consistency.by_scheme(published.levels.T)
    assert set(found) == set(consistency.SCHEMES)
    for scheme, estimate in found.items():
        counts, _ = aggregate_raters(consistency.recode(published.levels.T, scheme).astype(int))
        assert estimate.value == pytest.approx(fleiss_kappa(counts))
    assert found["unsure_as_real"].value > found["five_level"].value > 0


def test_categories_that_nobody_chose_still_count_for_ac1():
    ratings = [[1, 1], [2, 2], [1, 2], [1, 1]]
    found = consistency.by_scheme(ratings, agreement.gwet_ac1)["five_level"]
    assert found.value == agreement.gwet_ac1(ratings, ALL).value
    assert found.value > agreement.gwet_ac1(ratings).value
    assert consistency.by_class(ratings, [0, 0, 1, 1], agreement.gwet_ac1)["real"].value == 1.0


def test_classes_groups_and_certainty_take_the_right_cells(published):
    ratings, truth = published.levels.T, published.truth
    by_class = consistency.by_class(ratings, truth)
    assert by_class["synthetic"].value == agreement.fleiss_kappa(ratings[truth == 1]).value
    assert by_class["real"].subjects == 100
    by_group = consistency.by_group(ratings, [name[:2] for name in published.readers])
    assert by_group["EP"].value == agreement.fleiss_kappa(ratings[:, 3:]).value
    by_certainty = consistency.by_certainty(ratings)
    full = np.isin(ratings, (1, 5))
    assert by_certainty["full"].missing_readings == (~full).sum()
    assert by_certainty["partial"].missing_readings == (~np.isin(ratings, (2, 4))).sum()


def test_every_pair_is_there_and_the_mean_is_theirs(published):
    found = consistency.cohen_kappa_pairs(published.levels.T, published.readers, "quadratic", ALL)
    assert len(found.pairs) == 15
    assert found.mean.value == pytest.approx(np.mean([kappa.value for kappa in found.pairs.values()]))
    assert found.pairs["EC1", "EP2"] == agreement.cohen_kappa(
        published.levels[0], published.levels[4], "quadratic", ALL
    )


def test_very_many_readers_are_sampled_and_the_mean_says_so():
    random = np.random.Generator(np.random.PCG64(1))
    ratings = random.integers(1, 6, (12, 300)).astype(float)
    found = consistency.cohen_kappa_pairs(ratings, [f"R{i}" for i in range(300)], most=50)
    assert (found.mean.pairs, found.mean.computed) == (44850, 50)


def test_pairs_without_a_kappa_are_counted():
    found = consistency.cohen_kappa_pairs([[1, 1, None], [1, 1, None]], ["A", "B", "C"])
    assert found.mean.value is None
    assert (found.mean.undefined, found.mean.pairs) == (3, 3)
    assert consistency.cohen_kappa_pairs([[1], [2]], ["A"]).mean.pairs == 0


def test_a_reader_who_repeats_himself_agrees_fully():
    found = consistency.intra_reader([1, 2, 4, 5, 3, None], [1, 2, 4, 5, 3, 1])
    assert [estimate.value for estimate in found.values()] == pytest.approx([1.0] * 4)
    assert found["same_level"].n == 5
    assert all(estimate.value is None for estimate in consistency.intra_reader([None], [1]).values())


@pytest.mark.parametrize(
    "call",
    [
        lambda: consistency.by_group([[1, 2]], ["EC"]),
        lambda: consistency.cohen_kappa_pairs([[1, 2]], ["EC1"]),
        lambda: consistency.intra_reader([1], [1, 2]),
        lambda: consistency.by_class([[6, 1]], [1]),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()
