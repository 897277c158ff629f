"""The Bayesian analysis in the report: section, tables, results, and refused input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest

from analysis.designs import bayes
from analysis.designs.common import Settings
from analysis.designs.measure import measure
from analysis.planning.roe_metz import RoeMetz
from analysis.report import main, write
from analysis.responses import Responses, load_frame
from analysis.statistics.bayes import sampling
from analysis.study import Study
from tests.analysis import quartets

ASKED = Settings(bootstrap=20, bayes=True)


def decided(readers: int, cases: int, seed: int = 0) -> Responses:
    """A study of decisions without certainty, which is the quickest to fit."""
    scores, truth = RoeMetz().draw(np.random.default_rng(seed), 0.8, readers, cases, "auc")
    rows = [
        {"reader": f"R{r + 1}", "case": f"c{c:03}", "truth": ("real", "synthetic")[int(truth[c])]}
        | {"level": 5 if scores[r, c] > 0 else 1}
        for r in range(readers)
        for c in range(cases)
    ]
    return load_frame(pd.DataFrame(rows), "Few readers")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bayes") / "out"
    write(decided(3, 40), out, ASKED, workers=1)
    return out


@pytest.fixture(scope="module")
def results(report: Path) -> dict[str, Any]:
    return json.loads((report / "results.json").read_text("utf-8"))


@pytest.mark.slow
def test_the_results_follow_their_schema(report: Path, results: dict[str, Any]) -> None:
    schema = json.loads((report / "results.schema.json").read_text("utf-8"))
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(results)] == []
    del results["bayes"]["new_readers"]["auc"]
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(results)] != []


@pytest.mark.slow
def test_the_page_has_the_section_and_the_folder_its_tables_and_its_figure(report: Path) -> None:
    page = (report / "report.html").read_text("utf-8")
    assert 'id="bayes"' in page
    assert "Rouder, Jeffrey N." in page
    for name in ("overall", "readers", "sensitivity", "parameters", "fit"):
        assert (report / "tables" / f"bayes_{name}.tex").is_file()
        assert len((report / "tables" / f"bayes_{name}.csv").read_text("utf-8").splitlines()) > 1
    assert (report / "figures" / "bayes_predictive.svg").is_file()


@pytest.mark.slow
def test_a_notebook_draws_the_figure_too(results: dict[str, Any]) -> None:
    study = Study(decided(3, 40))
    study._measured[ASKED] = results  # so that it is not sampled again
    assert study.plot("bayes_predictive", bootstrap=20, bayes=True).axes


@pytest.mark.slow
def test_findings_and_methods_say_what_was_done(report: Path) -> None:
    findings, methods = ((report / f"{name}.txt").read_text("utf-8") for name in ("findings", "methods"))
    assert "By the Bayesian model, new readers like these would reach a mean AUC of" in findings
    assert "only two levels are in use, as here" in methods
    assert "With 3 readers, the Bayesian intervals depend considerably on the prior" in (
        report / "limitations.txt"
    ).read_text("utf-8")


def test_without_being_asked_for_there_is_no_bayesian_answer() -> None:
    assert "bayes" not in measure(decided(3, 40), Settings(bootstrap=20))


@pytest.mark.slow
def test_what_did_not_converge_is_told_without_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "WARMUP", 5)
    monkeypatch.setattr(sampling, "DRAWS", 10)
    page = write(decided(3, 40), tmp_path / "out", ASKED, workers=1).read_text("utf-8")
    found = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["bayes"]
    assert found["reason"].startswith("the sampler did not converge")
    assert found["diagnostics"]["attempts"] == 2
    assert "new_readers" not in found
    assert "<strong>No numbers.</strong>" in page
    assert found["reason"] in page
    assert "Bayesian model" not in (tmp_path / "out" / "findings.txt").read_text("utf-8")


def test_a_study_that_is_too_small_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    responses = tmp_path / "few.csv"
    rows = [f"{r},c{c},{('real', 'synthetic')[c % 2]},{1 + c % 5}" for r in ("Ada", "Ben") for c in range(16)]
    responses.write_text("\n".join(["reader,case,truth,level", *rows]), encoding="utf-8")
    assert main(["--responses", str(responses), "--bayes", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "readers: the Bayesian model needs 3 or more" in said
    assert "Ada: 8 answers on real cases; the Bayesian model needs 10 or more per reader" in said
    assert [path.name for path in tmp_path.iterdir()] == ["few.csv"]


def test_another_design_is_refused() -> None:
    with pytest.raises(ValueError, match="is for rating studies with one image per trial, this is a quartet"):
        bayes.check(load_frame(quartets.study()))
