"""The test setup itself: workers share what is made once, tests marked `alone` run alone, coverage keeps its limit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import covered

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import os, pathlib, time
import pytest
from tests.workers import made_once

LOG = pathlib.Path(os.environ["LOG"])

@pytest.fixture(scope="session", autouse=True)
def folder(tmp_path_factory):
    def make(folder):
        (LOG / f"made by {os.getpid()}").touch()
        time.sleep(0.2)
        (folder / "made").touch()

    return made_once(tmp_path_factory, "costly", make)

@pytest.mark.parametrize("name", [pytest.param(f"{n} alone" if n == 5 else f"{n}", marks=[pytest.mark.alone] * (n == 5))
                                  for n in range(12)])
def test_that_takes_a_while(name, folder):
    assert (folder / "made").exists()
    began = time.monotonic()
    time.sleep(0.1)
    (LOG / f"{name}.test").write_text(f"{began} {time.monotonic()}")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The records of twelve tests in two workers, with the sixth marked `alone`."""
    folder, log = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("log")
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.workers"]')
    (folder / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    command += ["-o", "markers=alone", "-c", str(folder / "pytest.ini"), "--basetemp", str(folder / "temporary")]
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    environment |= {"LOG": str(log), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, str(folder)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return log


def test_a_test_marked_alone_has_no_other_beside_it(run):
    spans = {path.stem: tuple(map(float, path.read_text().split())) for path in run.glob("*.test")}
    assert len(spans) == 12

    def beside(one, other):
        return one != other and spans[one][0] < spans[other][1] and spans[other][0] < spans[one][1]

    assert [name for name in spans if beside(name, "5 alone")] == []
    assert any(beside(one, other) for one in spans for other in spans), "no two ran beside each other: nothing is shown"


def test_what_is_costly_is_made_once_for_all_workers(run):
    assert len(list(run.glob("made by *"))) == 1


def files(**branches):
    """A report of coverage: taken and all branches of one file a wing."""
    return {
        f"{wing}/module.py": {
            "summary": {"covered_lines": 1, "num_statements": 2, "covered_branches": taken, "num_branches": of}
        }
        for wing, (taken, of) in branches.items()
    }


@pytest.mark.parametrize(("taken", "enough"), [(90, True), (89, False)])
def test_a_wing_below_ninety_percent_of_its_branches_is_not_enough(taken, enough):
    lines, found = covered.table(files(generation=(95, 100), quiz_app=(taken, 100), analysis=(100, 100)))
    assert found is enough
    assert lines[2].split() == ["quiz_app", "50.0", "%", f"{taken}.0", "%"]
