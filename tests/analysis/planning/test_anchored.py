"""Anchored blocks: the largest pool, who reads what, and what it costs."""

import numpy as np
import pytest

from analysis.planning import main as plan
from analysis.planning.anchored import largest_pool, loss


@pytest.mark.parametrize(("readers", "cap", "anchor", "read_by"), [(10, 100, 20, 2), (5, 61, 8, 3), (4, 30, 4, 1)])
def test_every_case_is_read_by_so_many_and_no_reader_has_more_than_the_cap(readers, cap, anchor, read_by):
    sharing = largest_pool(readers, cap, anchor, read_by)
    read = sharing.read()
    assert read.shape == (readers, sharing.pool)
    assert (read[:, :anchor]).all()
    assert (read[:, anchor:].sum(axis=0) == read_by).all()
    assert set(read.sum(axis=1)) == {sharing.each}
    assert sharing.each <= cap < sharing.each + 2 * read_by  # no larger block would do
    classes = np.arange(sharing.pool) % 2
    assert (read[:, classes == 1].sum(axis=1) == read[:, classes == 0].sum(axis=1)).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((10, 100, 20, 11), "read_by: expected 1 to 10"),
        ((10, 100, 3, 2), "anchor: expected an even"),
        ((10, 23, 20, 2), "cap: expected 24"),
    ],
)
def test_what_leaves_no_block_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        largest_pool(*given)


@pytest.mark.parametrize("endpoint", ["auc", "accuracy"])
def test_sharing_costs_against_crossed_and_gains_against_the_same_load(endpoint):
    found = loss(largest_pool(6, 24, 4), 0.7, endpoint, studies=60)
    assert found.crossed_sd < found.anchored_sd
    assert found.value == pytest.approx(found.anchored_sd / found.crossed_sd)
    assert found.ci[0] < found.value < found.ci[1]
    assert 0.85 <= found.coverage <= 1


def test_where_all_read_all_nothing_is_lost():
    found = loss(largest_pool(3, 40, 4, read_by=3), 0.7, studies=10)
    assert found.value == pytest.approx(1)
    with pytest.raises(ValueError, match="studies: expected 4"):
        loss(largest_pool(3, 40, 4), 0.7, studies=3)


def test_the_command_says_how_large_the_pool_is_and_what_it_costs(capsys, tmp_path):
    given = ["auc", "0.7", "--readers", "4", "--cap", "20", "--anchor", "4", "--simulate", "10"]
    assert plan([*given, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[:3] == ["4", "36", "20"]
    assert (tmp_path / "planning.csv").read_text().startswith("readers,pool,each,times_as_wide")


def test_the_command_says_the_power_to_tell_two_conditions_apart(capsys):
    assert plan(["accuracy", "0.6", "--against", "0.7", "--readers", "6", "--cases", "20", "--simulate", "10"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["readers", "cases", "power", "difference"]


@pytest.mark.parametrize(
    "given", [["kappa", "0.2", "--against", "0.3"], ["auc", "0.7", "--against", "0.8", "--cap", "20"]]
)
def test_the_command_refuses_what_cannot_be_planned(given, capsys):
    assert plan(given) == 2
    assert "--against, --cap: expected" in capsys.readouterr().err
