"""The table of docs/explanation/statistics.md that says whose each routine is, held to the code."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import analysis
from tests.analysis.test_docstrings import HELPERS

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("analysis.statistics", "analysis.planning")
CHECKS = set(HELPERS) - {"distributions"}  # input checks and shapes, which no library could have
MODULES = {
    name.rpartition(".")[2]: importlib.import_module(name)
    for name in (found.name for found in pkgutil.walk_packages(analysis.__path__, "analysis."))
    if name.startswith(FLOORS) and name != "analysis.statistics" and name.rpartition(".")[2] not in CHECKS
}


def rows() -> list[tuple[list[str], str, list[str]]]:
    """The routines, their origin in words, and the library functions that do the work."""
    text = (ROOT / "docs" / "explanation" / "statistics.md").read_text("utf-8")
    found = re.findall(r"^\| (`\w+\.\w+`[^|]*) \| ([^|]+) \|[^|]*\|$", text.partition("## Whose routine")[2], re.M)
    return [(re.findall(r"`([\w.]+)`", what), whose, re.findall(r"`(\w+)`", whose)) for what, whose in found]


WORKERS = {routine: names for routines, _, names in rows() for routine in routines}


def taken(module) -> dict[str, str]:
    """What a module imports from statsmodels and scipy: name -> module."""
    return {
        alias.name: node.module
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("statsmodels.", "scipy."))
        for alias in node.names
    }


WHERE = {name: where for module in MODULES.values() for name, where in taken(module).items()}


def test_every_public_function_stands_in_the_table_once():
    listed = [routine for routines, _, _ in rows() for routine in routines]
    public = [
        f"{room}.{label}"
        for room, module in MODULES.items()
        for label, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not label.startswith("_")
    ]
    assert sorted(listed) == sorted(public)


def test_each_row_says_statsmodels_scipy_or_ours():
    assert [
        whose for _, whose, _ in rows() if not re.match(r"(statsmodels: `|scipy: `|ours$|ours, on scipy: `)", whose)
    ] == []
    for _, whose, names in rows():
        for name in names:
            assert whose.split(":")[0].split()[-1] == WHERE[name].split(".")[0], f"{name} is in {WHERE[name]}"


def test_no_estimate_of_a_library_is_used_unsaid():
    for room, module in MODULES.items():
        said = {name for routine, names in WORKERS.items() if routine.startswith(f"{room}.") for name in names}
        used = {
            name for name, where in taken(module).items() if where.startswith("statsmodels.") or where == "scipy.stats"
        }
        assert used <= said, f"{room}: {used - said} is in no row"


@pytest.mark.parametrize("routine", sorted(routine for routine, names in WORKERS.items() if names))
def test_a_routine_said_to_be_a_librarys_calls_it(routine, monkeypatch):
    called = set()

    def spy(name):
        real = getattr(importlib.import_module(WHERE[name]), name)

        class Spy:
            def __call__(self, *args, **kwargs):
                called.add(name)
                return real(*args, **kwargs)

            def __getattr__(self, attribute):  # a distribution's pmf or ppf
                called.add(name)
                return getattr(real, attribute)

        monkeypatch.setattr(importlib.import_module(WHERE[name]), name, Spy())

    for name in WORKERS[routine]:
        spy(name)
    room, _, label = routine.partition(".")
    function = getattr(MODULES[room], label)
    for example in doctest.DocTestFinder().find(function, label, globs=vars(MODULES[room]).copy()):
        doctest.DocTestRunner(verbose=False).run(example)
    assert called == set(WORKERS[routine])
