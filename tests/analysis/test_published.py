"""The table of published visual Turing tests, tables like it, and a study's place among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.published import SCALES, TABLE, load, place
from analysis.responses import ResponsesError


def written(folder: Path, text: str) -> Path:
    path = folder / "studies.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_table_is_sound_and_says_how_its_figures_were_checked():
    studies = load(TABLE)
    assert len(studies) >= 15
    for one in studies:
        assert one.checked in ("twice", "partly", "no")
        assert one.sources
        if one.checked == "twice":
            assert one.sources.count(";") >= 1, f"{one.study}: two places"
            assert one.figure is not None
            assert one.doi
        if one.checked == "no":
            assert one.figure is None, f"{one.study}: a figure that was not found twice is left blank"
        if one.checked != "twice" or None in (one.readers, one.real, one.synthetic):
            assert "blank" in one.note or one.scale == "classes", f"{one.study}: the note says what could not be had"


def test_counts_of_right_answers_make_the_published_share():
    park = next(one for one in load() if one.study == "Park 2021")
    assert park.figure == pytest.approx(1781 / 3000)
    assert park.asked == 3000


def test_a_study_has_its_place_among_tests_on_its_scale_alone():
    studies = load()
    alike = sorted(one.figure for one in studies if one.scale == "accuracy" and one.figure is not None)
    found = place(alike[3] + 1e-9, (alike[1], alike[5]), "A study")
    assert found["comparable"] == len(alike)
    assert (found["below"], found["at_least"], found["inside"]) == (4, len(alike) - 4, 5)
    other = {line["study"]: line["reason"] for line in found["studies"] if not line["comparable"]}
    assert other["Barr 2025"] == f"another scale: {SCALES['choice']}"
    assert other["Fukuda 2024"] == "accuracy not found in two places"


def test_a_published_study_is_not_set_beside_itself():
    assert place(0.68, None, "The published PanoDiff-SR observer study")["itself"] == ["PanoDiff-SR 2025"]
    assert place(0.68, None, "Clinical park linear kim")["itself"] == []
    assert place(0.68, None, "")["inside"] is None


def test_without_an_accuracy_there_is_no_place():
    assert place(None, None, "A study")["reason"] == "the study's accuracy is undefined"


def test_a_table_with_a_readers_figures_is_read(tmp_path):
    path = written(tmp_path, "study,year,scale,readers,by_reader,kind\nOurs,2026,accuracy,2,0.5;0.7,diffusion\n")
    (found,) = load(path)
    assert (found.figure, found.by_reader, found.kind) == (pytest.approx(0.6), (0.5, 0.7), "diffusion")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("study,year\nA,2020\n", "no column scale"),
        ("study,year,scale\n", "contains no study"),
        ("study,year,scale\nA,2020,accuracy\nA,2021,accuracy\n", "'A' is listed twice"),
        ("study,year,scale\nA,20,accuracy\n", "row 2, year: expected a year"),
        ("study,year,scale\nA,2020,percent\n", "row 2, scale: expected one of accuracy, auc"),
        ("study,year,scale,value\nA,2020,accuracy,68.5\n", "row 2, value: expected a number from 0 to 1, got '68.5'"),
        ("study,year,scale,value,low\nA,2020,accuracy,.6,.5\n", "low and high must be given together"),
        ("study,year,scale,value,low,high\nA,2020,accuracy,.6,.7,.8\n", "low: expected not above the value"),
        ("study,year,scale,readers\nA,2020,accuracy,six\n", "row 2, readers: expected a whole number, got 'six'"),
        ("study,year,scale,readers,by_reader\nA,2020,accuracy,3,.5;.6\n", "by_reader: expected 3 figures"),
        ("study,year,scale,readers,real,correct_real\nA,2020,accuracy,2,10,21\n", "at most readers times images"),
    ],
)
def test_a_faulty_table_is_refused_by_row_and_column(tmp_path, text, said):
    with pytest.raises(ResponsesError, match=said.replace("(", r"\(")):
        load(written(tmp_path, text))


def test_all_faults_of_a_table_are_named_at_once(tmp_path):
    with pytest.raises(ResponsesError) as refused:
        load(written(tmp_path, "study,year,scale,value\n,2020,accuracy,2\nB,x,what,.5\n"))
    assert len(refused.value.faults) == 4


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ResponsesError, match="cannot be read"):
        load(tmp_path / "none.csv")
