"""The seam of the designs: a further one is registered, loaded and reported without a change elsewhere."""

import json
import re
import runpy
from pathlib import Path

import pytest

from analysis.designs import DESIGNS
from analysis.designs.common import Settings
from analysis.report import write
from analysis.report.document import TEMPLATES
from analysis.responses import ResponsesError, load_csv
from analysis.responses.checks import ROWS

ROOT = Path(__file__).resolve().parents[3]


def test_the_design_in_contributing_is_loaded_and_reported(tmp_path, monkeypatch):
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (example,) = re.findall(r"<!-- example: its analysis -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    rows = [f"verdict,{r},c{i},{t},{1 + 4 * (i % 2)}" for r in "AB" for i, t in enumerate(["real", "synthetic"] * 4)]
    (tmp_path / "responses.csv").write_text("\n".join(["design,reader,case,truth,level", *rows]))
    with pytest.raises(ResponsesError, match="design 'verdict'; expected one of rating"):
        load_csv(tmp_path / "responses.csv")
    for known in (DESIGNS, ROWS):
        monkeypatch.setitem(known, "verdict", known["rating"])  # taken away again at the end
    (tmp_path / "verdict.py").write_text(example, "utf-8")
    runpy.run_path(str(tmp_path / "verdict.py"))
    assert DESIGNS["verdict"].name == "verdict"
    page = write(load_csv(tmp_path / "responses.csv"), tmp_path / "out", Settings(bootstrap=50), workers=1)
    results = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert results["design"] == "verdict"
    assert results["overall"]["auc"]["value"] == 1
    assert "Findings in plain words" in page.read_text("utf-8")


@pytest.mark.parametrize("name", DESIGNS)
def test_every_design_has_its_rows_page_and_passages(name):
    design = DESIGNS[name]
    assert design.name == name
    assert name in ROWS
    wanted = {"page.html", *(f"{passage}.j2" for passage in design.passages)}
    assert wanted <= {path.name for path in (TEMPLATES / design.templates).iterdir()}
