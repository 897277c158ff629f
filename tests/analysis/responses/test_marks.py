"""Marks and known faults with the responses: from files, an export and a database; and problems in them."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from analysis.responses import ResponsesError, load_csv
from analysis.responses.database import load_database
from analysis.responses.exported import load_export
from analysis.responses.marks import FAULTS, MARKS, with_marks
from tests.analysis.marked import HEADER, study, write


def test_marks_join_the_answers_and_practice_stays_out(tmp_path: Path) -> None:
    files = study(tmp_path)
    found = with_marks(load_csv(files.responses), files.marks, files.faults)
    marks = found.marks
    assert marks is not None
    assert "practice" not in set(marks.steps["trial"])
    assert set(marks.table["answer"]) == {"synthetic"}  # by the level, where the file does not say it
    assert marks.table["level"].between(4, 5).all()
    assert set(marks.table["group"]) == {"new", "old"}
    assert set(marks.table[marks.table["truth"] == 1]["source"]) == {"lab"}
    assert marks.faults is not None
    assert len(marks.faults) == 6
    assert (marks.aspect, marks.known_size) == (2.0, True)
    rows = list(csv.DictReader(files.marks.read_text().splitlines()))
    assert len(marks.table) == sum(row["mark"] != "0" for row in rows) - 1
    assert (marks.steps["outcome"] == "nothing").sum() == sum(row["mark"] == "0" for row in rows)
    assert set(found.origin["files"]) == {"responses.csv", "marks.csv", "faults.json"}


def test_groups_given_later_hold_for_the_marks_too(tmp_path: Path) -> None:
    files = study(tmp_path)
    write(tmp_path / "groups.csv", ("reader", "group"), [(f"R{n}", "all") for n in range(1, 5)])
    found = with_marks(load_csv(files.responses), files.marks, None).with_groups(tmp_path / "groups.csv")
    assert found.marks is not None
    assert set(found.marks.table["group"]) == {"all"}


def test_marks_of_an_earlier_sitting_are_left_out(tmp_path: Path) -> None:
    columns = ("reader", "sitting", "trial", "case", "truth", "level")
    rows = [("R1", s, f"t{s}{c}", c, "synthetic", 5) for s in (1, 2) for c in ("a", "b")]
    responses = load_csv(write(tmp_path / "responses.csv", columns, rows))
    marks = [("R1", s, f"t{s}a", "a", 0.5, 0.5, "teeth") for s in (1, 2)]
    write(tmp_path / "marks.csv", ("reader", "sitting", "trial", "case", "x", "y", "reason"), marks)
    found = with_marks(responses, tmp_path / "marks.csv", None).marks
    assert found is not None
    assert len(found.table) == 1
    assert found.steps["trial"].tolist() == ["t2a"]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    files = study(tmp_path)
    rows = [
        ("R9", "t", "c2", 1, 0.5, 0.5, "teeth", "", "marked", 0),
        ("R1", "t", "c99", 1, 1.5, "left", "", 9, "maybe", 0),
    ]
    write(tmp_path / "marks.csv", HEADER, rows)
    columns = ("case", "kind", "x", "y", "rx", "ry", "angle")
    faults = write(
        tmp_path / "faults.csv", columns, [("c2", "", 2, 0.5, 0, 0.1, 400), ("c1", "a", 0.5, 0.5, 0.1, 0.1, "")]
    )
    with pytest.raises(ResponsesError) as refused:
        with_marks(load_csv(files.responses), tmp_path / "marks.csv", faults)
    assert refused.value.faults == [
        "marks.csv, row 2: reader 'R9' is not in the responses",
        "marks.csv, row 3: outcome 'maybe'; expected marked, nothing, skipped",
        "marks.csv, row 3: case 'c99' is not in the responses",
        "marks.csv, row 3: x '1.5'; expected a number from 0 to 1",
        "marks.csv, row 3: y 'left'; expected a number from 0 to 1",
        "marks.csv, row 3: reason is empty",
        "marks.csv, row 3: rating '9'; expected 1 to 5, or nothing",
        "faults.csv, row 2: x '2'; expected a number from 0 to 1",
        "faults.csv, row 2: rx '0'; expected a number above 0, up to 1",
        "faults.csv, row 2: angle '400'; expected a number from -360 to 360",
        "faults.csv, row 2: kind is empty",
        "faults.csv, row 3: case 'c1' is real; only synthetic images have faults",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not a faults.json"),
        ('{"format": 1, "faults": {"zz": [{"kind": "a", "x": 0, "y": 0, "rx": 1, "ry": 1, "angle": 0}]}}', "none of"),
    ],
)
def test_a_file_of_faults_that_does_not_fit_is_refused(tmp_path: Path, text: str, said: str) -> None:
    files = study(tmp_path)
    files.faults.write_text(text)
    with pytest.raises(ResponsesError, match=said):
        with_marks(load_csv(files.responses), files.marks, files.faults)


def test_faults_without_marks_and_a_missing_column_are_refused(tmp_path: Path) -> None:
    files = study(tmp_path)
    with pytest.raises(ResponsesError, match="compared with marks, but there are no marks"):
        with_marks(load_csv(files.responses), None, files.faults)
    write(tmp_path / "marks.csv", ("reader", "x", "y"), [("R1", 0.5, 0.5)])
    with pytest.raises(ResponsesError) as refused:
        with_marks(load_csv(files.responses), tmp_path / "marks.csv", None)
    assert refused.value.faults == [f"marks.csv: column {name!r} is missing" for name in ("case", "reason")]


def exported(tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Marks and faults with the columns that the desk gives them."""
    files = study(tmp_path)
    marks = pd.read_csv(files.marks, dtype=str, keep_default_na=False).reindex(columns=MARKS, fill_value="")
    known = json.loads(files.faults.read_text())["faults"]
    faults = pd.DataFrame([{"case": case, **fault} for case, own in known.items() for fault in own])
    return marks, faults.reindex(columns=[c for c in FAULTS if c not in ("width", "height")], fill_value="")


