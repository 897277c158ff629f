"""U-statistics against iMRMC 2.1.2 and 4.0.3, against their definition, and at the edges."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.ustat import ustatistics
from tests.analysis.rated import imrmc


def agrees(found, row, *, difference=False):
    value, variance = ("AUCAminusAUCB", "varAUCAminusAUCB") if difference else ("AUCA", "varAUCA")
    assert found["value"] == pytest.approx(row[value], abs=1e-8)
    assert found["se"] ** 2 == pytest.approx(row[variance], abs=1e-9)
    assert found["df"] == pytest.approx(row["dfBDG"], abs=1e-4)
    assert found["p"] == pytest.approx(row["pValueBDG"], abs=1e-6)


@pytest.mark.parametrize(("estimator", "rows"), [("unbiased", "ustat_R"), ("unbiased", "ustat_java"), ("mle", "mle_R")])
def test_imrmc_with_missing_readings_is_reproduced(shared, oracle, estimator, rows):
    scores, truth = imrmc(shared, "imrmc_R1")
    (row,) = oracle("11")["expected"][rows]
    found = ustatistics(scores[0], truth, estimator=estimator)
    agrees(found.as_dict(), row)
    assert found.missing == 45
    if estimator == "unbiased":
        assert found.ci == pytest.approx((row["botCIBDG"], row["topCIBDG"]), abs=1e-8)


@pytest.mark.parametrize(("estimator", "rows"), [("unbiased", "ustat_R"), ("unbiased", "ustat_java"), ("mle", "mle_R")])
def test_imrmc_with_two_modalities_is_reproduced(shared, oracle, estimator, rows):
    scores, truth = imrmc(shared, "imrmc_R2")
    test_a, test_b, both = oracle("12")["expected"][rows]
    found = ustatistics(scores, truth, estimator=estimator)
    agrees(found.modalities[0], test_a)
    agrees(found.modalities[1], test_b)
    agrees(found.as_dict(), both, difference=True)
    assert found.ci == pytest.approx((both["botCIBDG"], both["topCIBDG"]), abs=1e-8)


def test_split_plot_readers_share_no_modality_and_still_give_a_difference(shared):
    scores, truth = imrmc(shared, "imrmc_R4")
    found = ustatistics(scores, truth)
    alone = [ustatistics(scores[m][~np.isnan(scores[m]).all(axis=1)], truth) for m in (0, 1)]
    assert found.value == pytest.approx(alone[0].value - alone[1].value)
    # The cases are shared, so the variance is less than that of two unrelated studies.
    assert found.variance < alone[0].variance + alone[1].variance


def by_definition(scores, truth, endpoint):
    """Gallas' eight moments, one pair of (reader, synthetic, real) at a time."""
    synthetic, real = np.flatnonzero(truth == 1), np.flatnonzero(truth == 0)
    share = synthetic.size / truth.size
    success = {}
    for r, i, j in itertools.product(range(len(scores)), synthetic, real):
        high, low = scores[r, i], scores[r, j]
        if not (np.isnan(high) or np.isnan(low)):
            rank = (high > low) + (high == low) / 2
            success[r, i, j] = rank if endpoint == "auc" else share * high + (1 - share) * low
    kinds = {}
    for (a, one), (b, two) in itertools.product(success.items(), repeat=2):
        total = kinds.setdefault(tuple(x == y for x, y in zip(a, b, strict=True)), [0.0, 0])
        total[0], total[1] = total[0] + one * two, total[1] + 1
    count = len(success) ** 2
    moments = {kind: total / pairs for kind, (total, pairs) in kinds.items()}
    variance = sum(moments[kind] * kinds[kind][1] / count for kind in kinds) - moments[False, False, False]
    return sum(success.values()) / len(success), variance


cells = st.one_of(st.none(), st.integers(0, 4))


@given(st.lists(st.lists(cells, min_size=7, max_size=7), min_size=2, max_size=4), st.sampled_from(["auc", "accuracy"]))
def test_moments_are_what_the_definition_says(rows, endpoint):
    truth = np.array([0, 1, 0, 1, 1, 0, 1])
    scores = np.array([[np.nan if cell is None else cell / 4 for cell in row] for row in rows])
    found = ustatistics(scores, truth, endpoint=endpoint)
    if found.value is None or (found.reason or "").startswith("two readers"):
        return
    value, variance = by_definition(scores, truth, endpoint)
    assert found.value == pytest.approx(value)
    if found.se is not None:
        assert found.se**2 == pytest.approx(max(variance, 0), abs=1e-9)
    else:
        assert variance < 0


