"""How much of each wing the tests run, from the data of the last run: `make coverage` prints it and fails below LEAST.

python -m tests.covered
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from coverage import Coverage

WINGS = ("generation", "quiz_app", "analysis")
LEAST = 90  # percent of the branches of each wing


def share(files: Mapping[str, Mapping[str, Mapping[str, int]]], wing: str) -> tuple[float, float]:
    """Percent of the lines and of the branches that were run, over the `files` of a wing."""
    sums = [file["summary"] for name, file in files.items() if name.replace("\\", "/").startswith(f"{wing}/")]

    def percent(some: str, of: str) -> float:
        return 100 * sum(each[some] for each in sums) / max(1, sum(each[of] for each in sums))

    return percent("covered_lines", "num_statements"), percent("covered_branches", "num_branches")


def table(files: Mapping[str, Mapping[str, Mapping[str, int]]]) -> tuple[list[str], bool]:
    """The lines to print, and whether every wing has its LEAST."""
    shares = {wing: share(files, wing) for wing in WINGS}
    lines = ["wing         lines  branches", *(f"{wing:12} {a:4.1f} %  {b:4.1f} %" for wing, (a, b) in shares.items())]
    return lines, all(branches >= LEAST for _, branches in shares.values())


def thinnest(files: Mapping[str, Mapping[str, Mapping[str, int]]], count: int = 12) -> Iterable[str]:
    """The files with the most branches that no test takes."""
    missed = {
        name: file["summary"]["num_branches"] - file["summary"]["covered_branches"] for name, file in files.items()
    }
    return (f"{missed[name]:4} branches of {name}" for name in sorted(missed, key=lambda n: -missed[n])[:count])


def main() -> int:
    measured = Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        measured.json_report(outfile=str(path))
        files = json.loads(path.read_text())["files"]
    lines, enough = table(files)
    print("\n".join([*lines, "", "Not taken, most first:", *thinnest(files)]))
    if not enough:
        print(f"A wing has less than {LEAST} % of its branches taken.", file=sys.stderr)
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
