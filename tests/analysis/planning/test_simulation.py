"""Simulated studies: against the formula, and the same result however the work is spread."""

import os
import sys
from unittest.mock import patch

import pytest

from analysis.planning.power import power
from analysis.planning.roe_metz import RoeMetz
from analysis.planning.simulation import simulate


@pytest.mark.parametrize("endpoint", ["auc", "accuracy"])
def test_simulation_agrees_with_the_formula(endpoint):
    found = simulate(endpoint, 0.6, 8, 120, studies=400, levels=False, seed=1)
    planned = power(endpoint, 0.6, 8, 120)
    assert found.value == pytest.approx(planned.value, abs=4 * found.se)
    assert found.figure_sd == pytest.approx(planned.figure_se, rel=0.15)
    assert found.mean == pytest.approx(0.6, abs=4 * found.figure_sd / 20)
    assert found.coverage_ci[0] < 0.96
    assert found.coverage_ci[1] > 0.93
    assert found.undefined == 0


def test_equivalence_is_simulated_as_planned():
    found = simulate("accuracy", 0.5, 8, 300, margin=0.1, studies=200)
    assert found.value == pytest.approx(power("accuracy", 0.5, 8, 300, margin=0.1).value, abs=4 * found.se + 0.02)


def test_cores_change_nothing():
    alone = simulate("auc", 0.65, 4, 60, studies=120, seed=3)
    assert simulate("auc", 0.65, 4, 60, studies=120, seed=3, jobs=2) == alone
    assert simulate("auc", 0.65, 4, 60, studies=120, seed=4) != alone


@pytest.mark.slow
def test_machines_change_nothing():
    distributed = pytest.importorskip(
        "distributed", reason="the extra 'cluster' is not installed: nothing to spread over"
    )
    local = distributed.LocalCluster
    # Dask leaves OMP_NUM_THREADS=1 in this process for good, and what other tests start would inherit it.
    with patch.dict(os.environ), local(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        spread = simulate("auc", 0.65, 4, 60, studies=120, seed=3, cluster=cluster.scheduler_address)
    assert spread == simulate("auc", 0.65, 4, 60, studies=120, seed=3)


def test_without_dask_a_cluster_is_refused_in_words(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match="needs Dask"):
        simulate("auc", 0.65, 4, 60, studies=10, cluster="tcp://127.0.0.1:1")


def test_studies_without_a_test_are_counted():
    # Classes so far apart that the areas of both readers are often 1.
    found = simulate("auc", 0.9999, 2, 10, studies=100, model=RoeMetz(0, 0, 0), levels=False)
    assert found.undefined > 50
    assert found.value <= 1 - found.undefined / 100


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="endpoint: expected one of auc, accuracy"):
        simulate("kappa", 0.1, 4, 60)
    with pytest.raises(ValueError, match="studies: expected 2 or more"):
        simulate("auc", 0.6, 4, 60, studies=1)
