"""Changes the code on purpose, one place at a time, and checks whether the tests notice.

    python benchmarks/mutation.py                       random mutants, evenly over TARGETS, each with its tests
    python benchmarks/mutation.py --only steps --count 40 --seed 3
    python benchmarks/mutation.py --rules               remove every rule of tests/rules.toml, with its one test

A surviving mutant is printed with its place, and so is a rule whose test passes without it (then the exit code is 1).
Everything runs in copies of the project in a temporary folder. Mutation testing after DeMillo, Lipton and Sayward,
"Hints on test data selection", Computer 11 (1978), with the usual operators: comparisons, and/or, not, arithmetic,
numbers, min/max, and omitted statements.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
READER, SITTINGS = "tests/quiz_app/reader", "tests/quiz_app/sittings"
# Module -> its tests.
TARGETS = {
    "quiz_app/designs/rating.py": (f"{READER}/test_reader_api.py",),
    "quiz_app/sittings/answering.py": (f"{READER}/test_reader_api.py",),
    "quiz_app/sittings/steps.py": (f"{READER}/test_reader_api.py", f"{READER}/test_reader_images.py"),
    "quiz_app/designs/order.py": ("tests/quiz_app/designs/test_order.py", f"{SITTINGS}/test_start.py"),
    "quiz_app/sittings/start.py": (f"{SITTINGS}/test_start.py", "tests/quiz_app/researcher/test_researcher_readers.py"),
    "quiz_app/sittings/result.py": (f"{READER}/test_reader_pages.py",),
    "generation/audit/__init__.py": ("tests/generation/test_audit.py",),
    "generation/audit/cues.py": ("tests/generation/test_audit.py",),
} | {
    f"analysis/statistics/{path.stem}.py": (f"tests/analysis/statistics/test_{path.name}",)
    for path in sorted((ROOT / "analysis" / "statistics").glob("*.py"))
    if (ROOT / "tests/analysis/statistics" / f"test_{path.name}").exists()
}
COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}
LEFT_OUT = (ast.Raise, ast.AugAssign)
OTHER = {"min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes from `start` to `end` of `file` become `text`."""

    file: str
    line: int
    start: int
    end: int
    text: str

    def told(self) -> str:
        source = (ROOT / self.file).read_bytes()
        return f"{self.file}:{self.line}: {_short(source[self.start : self.end].decode())}  ->  {_short(self.text)}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 70 else f"{text[:67]}..."