@given(st.lists(st.lists(cells, min_size=8, max_size=8), min_size=2, max_size=4), st.integers(0, 2**31))
def test_order_and_class_names_change_nothing_and_modalities_turn_the_sign(rows, seed):
    scores, truth = np.array(rows, float), np.array([0, 1] * 4)
    rng = np.random.default_rng(seed)
    found = ustatistics(scores, truth)
    cases, readers = rng.permutation(8), rng.permutation(len(scores))
    same = [ustatistics(scores[readers][:, cases], truth[cases]), ustatistics(-scores, 1 - truth)]
    for other in same:
        assert (other.value, other.se, other.df) == pytest.approx((found.value, found.se, found.df), abs=1e-7)
        assert (other.reason is None) == (found.reason is None)
    pair = np.stack([scores, rng.permuted(scores, axis=1)])
    forward, backward = ustatistics(pair, truth), ustatistics(pair[::-1], truth)
    if forward.value is not None:
        assert (backward.value, backward.se) == pytest.approx((-forward.value, forward.se), abs=1e-7)


def test_partly_crossed_readers_weigh_by_what_they_read(shared):
    # iMRMC's R3: five readers, one of them in one modality only, a tenth of the readings missing.
    scores, truth = imrmc(shared, "imrmc_R3")
    found = ustatistics(scores, truth)
    assert found.missing == int(np.isnan(scores).sum())
    assert [one["value"] for one in found.modalities] == pytest.approx(
        [np.average(areas, weights=pairs) for areas, pairs in (_pooled(scores[m], truth) for m in (0, 1))]
    )


def _pooled(scores, truth):
    """Each reader's area and his number of pairs."""
    areas, pairs = [], []
    for row in scores[~np.isnan(scores).all(axis=1)]:
        gaps = row[truth == 1][:, None] - row[truth == 0]
        seen = ~np.isnan(gaps)
        areas.append(((gaps[seen] > 0) + (gaps[seen] == 0) / 2).mean())
        pairs.append(seen.sum())
    return areas, pairs


def test_published_accuracy_equals_the_mean_of_the_readers(published):
    credit = np.where(published.truth == 1, published.levels - 1, 5 - published.levels) / 4
    found = ustatistics(credit, published.truth, endpoint="accuracy")
    assert found.value == pytest.approx(credit.mean())  # .6844, FACTS.md
    assert found.ci[0] < 0.6844 < found.ci[1]


def test_three_modalities_give_every_difference():
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1], 20)
    scores = rng.normal(size=(3, 4, 40)) + truth
    found = ustatistics(scores, truth)
    assert set(found.pairs) == {"1-2", "1-3", "2-3"}
    assert found.value == found.pairs["1-2"]["value"]
    assert ustatistics(scores[[0, 2]], truth).se == pytest.approx(found.pairs["1-3"]["se"])


@pytest.mark.parametrize(
    ("scores", "truth", "words"),
    [
        ([[1, 2, 3], [2, 3, 1]], [1, 1, 1], "both classes"),
        ([[np.nan] * 4] * 2, [0, 0, 1, 1], "both classes"),
        ([[1, np.nan, np.nan, 2], [np.nan, 1, 3, np.nan]], [0, 1, 0, 1], None),
        ([[1, 2, 3, 4]], [0, 0, 1, 1], "two readers"),
        ([[1, 2, 3, 4], [1, 2, 3, 4]], [0, 0, 1, 1], "zero"),
        ([[3, 3, 3, 3], [3, 3, 3, 3]], [0, 0, 1, 1], "zero"),
        ([[1, 2, 3], [2, 1, 3]], [0, 0, 1], "two readers"),
    ],
)
def test_edges_give_a_reason_and_nothing_else(scores, truth, words):
    found = ustatistics(scores, truth)
    json.dumps(found.as_dict())
    if words:
        assert words in found.reason
        assert found.p is None


def test_ten_thousand_readers_are_no_trouble():
    rng = np.random.default_rng(12)
    truth = np.repeat([0, 1], 10)
    found = ustatistics(rng.integers(1, 6, (10_000, 20)) + truth, truth)
    assert found.readers == 10_000
    assert 0 < found.se < 0.2


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="truth: expected one value for each of the 3 cases"):
        ustatistics([[1, 2, 3]], [0, 1])
    with pytest.raises(ValueError, match="readers x cases"):
        ustatistics([1, 2, 3], [0, 1, 1])
    with pytest.raises(ValueError, match="credits between 0"):
        ustatistics([[1, 2, 3]], [0, 1, 1], endpoint="accuracy")
    with pytest.raises(ValueError, match="estimator"):
        ustatistics([[1, 2, 3]], [0, 1, 1], estimator="jackknife")
