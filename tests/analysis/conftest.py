"""The published observer study, which the project carries, and the oracles of other people's software."""

import csv
import json
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import pytest


class Published(NamedTuple):
    """Levels of the six readers (readers x cases) and the truth of the 200 cases."""

    readers: list[str]
    levels: np.ndarray
    truth: np.ndarray


@pytest.fixture(scope="session")
def published() -> Published:
    with (files("analysis") / "data" / "panodiff_ratings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    readers = [name for name in rows[0] if name not in ("case", "truth")]
    levels = np.array([[float(row[name]) for row in rows] for name in readers])
    return Published(readers, levels, np.array([row["truth"] == "synthetic" for row in rows]).astype(int))


@pytest.fixture(scope="session")
def oracle(shared) -> Any:
    """The oracle whose file name starts with a number: `oracle("07")`."""

    def load(number: str) -> dict[str, Any]:
        (path,) = (shared / "oracles").glob(f"{number}_*.json")
        return json.loads(path.read_text())

    return load
