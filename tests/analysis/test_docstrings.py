"""Every worked example in a docstring of `analysis` is run; every public function of the statistics has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import analysis

MODULES = sorted(found.name for found in pkgutil.walk_packages(analysis.__path__, "analysis."))
# The rooms of statistics: whoever calls a function there sees a worked example of it.
HELPERS = ("arrays", "distributions", "estimate", "laplace", "__main__")
STATISTICS = [
    name
    for name in MODULES
    if name.startswith(("analysis.statistics.", "analysis.planning.")) and name.rpartition(".")[2] not in HELPERS
]


@pytest.mark.parametrize("name", MODULES)
def test_the_worked_examples_give_what_they_say(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0


@pytest.mark.parametrize("name", STATISTICS)
def test_every_public_function_of_the_statistics_has_a_worked_example(name):
    module = importlib.import_module(name)
    public = [
        function
        for label, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == name and not label.startswith("_")
    ]
    assert public
    assert [function.__name__ for function in public if ">>>" not in (inspect.getdoc(function) or "")] == []
