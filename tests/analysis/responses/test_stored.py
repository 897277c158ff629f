"""Responses as files give the same responses back, of every design, with marks and with a detector."""

import json

import pandas as pd
import pytest

from analysis.report import EXAMPLE
from analysis.responses import ResponsesError, load_csv, load_frame, load_ratings, stored
from analysis.responses.marks import with_marks
from tests.analysis import comparisons, marked, quartets, staircases


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.table, other.table, check_dtype=False)
    assert (one.study, one.origin, one.detector) == (other.study, other.origin, other.detector)
    assert one.cases == other.cases
    assert (one.marks is None) == (other.marks is None)


@pytest.mark.parametrize("made", [quartets.study, staircases.study, comparisons.study])
def test_every_design_comes_back_as_it_was(made):
    found = load_frame(made() if made is not comparisons.study else comparisons.study())
    assert_same(stored.unpack(stored.pack(found)), found)


def test_the_published_ratings_come_back_as_they_were():
    found = load_ratings(EXAMPLE)
    assert_same(stored.unpack(stored.pack(found)), found)


def test_text_that_a_spreadsheet_would_run_and_odd_letters_come_back(tmp_path):
    rows = [
        "reader,case,truth,level,reader_group",
        '"=1+1","c,1",real,1,"Ærø ""A"""',
        '"=1+1",c2,synthetic,,"Ærø ""A"""',
    ]
    (tmp_path / "odd.csv").write_text("\n".join(rows), encoding="utf-8")
    found = load_csv(tmp_path / "odd.csv")
    again = stored.unpack(stored.pack(found))
    assert_same(again, found)
    assert again.readers == ["=1+1"]


def test_marks_and_known_faults_come_back_as_they_were(tmp_path):
    files = marked.study(tmp_path)
    found = with_marks(load_csv(files.responses), files.marks, files.faults)
    again = stored.unpack(stored.pack(found))
    assert_same(again, found)
    for part in ("table", "steps", "faults"):
        pd.testing.assert_frame_equal(getattr(again.marks, part), getattr(found.marks, part), check_dtype=False)
    assert (again.marks.aspect, again.marks.known_size) == (found.marks.aspect, found.marks.known_size)


def test_a_file_that_is_missing_or_is_none_of_ours_is_named():
    files = stored.pack(load_ratings(EXAMPLE))
    with pytest.raises(ResponsesError, match=r"responses\.csv: is missing"):
        stored.unpack({stored.ABOUT: files[stored.ABOUT]})
    with pytest.raises(ResponsesError, match=r"responses\.json: was not written by a report"):
        stored.unpack(files | {stored.ABOUT: json.dumps(["study"]).encode()})
