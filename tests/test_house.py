"""The structure of the code: which packages may import which, and which must stay light."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
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


def walls() -> dict[str, dict[str, set[str]]]:
    """The table in CONTRIBUTING.md: wing -> floor -> the floors it may import."""
    found: dict[str, dict[str, set[str]]] = {"analysis": {}, "quiz_app": {}}
    for line in (ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines():
        if match := re.fullmatch(r"\| `(analysis|quiz_app)(?:\.([\w.]+))?`( ground)? \|[^|]*\|([^|]*)\|", line):
            wing, floor, ground, allowed = match.groups()
            found[wing]["ground" if ground else floor] = set(re.findall(r"`([\w.]+)`", allowed) or allowed.split())
    return found


def floor_of(module: str, floors: Iterable[str]) -> str:
    """The floor of a module of a wing: the longest name in the table that it begins with."""
    inside = module.partition(".")[2]
    if module == "quiz_app" or inside in ("create_app", "health", "serving"):
        return "factory"
    fitting = [floor for floor in floors if f"{inside}.".startswith(f"{floor}.")]
    return max(fitting, key=len, default="ground")


@pytest.mark.parametrize("wing", ["analysis", "quiz_app"])
def test_a_floor_imports_only_what_the_table_in_contributing_allows(wing):
    floors, guilty = walls()[wing], []
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in imports(wing)}
    assert {name for name in floors if name not in ("ground", "factory")} <= {
        name.partition(".")[2] for name in modules
    }, "the table names a floor that is not there"
    for path, names in imports(wing).items():
        floor = floor_of(".".join(path.with_suffix("").parts).removesuffix(".__init__"), floors)
        if "everything" in floors[floor]:
            continue
        for name in names:
            if (top := name.split(".")[0]) not in floors and top not in WINGS:
                continue
            if name == wing or (top == wing and name not in modules and name.rpartition(".")[0] != wing):
                continue  # a name out of a module, which stands in the set itself; a wing's own names stand below
            wanted = floor_of(name, floors) if top == wing else top
            if wanted not in floors[floor] | {floor, "generation"}:
                guilty.append(f"{path} ({floor}) imports {name} ({wanted})")
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


RULES = tomllib.loads((ROOT / "tests" / "rules.toml").read_text("utf-8"))["rule"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["says"])
def test_a_sacred_rule_stands_in_the_code_and_its_test_among_the_tests(rule):
    assert (ROOT / rule["file"]).read_text("utf-8").count(rule["holds"]) == 1, "say in tests/rules.toml where it is now"
    path, _, name = rule["test"].partition("::")
    assert f"def {name}(" in (ROOT / path).read_text("utf-8"), "tests/rules.toml names a test that is not there"


def test_contributing_lists_every_sacred_rule_with_its_test():
    listed = re.findall(
        r"^\| ([\w ]+) \| ([^|]+) \| `(test_\w+)` \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M
    )
    assert listed == [(rule["kind"], rule["says"], rule["test"].rpartition("::")[2]) for rule in RULES]
