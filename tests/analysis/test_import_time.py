"""`import analysis` and every statistics module stay light."""

import pkgutil
import subprocess
import sys

import pytest

import analysis

HEAVY = (
    "scipy.stats",
    "scipy.optimize",
    "statsmodels",
    "pandas",
    "matplotlib",
    "sqlalchemy",
    "torch",
    "flask",
    "quiz_app",
)
MODULES = [
    "analysis",
    *sorted(
        found.name
        for found in pkgutil.walk_packages(analysis.__path__, "analysis.")
        if not found.name.endswith("__main__")
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_importing_loads_nothing_heavy(name):
    script = f"import sys, {name}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