def changes(node: ast.AST) -> Iterator[ast.AST | str]:
    """The possible replacements of a node."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        yield _with(node, ops=[COMPARISONS[type(node.ops[0])]()])
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not _is_text(node):
        yield _with(node, op=ARITHMETIC[type(node.op)]())
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OTHER:
        yield _with(node, func=ast.Name(OTHER[node.func.id], ast.Load()))
    elif isinstance(node, LEFT_OUT) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield "pass"


def _with(node: ast.AST, **changed: object) -> ast.AST:
    node = copy.copy(node)
    for name, value in changed.items():
        setattr(node, name, value)
    return node


def _is_text(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(isinstance(each, ast.JoinedStr | ast.List) or type(getattr(each, "value", 0)) is str for each in sides)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree that are executed: no annotations, and no f-strings, whose positions Python 3.11 lacks."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list") or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child)


def mutants(file: str) -> list[Mutant]:
    """Every mutant of a file."""
    source = (ROOT / file).read_bytes()
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    found = []
    for node in _code(ast.parse(source)):
        for change in changes(node):
            start = begins[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
            end = begins[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
            text = change if isinstance(change, str) else f"({ast.unparse(change)})"
            found.append(Mutant(file, node.lineno, start, end, text))  # type: ignore[attr-defined]
    return found


def drawn(only: str, count: int, seed: int) -> list[Mutant]:
    """`count` random mutants, the same number from each module if it has enough."""
    rng = np.random.Generator(np.random.PCG64(seed))
    by_file = [mutants(file) for file in TARGETS if only in file]
    lots = [[some[index] for index in rng.permutation(len(some))] for some in by_file]
    turns = [lot[turn] for turn in range(max(map(len, lots), default=0)) for lot in lots if turn < len(lot)]
    return turns[:count]


class Copies:
    """Copies of the project; each is used for one change at a time."""

    def __init__(self, folder: Path, count: int) -> None:
        self.free: Queue[Path] = Queue()
        if (ROOT.parent / "shared").is_dir():
            (folder / "shared").symlink_to(ROOT.parent / "shared")
        for number in range(count):
            kept = shutil.ignore_patterns(".*", "instance", "node_modules", "__pycache__", "out")
            self.free.put(shutil.copytree(ROOT, folder / str(number), ignore=kept))

    def notice(self, file: str, change: Callable[[bytes], bytes], tests: tuple[str, ...], seconds: float) -> str:
        """The outcome of changing a file: `killed`, `timed out` (also killed) or `LIVES`."""
        house = self.free.get()
        original = (house / file).read_bytes()
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
        environment = os.environ | {"PYTHONPATH": str(house), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            (house / file).write_bytes(change(original))
            quiet = subprocess.DEVNULL
            with subprocess.Popen(
                command, cwd=house, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
            ) as run:
                try:
                    return "LIVES" if run.wait(seconds) == 0 else "killed"
                except subprocess.TimeoutExpired:
                    os.killpg(run.pid, signal.SIGKILL)
                    return "timed out"
        finally:
            (house / file).write_bytes(original)
            self.free.put(house)

    def assert_sound(self, tests: Iterable[str]) -> None:
        """Raise SystemExit if tests fail without any change, because they would show nothing."""
        tests = tuple(sorted(set(tests)))
        if self.notice("run.py", lambda source: source, tests, 1800) != "LIVES":
            raise SystemExit(f"These do not pass with nothing changed: {' '.join(tests)}")


def rules() -> list[dict[str, str]]:
    """The sacred rules."""
    return tomllib.loads((ROOT / "tests" / "rules.toml").read_text("utf-8"))["rule"]


def try_rules(copies: Copies, jobs: int, only: str) -> int:
    """Remove every rule and check that its test fails; returns the number of rules whose test still passes."""

    def without(rule: dict[str, str]) -> tuple[dict[str, str], str]:
        before, after = rule["holds"].encode(), rule["without"].encode()
        return rule, copies.notice(rule["file"], lambda source: source.replace(before, after), (rule["test"],), 300)

    chosen = [rule for rule in rules() if only in rule["file"] or only in rule["says"]]
    copies.assert_sound(rule["test"] for rule in chosen)
    lived = 0
    with ThreadPoolExecutor(jobs) as threads:
        for rule, outcome in threads.map(without, chosen):
            lived += outcome == "LIVES"
            print(f"{outcome:9}  {rule['kind']}: {rule['says']}", flush=True)
    print(f"{len(chosen)} rules, {lived} of them without a test that fails")
    return lived


def try_mutants(copies: Copies, jobs: int, chosen: list[Mutant], minutes: float) -> None:
    """Run mutants until the time is up; print the survivors, and the score of each module."""
    copies.assert_sound(test for mutant in chosen for test in TARGETS[mutant.file])
    until = time.monotonic() + 60 * minutes
    score: dict[str, list[str]] = {}

    def run(mutant: Mutant) -> tuple[Mutant, str]:
        if time.monotonic() > until:
            return mutant, "not run"

        def change(source: bytes) -> bytes:
            return source[: mutant.start] + mutant.text.encode() + source[mutant.end :]

        return mutant, copies.notice(mutant.file, change, TARGETS[mutant.file], 300)

    with ThreadPoolExecutor(jobs) as threads:
        for mutant, outcome in threads.map(run, chosen):
            score.setdefault(mutant.file, []).append(outcome)
            if outcome == "LIVES":
                print(f"LIVES  {mutant.told()}", flush=True)
    for file, outcomes in score.items():
        tried = [outcome for outcome in outcomes if outcome != "not run"]
        print(f"{sum(outcome != 'LIVES' for outcome in tried):3} of {len(tried):3} killed  {file}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rules", action="store_true", help="the sacred rules instead of mutants")
    parser.add_argument("--only", default="", help="only modules (or rules) with this text in their name")
    parser.add_argument("--count", type=int, default=60, help="mutants (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default 1)")
    parser.add_argument("--minutes", type=float, default=20, help="start no mutant after this time (default 20)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="number run at the same time (default: number of cores)"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copies = Copies(Path(folder), asked.jobs)
        if asked.rules:
            return int(try_rules(copies, asked.jobs, asked.only) > 0)
        chosen = drawn(asked.only, asked.count, asked.seed)
        print(f"{len(chosen)} mutants, seed {asked.seed}")
        try_mutants(copies, asked.jobs, chosen, asked.minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
