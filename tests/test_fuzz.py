"""A part of the fuzz run (benchmarks/fuzz.py), and files that earlier runs found, each as a separate case."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from analysis.responses import ResponsesError, load_csv, load_panodiff, workbooks
from tests import fuzzing


@pytest.mark.parametrize(("kind", "number"), [("image", 150), ("table", 60), ("archive", 6), ("pool", 10)])
def test_of_a_spoilt_file_comes_its_value_or_the_readers_own_error(kind: str, number: int) -> None:
    wrong = {
        seed: found
        for seed, found in fuzzing.outcomes(kind, range(number))
        if found not in (fuzzing.VALUE, fuzzing.REFUSED, fuzzing.LOST)
    }
    assert wrong == {}


def test_an_spss_file_with_a_name_that_is_none_is_refused() -> None:
    assert fuzzing.tried(51408, "table") in (fuzzing.VALUE, fuzzing.REFUSED)


def test_the_files_are_sound_before_they_are_spoilt(monkeypatch: pytest.MonkeyPatch) -> None:
    for change in ("spoilt", "repacked"):
        monkeypatch.setattr(fuzzing, change, lambda data, *_, **__: data)
    assert {fuzzing.tried(seed, kind) for kind in ("image", "table") for seed in range(25)} == {fuzzing.VALUE}
    assert fuzzing.tried(0, "archive") == fuzzing.VALUE


@pytest.mark.parametrize("member", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "[Content_Types].xml"])
def test_a_workbook_that_is_no_xml_within_is_refused_by_name(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(io.BytesIO(fuzzing.xlsx())) as book, zipfile.ZipFile(tmp_path / "r.xlsx", "w") as spoilt:
        for name in book.namelist():
            spoilt.writestr(name, b"<a><b" if name == member else book.read(name))
    with pytest.raises(ResponsesError, match=r"r\.xlsx: cannot be read as an Excel workbook"):
        load_csv(tmp_path / "r.xlsx")


def test_an_spss_file_that_brings_its_reader_down_is_refused_by_name(tmp_path, monkeypatch) -> None:
    pytest.importorskip("pyreadstat")
    for seed in (311, 350):  # of 400, those that end pyreadstat 1.3 by signal 11
        spoilt = fuzzing.spoilt(fuzzing.sav(), np.random.Generator(np.random.PCG64(seed)))
        (tmp_path / "r.sav").write_bytes(spoilt)
        with pytest.raises(ResponsesError, match=r"r\.sav: cannot be read as an SPSS file"):
            load_csv(tmp_path / "r.sav")
    monkeypatch.setattr(workbooks, "READ_SPSS", "import os; os.kill(os.getpid(), 11)")  # what any other file may do
    with pytest.raises(
        ResponsesError, match=r"r\.sav: cannot be read as an SPSS file \(it crashes the program that reads it\)"
    ):
        load_csv(tmp_path / "r.sav")


def test_a_progress_that_is_no_share_is_no_position(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("Filename,Label\n1.png,Real\n2.png,Fake\n")
    (tmp_path / "r.csv").write_text(
        "User Name,File,RealFakeValueSlider,Progress Value\n"
        "EC1,1.png,Unsure,Progress: 1.2.3 %\nEC1,2.png,Unsure,Progress: 100%\n"
    )
    assert load_panodiff(tmp_path / "r.csv", tmp_path / "l.csv").table["position"].tolist()[1] == 2
