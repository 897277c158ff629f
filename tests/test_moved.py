"""Every import path that has changed still works and names the new one."""

import subprocess
import sys
from importlib import import_module

import pytest

import analysis.moved
import quiz_app.moved

OLD = [
    (f"{package.__name__.split('.')[0]}.{old}", f"{package.__name__.split('.')[0]}.{new}")
    for package in (analysis.moved, quiz_app.moved)
    for old, new in package.MOVED.items()
]


@pytest.mark.parametrize(("old", "new"), OLD)
def test_an_old_import_gives_the_module_that_moved_and_says_where_it_is(old, new):
    sys.modules.pop(old, None)
    with pytest.warns(FutureWarning, match=f"{old} is now {new}"):
        assert import_module(old) is import_module(new)


def test_an_old_import_in_a_script_is_heard():
    script = "from analysis import agreement; print(agreement.fleiss_kappa([[1, 1], [2, 2]]).value)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1.0"
    assert "analysis.agreement is now analysis.statistics.agreement" in done.stderr