@pytest.mark.parametrize("zipped", [False, True])
def test_an_export_brings_its_marks_and_faults(tmp_path: Path, zipped: bool) -> None:
    marks, faults = exported(tmp_path)
    marks.to_csv(tmp_path / "marks.csv", index=False)
    faults.to_csv(tmp_path / "faults.csv", index=False)
    write(tmp_path / "cases.csv", ("case", "width", "height"), [("c1", 100, 80)])
    source = tmp_path
    if zipped:
        source = tmp_path / "export.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name in ("responses.csv", "marks.csv", "faults.csv", "cases.csv"):
                archive.write(tmp_path / name, f"study/{name}")
    found = load_export(source).marks
    assert found is not None
    assert found.faults is not None
    assert len(found.faults) == 6
    assert (found.aspect, found.known_size) == (1.25, True)


def test_a_database_brings_its_marks_and_an_older_one_none(tmp_path: Path) -> None:
    marks, faults = exported(tmp_path)
    url = f"sqlite:///{tmp_path / 'study.sqlite'}"
    rows = pd.read_csv(tmp_path / "responses.csv", dtype=str, keep_default_na=False)
    from analysis.responses import COLUMNS

    for with_views in (False, True):
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            for name, table in (("responses", rows), ("marks", marks), ("faults", faults)):
                if name == "responses" or with_views:
                    columns = COLUMNS if name == "responses" else list(table.columns)
                    shown = table.reindex(columns=columns, fill_value="").assign(study="demo")
                    shown.replace("", None).to_sql(name, connection, index=False, if_exists="replace")
        engine.dispose()
        found = load_database(url, "demo").marks
        assert (found is not None) is with_views
    assert found is not None
    assert found.faults is not None
    assert (len(found.faults), found.known_size) == (6, False)
    assert "practice" not in set(found.steps["trial"])
