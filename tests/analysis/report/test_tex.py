"""Tables for LaTeX: whole, escaped, and no wider or longer than a page, by LaTeX's own word where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.report import EXAMPLE
from analysis.report.tables import all_tables
from analysis.report.tables.table import Table
from analysis.report.tex import tex
from analysis.responses import load_csv, load_ratings

DOCUMENT = r"""\documentclass{article}
\usepackage{array,booktabs,longtable,rotating}
\begin{document}
%s
\end{document}
"""


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return measure(load_ratings(EXAMPLE), Settings(bootstrap=200))


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Names that LaTeX takes for commands, long groups, times, and nothing that tells the classes apart."""
    path = tmp_path_factory.mktemp("tex") / "r.csv"
    rows = ["reader,reader_group,case,truth,level,position,response_ms,late"]
    for place in range(60):
        for name, group in (("R_1 & Søn #2", "early-career"), ("50 % {x}", "experienced"), ("~^\\|$<", "experienced")):
            level = 1 + (7 * place + len(name)) % 5
            late = f"{1000 + 97 * (place * len(name) % 53)},{int(place == 3)}"
            rows.append(f"{name},{group},case_{place},{('real', 'synthetic')[place % 2]},{level},{place + 1},{late}")
    path.write_text("\n".join(rows), encoding="utf-8")
    return measure(load_csv(path), Settings(bootstrap=200))


def test_every_row_has_as_many_cells_as_the_table_has_columns(
    published: dict[str, Any], awkward: dict[str, Any]
) -> None:
    for results in (published, awkward):
        for table in all_tables(results):
            if not table.rows:
                continue
            written = tex(results, table)
            for line in written.split(r"\midrule")[-1].split(r"\bottomrule")[0].strip().splitlines():
                if line.startswith("\\end"):
                    continue
                assert len(re.findall(r"(?<!\\)&", line)) + 1 == len(table.columns), line
                assert not re.search(r"(?<!\\)[%#_]", line)


def test_a_short_table_stands_upright_a_wide_one_lies_and_a_long_one_breaks() -> None:
    def of(columns: int, rows: int) -> str:
        body: list[list[Any]] = [["0.612 (0.573 to 0.651)"] * columns for _ in range(rows)]
        return tex({}, Table("t", "T", "C.", ("figure",) * columns, body))

    assert of(4, 10).startswith(r"\begin{table}")
    assert of(7, 10).startswith(r"\begin{sidewaystable}")
    assert r"\begin{longtable}" in of(4, 100)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="LaTeX is not installed")
@pytest.mark.parametrize("study", ["published", "awkward"])
def test_latex_sets_every_table_within_the_page(study: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    results = request.getfixturevalue(study)
    tables = [table for table in all_tables(results) if table.rows]
    for number, table in enumerate(tables):
        (tmp_path / f"t{number}.tex").write_text(tex(results, table), encoding="utf-8")
    body = "\n".join(rf"\input{{t{number}}}\clearpage" for number in range(len(tables)))
    (tmp_path / "all.tex").write_text(DOCUMENT % body)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    for _ in range(2):  # a longtable learns its widths in the first run
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    log = (tmp_path / "all.log").read_text("utf-8", errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert "Float too large" not in log
    assert [points for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(points) > 3] == []
