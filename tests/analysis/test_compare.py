"""Two studies side by side: the same readers, each compared with himself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.compare import compare, main
from analysis.report import EXAMPLE
from analysis.responses import Responses, ResponsesError, load_csv, load_ratings
from analysis.statistics import mrmc


@pytest.fixture(scope="module")
def study() -> Responses:
    return load_ratings(EXAMPLE)


def worse(study: Responses, folder: Path, readers: tuple[str, ...] = ("EC1", "EC2", "EP1", "EP2")) -> Path:
    """The same readers on images that fool them more often: every third synthetic case is called surely real."""
    lines = ["reader,case,truth,level"]
    for name, levels in zip(study.readers, study.matrix("level"), strict=True):
        for i, (case, level, truth) in enumerate(zip(study.case_names, levels, study.truth, strict=True)):
            if name in readers:
                said = 1 if truth and i % 3 == 0 else int(level)
                lines.append(f"{name},{case},{'synthetic' if truth else 'real'},{said}")
    path = folder / "worse.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_study_does_not_differ_from_itself(study: Responses) -> None:
    found = compare(study, study, same_cases=True)
    for figure in found["figures"].values():
        assert figure["difference"]["value"] == pytest.approx(0, abs=1e-12)
        assert figure["first"]["value"] == pytest.approx(figure["second"]["value"])
    assert found["cases"] == {"first": 200, "second": 200, "both": 200}


def test_better_images_lower_the_figures_of_the_readers_of_both(study: Responses, tmp_path: Path) -> None:
    found = compare(study, load_csv(worse(study, tmp_path)))
    assert found["readers"] == ["EC1", "EC2", "EP1", "EP2"]
    assert found["left_out"] == {"first": ["EC3", "EP3"], "second": []}
    auc = found["figures"]["auc"]
    assert auc["difference"]["value"] == pytest.approx(auc["first"]["value"] - auc["second"]["value"])
    assert auc["difference"]["ci"][0] > 0
    assert auc["over_readers"][0]["value"] == pytest.approx(auc["difference"]["value"])
    rows = [study.readers.index(name) for name in found["readers"]]
    alone = mrmc.ustatistics(study.matrix("level")[rows], study.truth)
    assert auc["first"]["value"] == pytest.approx(alone.value)
    assert auc["first"]["se"] == pytest.approx(alone.se)


def test_common_cases_narrow_the_interval(study: Responses, tmp_path: Path) -> None:
    second = load_csv(worse(study, tmp_path))
    apart, paired = (compare(study, second, same_cases=same)["figures"]["auc"]["difference"] for same in (False, True))
    assert paired["value"] == pytest.approx(apart["value"])
    assert np.diff(paired["ci"]) < np.diff(apart["ci"])


def test_without_a_common_reader_the_reason_is_said(study: Responses, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("case,truth,X1\nc1,real,1\nc2,synthetic,5\n")
    found = compare(study, load_ratings(tmp_path / "r.csv"))
    assert found["readers"] == []
    assert found["figures"]["auc"]["difference"] == {"value": None, "reason": "no reader took both studies"}


def test_a_common_case_of_another_truth_is_refused(study: Responses, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("case,truth,EC1\n1,synthetic,1\n2,synthetic,5\n")
    second = load_ratings(tmp_path / "r.csv")
    with pytest.raises(ResponsesError, match="case '1' has a different truth"):
        compare(study, second, same_cases=True)
    compare(study, second)


def test_the_command_prints_json_or_every_fault(
    study: Responses, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(worse(study, tmp_path))
    assert main([path, path, "--same-cases"]) == 0
    assert json.loads(capsys.readouterr().out)["cases"]["both"] == 200
    assert main([path, str(tmp_path / "none.csv")]) == 2
    assert "cannot be read" in capsys.readouterr().err
