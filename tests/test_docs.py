"""The documentation: its lines, and that the site builds without a broken link."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_lines_of_markdown_are_short_enough_to_read():
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    long = [
        f"{name}, line {number}"
        for name in tracked.stdout.split()
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), start=1)
        if len(line) > 120 and not line.lstrip().startswith("|")  # a row of a table cannot be wrapped
    ]
    assert not long


def test_the_readme_names_every_extra():
    told = (ROOT / "README.md").read_text("utf-8").partition("Extras: ")[2].partition(". ")[0]
    given = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"`(\w+)`", told)) == set(given)


@pytest.mark.slow
def test_the_site_builds_without_a_broken_link(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "true"}
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=quiet, check=False)
    assert built.returncode == 0, built.stderr
    commands = (tmp_path / "site" / "reference" / "commands.html").read_text("utf-8")
    for name in ("discern study create", "discern generate pool", "discern report", "discern db upgrade"):
        assert name in commands
    assert "fleiss_kappa" in (tmp_path / "site" / "reference" / "statistics.html").read_text("utf-8")


def test_every_test_that_the_page_on_security_names_is_there():
    page = (ROOT / "docs" / "explanation" / "security.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    there = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 40
    assert [name for name in named if f"def {name}(" not in there] == []
