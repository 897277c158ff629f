"""Plans for two conditions and for two sources by simulation: power, size, coverage, and the drawn data."""

import numpy as np
import pytest

from analysis.planning.conditions import Paired, _studies, simulate
from analysis.planning.roe_metz import RoeMetz, to_levels
from analysis.statistics import few_readers
from analysis.statistics.mrmc import compare_groups, obuchowski_rockette


@pytest.mark.parametrize("by", ["same", "split", "between", "sources"])
def test_the_same_seed_gives_the_same_studies_however_they_are_spread(by):
    one, two = (simulate("auc", 0.6, 0.7, 6, 20, by=by, studies=60, jobs=jobs) for jobs in (1, 2))
    assert one.as_dict() == two.as_dict()


def test_pairs_tell_more_than_different_readers_do():
    power = {by: simulate("auc", 0.65, 0.75, 8, 60, by=by, studies=60).value for by in ("same", "split", "between")}
    assert power["same"] > power["split"] > power["between"]


def test_without_a_difference_few_studies_find_one():
    found = simulate("accuracy", 0.7, 0.7, 6, 60, studies=100)
    assert found.value <= 0.12
    assert found.coverage == pytest.approx(1 - found.value)
    assert (found.true_value, found.undefined) == (0, 0)


def test_the_mean_of_the_studies_is_what_was_asked_for():
    found = simulate("auc", 0.65, 0.8, 6, 100, levels=False, studies=60)
    assert found.mean == pytest.approx(0.15, abs=0.02)


def test_sources_share_their_real_cases_and_nothing_else():
    drawn, truth = Paired().draw(np.random.default_rng(1), (0.6, 0.7), 3, 10, "auc", "sources")
    assert truth.tolist() == [1] * 10 + [0] * 5
    read = ~np.isnan(drawn)
    assert read[0, 0].tolist() == [True] * 5 + [False] * 5 + [True] * 5
    assert not (read[0] & read[1])[:, :10].any()
    assert drawn[0, :, 10:] == pytest.approx(drawn[1, :, 10:])


@pytest.mark.parametrize(("by", "readers", "freedom"), [("same", 3, 2), ("between", 4, 2), ("same", 6, None)])
def test_few_readers_are_tested_as_in_the_report(by, readers, freedom):
    *_, p = _studies(Paired(), "auc", (0.6, 0.8), readers, 40, by, True, 0, range(1))[0]
    scores, truth = Paired().draw(np.random.default_rng([0, 0]), (0.6, 0.8), readers, 40, "auc", "same")
    levels = to_levels(scores)
    if by == "between":
        usual = compare_groups([*levels[1, 1::2], *levels[0, ::2]], truth, ["second"] * 2 + ["first"] * 2)
    else:
        usual = obuchowski_rockette(levels[::-1], truth)
    assert p == pytest.approx((few_readers.difference(usual, freedom) if freedom else usual).p)


def test_what_belongs_to_no_single_condition_is_shared():
    model = Paired(RoeMetz(case_share=1.0, leaning_sd=0), reader_share=0, case_share=0)
    drawn, _ = model.draw(np.random.default_rng(1), (0.7, 0.7), 3, 10, "auc", "same")
    assert drawn[0] == pytest.approx(drawn[1])


def test_the_parts_of_a_variance_add_up():
    model = Paired(RoeMetz(reader_sd=0, leaning_sd=0, case_share=1.0), case_share=0.5)
    drawn, truth = model.draw(np.random.default_rng(1), (0.7, 0.7), 1, 4000, "auc", "same")
    of_one_class = drawn[:, 0, truth == 1]
    assert of_one_class.std(axis=1) == pytest.approx([1, 1], abs=0.05)
    assert np.corrcoef(of_one_class)[0, 1] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("by", ["same", "sources"])
def test_the_true_difference_is_that_of_many_readings_as_levels(by):
    found = simulate("auc", 0.6, 0.9, 6, 400, by=by, studies=40)
    assert found.mean == pytest.approx(found.true_value, abs=3 * found.figure_sd / 40**0.5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"by": "sources", "endpoint": "accuracy"}, "endpoint: expected auc for sources"),
        ({"by": "both"}, "by: expected one of"),
        ({"readers": 3, "by": "between"}, "readers: expected 4"),
        ({"studies": 1}, "studies: expected 2"),
        ({"endpoint": "kappa"}, "endpoint: expected"),
    ],
)
def test_what_cannot_be_planned_is_refused(changed, message):
    given = {"endpoint": "auc", "first": 0.6, "second": 0.7, "readers": 6, "cases": 20} | changed
    with pytest.raises(ValueError, match=message):
        simulate(**given)


def test_shares_lie_between_0_and_1():
    with pytest.raises(ValueError, match="reader_share"):
        Paired(reader_share=1.5)
