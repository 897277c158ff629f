"""Ratings of realism, against pingouin on the table of Shrout and Fleiss 1979 (Psychol Bull 86:420)."""

import numpy as np
import pytest
import statsmodels.api as sm

from analysis.statistics import realism

TABLE = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
EXPECTED = {  # value, interval to two digits, F, p
    "ICC(1,1)": (0.1657417684054755, (-0.13, 0.72), 1.7946784922394683, 0.16476880834463953),
    "ICC(A,1)": (0.28976377952755916, (0.02, 0.76), 11.027247956403299, 0.000134566516484335),
    "ICC(C,1)": (0.7148407148407154, (0.34, 0.95), 11.027247956403299, 0.000134566516484335),
    "ICC(1,k)": (0.44279713367926876, (-0.88, 0.91), 1.7946784922394683, 0.16476880834463953),
    "ICC(A,k)": (0.6200505475989893, (0.07, 0.93), 11.027247956403299, 0.000134566516484335),
    "ICC(C,k)": (0.9093155423770697, (0.68, 0.99), 11.027247956403299, 0.000134566516484335),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_intra_class_correlations_are_those_of_pingouin(name):
    found, (value, ci, f, p) = realism.icc(TABLE)[name], EXPECTED[name]
    assert found.value == pytest.approx(value, abs=1e-12)
    assert tuple(round(limit, 2) for limit in found.ci) == ci
    assert pytest.approx(f, rel=1e-12) == found.F
    assert found.p == pytest.approx(p, rel=1e-10)


def test_a_subject_that_a_reader_left_out_is_dropped():
    gap = [*TABLE, [5, np.nan, 4, 3]]
    assert realism.icc(gap)["ICC(A,1)"] == realism.icc(TABLE)["ICC(A,1)"]


def test_what_is_not_defined_says_why():
    assert "fewer than two subjects" in realism.icc([[1, 2]])["ICC(1,1)"].reason
    assert "all equal" in realism.icc([[3, 3], [3, 3]])["ICC(A,k)"].reason
    assert "equally" in realism.friedman([[2, 2, 2], [1, 1, 1]]).reason
    assert "three sources" in realism.friedman([[1, 2], [2, 1]]).reason


def test_friedmans_test_is_that_of_pingouin():
    found = realism.friedman(TABLE)
    assert found.value == pytest.approx(0.867231638418079, abs=1e-12)
    assert found.statistic == pytest.approx(15.610169491525422, abs=1e-12)
    assert found.p == pytest.approx(0.0013629399171535932, abs=1e-14)


def test_a_table_of_one_column_is_refused():
    with pytest.raises(ValueError, match="two or more columns"):
        realism.icc([[1], [2]])


def drawn(rng, source, effect, reader_sd, readers=12, images=60):
    """Ratings 1 to 4 of a sequential logit with thresholds 2, 1, 0: readers x images of `source`."""
    odds = effect * source[None, :] + rng.normal(0, reader_sd, (readers, 1)) + rng.normal(0, 0.5, (1, images))
    rating = np.ones((readers, images))
    for level, threshold in enumerate((2.0, 1.0, 0.0), start=1):
        beyond = rng.random((readers, images)) < 1 / (1 + np.exp(-(threshold + odds)))
        rating[(rating == level) & beyond] += 1
    return rating


def test_the_ordinal_model_is_logistic_regression_on_the_steps_of_the_scale():
    rng = np.random.default_rng(5)
    ratings, covariate = rng.integers(1, 5, 80).astype(float), rng.random(80)
    ratings[::9] = np.nan
    found = realism.sequential(ratings, {"x": covariate}, {})
    rows = [
        (ratings[i] > level, level == 2, level == 3, covariate[i])
        for i in range(80)
        for level in (1, 2, 3)
        if ratings[i] >= level
    ]
    data = np.array(rows, dtype=float)
    expected = sm.Logit(data[:, 0], sm.add_constant(data[:, 1:])).fit(disp=0)
    names = ("intercept", "beyond[2]", "beyond[3]", "x")
    assert [found.fixed[name].value for name in names] == pytest.approx(expected.params.tolist(), abs=1e-5)
    assert [found.fixed[name].se for name in names] == pytest.approx(expected.bse.tolist(), rel=1e-3)
    assert found.n == len(rows)


def test_the_ordinal_model_recovers_what_was_put_in():
    rng, source = np.random.default_rng(2), np.tile([0.0, 1.0], 30)
    held = []
    for _ in range(20):
        ratings = drawn(rng, source, -0.7, 0.6)
        labels = np.indices(ratings.shape).reshape(2, -1)
        found = realism.sequential(
            ratings.ravel(), {"source": np.tile(source, 12)}, {"reader": labels[0], "image": labels[1]}
        )
        low, high = found.fixed["source"].ci
        held.append(low < -0.7 < high)
    assert sum(held) >= 17  # of 20 at 95 %


def test_ratings_all_alike_and_parts_of_points_have_no_ordinal_model():
    assert realism.sequential([3, 3, 3], {"x": [0, 1, 0]}, {}).reason is not None
    with pytest.raises(ValueError, match="whole numbers"):
        realism.sequential([3.5, 3], {}, {})
