"""Fixtures for every test. Tests with optional parts must run in CI, and may be skipped elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# One thread a process, read as numpy and torch are loaded: the workers of the run are the threads. UMAP's numba would
# leave torch with its own number, and a sum over other threads is another one in its last bit.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
pytest.register_assert_rewrite("tests.sitters")
pytest_plugins = ["tests.databases", "tests.firestore", "tests.workers"]
SHARED = Path(__file__).resolve().parents[2] / "shared"

settings.register_profile("untimed", deadline=None)  # no test is timed
settings.load_profile("untimed")


def missing(what: str) -> None:
    """Skip for want of a part of the machine; in CI nothing may be wanting."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and in CI it must be there")
    pytest.skip(f"{what} is not here")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data next to the checkout."""
    if not SHARED.is_dir():
        missing("the folder ../shared")
    return SHARED


@pytest.fixture(scope="session")
def pool_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve cases of noise, 64 x 32, six of each class, and three for practice."""
    import numpy as np

    import generation.pool as pool

    rng = np.random.Generator(np.random.PCG64(7))
    kinds = [("real", "")] * 6 + [("synthetic", "")] * 6 + [("real", "practice")] * 2 + [("synthetic", "practice")]
    entries = [
        pool.Entry(truth, "source-of-the-pool", pool.encode(rng.integers(0, 256, (32, 64), dtype=np.uint8)), group)
        for truth, group in (kinds[index] for index in rng.permutation(len(kinds)))
    ]
    folder = tmp_path_factory.mktemp("pools") / "noise"
    how = {"real": "noise", "synthetic": "noise"}
    pool.write(folder, entries, name="Noise", seed=7, width=64, height=32, how=how)
    return folder
