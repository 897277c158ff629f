"""The walls of the house: who may import whom, and what stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WINGS = ("quiz_app", "generation", "analysis")


def imports(wing: str) -> dict[Path, set[str]]:
    """The names each module of a wing imports, wherever in the file."""
    found = {}
    for path in (ROOT / wing).rglob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        found[path.relative_to(ROOT)] = names
    return found


@pytest.mark.parametrize(
    ("wing", "forbidden"),
    [
        ("generation", ("quiz_app", "analysis", "flask")),
        ("analysis", ("quiz_app", "flask", "generation", "torch")),
        ("quiz_app", ("torch", "diffusers", "transformers", "run")),
    ],
)
def test_no_wing_imports_what_it_must_not(wing, forbidden):
    guilty = [
        f"{path}: {name}" for path, names in imports(wing).items() for name in names if name.split(".")[0] in forbidden
    ]
    assert not guilty


@pytest.mark.parametrize("wing", ["quiz_app", "analysis"])
def test_importing_a_wing_loads_nothing_heavy(wing):
    heavy = "{'torch', 'firebase_admin', 'matplotlib', 'pandas', 'statsmodels', 'scipy.stats', 'pyngrok'}"
    script = f"import sys, {wing}; {wing}.__dict__.get('create_app'); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_stay_small_enough_to_read():
    long = {
        str(path): lines
        for wing in WINGS
        for path in imports(wing)
        if (lines := len((ROOT / path).read_text("utf-8").splitlines())) > 450
    }
    assert not long


def test_no_path_of_a_developers_machine_is_in_the_project():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    marks = ["/" + "work/", "/" + "root/", "/" + "home/"]
    guilty = [
        f"{name}: {mark}"
        for name in tracked
        if name.endswith((".py", ".md", ".toml", ".js", ".css", ".html", ".sh", ".txt")) and (ROOT / name).is_file()
        for mark in marks
        if mark in (ROOT / name).read_text("utf-8")
    ]
    assert not guilty
