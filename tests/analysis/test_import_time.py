"""`import analysis` and every statistics module stay light."""

import pkgutil
import subprocess
import sys

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


EACH_IN_A_CHILD = f"""
import importlib, os, sys
import jinja2, numpy, scipy.special
for name in sys.argv[1:]:
    if (child := os.fork()) == 0:
        importlib.import_module(name)
        print(name, *[heavy for heavy in {HEAVY!r} if heavy in sys.modules], flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
"""


def loaded(*names):
    """What each module brings with it that is heavy, imported in a process of its own that has what all may use."""
    command = [sys.executable, "-c", EACH_IN_A_CHILD, *names]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[0]: line.split()[1:] for line in found}


def test_importing_loads_nothing_heavy():
    assert loaded(*MODULES) == {name: [] for name in MODULES}


def test_what_is_heavy_is_seen():
    assert loaded("scipy.stats")["scipy.stats"] == ["scipy.stats", "scipy.optimize"]
