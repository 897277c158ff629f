"""Loading: every source gives the same table, and a faulty one says all its faults at once."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from analysis.responses import COLUMNS, ResponsesError, load_csv, load_panodiff, load_ratings, natural
from analysis.responses.database import load_database

ROW = dict.fromkeys(COLUMNS, "") | {
    "study": "demo",
    "design": "rating",
    "sitting": "1",
    "is_training": "0",
    "is_repeat": "0",
    "late": "0",
}


def answer(reader: str, case: str, truth: str, level: int, **more: object) -> dict[str, str]:
    """One row of the responses with answer and certainty that go with the level."""
    said = "unsure" if level == 3 else "synthetic" if level > 3 else "real"
    certainty = "" if level == 3 else "full" if level in (1, 5) else "partial"
    row = {"reader": reader, "case": case, "truth": truth, "level": level, "answer": said, "certainty": certainty}
    return ROW | {name: str(value) for name, value in (row | more).items()}


def study() -> list[dict[str, str]]:
    """Two readers, four cases; practice, a repeat and an earlier sitting besides."""
    truths = {"c1": "real", "c2": "synthetic", "c10": "synthetic", "c3": "real"}
    rows = [
        answer(reader, case, truth, level, position=place, trial=f"{reader}-{case}", reader_group=reader[:2])
        for reader, levels in (("EC1", (1, 5, 4, 3)), ("EP1", (2, 4, 2, 1)))
        for place, ((case, truth), level) in enumerate(zip(truths.items(), levels, strict=True), start=1)
    ]
    rows.append(answer("EC1", "p1", "real", 5, is_training=1, position=1, reader_group="EC"))
    rows.append(answer("EC1", "c1", "real", 2, is_repeat=1, position=9, reader_group="EC"))
    return rows


def write(path: Path, rows: list[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def faults(load: object, *arguments: object) -> list[str]:
    with pytest.raises(ResponsesError) as caught:
        load(*arguments)  # type: ignore[operator]
    return caught.value.faults


def database(path: Path, rows: list[dict[str, str]]) -> str:
    """A database with a `responses` view typed as the application's, and a study table."""
    url = f"sqlite:///{path}"
    engine = sa.create_engine(url)
    numbers = {"sitting", "position", "block", "is_training", "is_repeat", "late", "level", "response_ms"}
    with engine.begin() as connection:
        columns = [sa.Column(c, sa.Integer if c in numbers else sa.Text) for c in COLUMNS]
        table = sa.Table("answers", sa.MetaData(), *columns)
        table.create(connection)
        typed = [{c: (int(v) if c in numbers else v) if v != "" else None for c, v in row.items()} for row in rows]
        connection.execute(table.insert(), typed)
        connection.execute(sa.text("CREATE VIEW responses AS SELECT * FROM answers"))
        connection.execute(sa.text("CREATE TABLE study (slug TEXT, title TEXT, state TEXT, settings TEXT)"))
        values = """('demo', 'The demonstration', 'closed', '{"cases": 4}')"""
        connection.execute(sa.text(f"INSERT INTO study VALUES {values}"))
    engine.dispose()
    return url


def test_csv_and_database_give_the_same_readings(tmp_path: Path) -> None:
    from_file = load_csv(write(tmp_path / "responses.csv", study()))
    from_database = load_database(database(tmp_path / "study.sqlite", study()), "demo")
    for loaded in (from_file, from_database):
        assert loaded.readers == ["EC1", "EP1"]
        assert loaded.case_names == ["c1", "c2", "c3", "c10"]
        assert loaded.truth.tolist() == [0, 1, 0, 1]
        np.testing.assert_array_equal(loaded.matrix("level"), [[1, 5, 3, 4], [2, 4, 1, 2]])
        assert loaded.groups == {"EC1": "EC", "EP1": "EP"}
    assert from_database.study["title"] == "The demonstration"
    assert from_database.study["settings"] == {"cases": 4}


def test_an_unanswered_case_is_missing_not_wrong(tmp_path: Path) -> None:
    rows = [row | ({"level": "", "answer": "", "certainty": ""} if row["case"] == "c2" else {}) for row in study()]
    loaded = load_csv(write(tmp_path / "responses.csv", rows))
    assert np.isnan(loaded.matrix("level")[:, loaded.case_names.index("c2")]).all()


def test_only_the_latest_sitting_of_a_reader_who_began_anew_counts(tmp_path: Path) -> None:
    again = [row | {"sitting": "2", "level": "5", "answer": "synthetic", "certainty": "full"} for row in study()[:2]]
    loaded = load_csv(write(tmp_path / "responses.csv", study() + again))
    assert loaded.matrix("level")[0].tolist()[:2] == [5, 5]
    assert np.isnan(loaded.matrix("level")[0][2:]).all()


def test_semicolons_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    loaded = load_csv(write(tmp_path / "responses.csv", study(), delimiter=";", encoding="utf-8-sig"))
    assert loaded.matrix("level").shape == (2, 4)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name not in ("truth", "level")} for row in study()]
    assert faults(load_csv, write(tmp_path / "r.csv", rows)) == [
        "r.csv: column 'truth' is missing",
        "r.csv: column 'level' is missing",
    ]


def test_every_fault_of_a_file_is_listed_with_its_row(tmp_path: Path) -> None:
    rows = study()
    rows[0]["level"], rows[1]["truth"], rows[2]["reader"] = "6", "fake", ""
    rows[3]["response_ms"], rows[4]["late"], rows[5]["answer"] = "soon", "perhaps", "real"
    found = faults(load_csv, write(tmp_path / "r.csv", rows))
    assert found == [
        "r.csv, row 2: level '6'; expected 1 to 5, or empty",
        "r.csv, row 3: truth 'fake'; expected real or synthetic",
        "r.csv, row 4: reader is empty",
        "r.csv, row 5: response_ms 'soon'; expected a number or nothing",
        "r.csv, row 6: late 'perhaps'; expected true or false",
        "r.csv, row 7: level 4 does not match answer real partial",
    ]


def test_a_reader_who_answered_a_case_twice_is_refused(tmp_path: Path) -> None:
    found = faults(load_csv, write(tmp_path / "r.csv", [*study(), study()[0]]))
    assert found == ["r.csv, row 12: reader 'EC1' answered case 'c1' twice, first in r.csv, row 2"]


def test_a_case_of_two_truths_and_a_reader_of_two_groups_are_refused(tmp_path: Path) -> None:
    rows = study()
    rows[4]["truth"], rows[5]["reader_group"] = "synthetic", "XX"
    assert faults(load_csv, write(tmp_path / "r.csv", rows)) == [
        "r.csv, row 6: case 'c1' has a different truth in an earlier row",
        "r.csv, row 7: reader 'EP1' has a different reader group in an earlier row",
    ]


def test_two_studies_in_one_file_are_refused(tmp_path: Path) -> None:
    rows = study()
    rows[0]["study"] = "other"
    assert faults(load_csv, write(tmp_path / "r.csv", rows)) == ["r.csv: more than one study: other, demo"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "r.csv: the file is empty"),
        (b"reader,case,truth,level\n", "r.csv: it contains no responses"),
        (
            "reader,case,truth,level\nИванов,c1,real,1\n".encode("cp1251"),
            "r.csv: not UTF-8 text (byte 24): it could be Windows-1251 (Cyrillic) or Windows-1253 (Greek) or "
            "GB 18030 (Chinese) or CP949 (Korean); save it as CSV UTF-8",
        ),
        (b"reader,case,truth,level\nA,c1,real\n", "r.csv, row 2: 3 fields, but the header has 4"),
        (b"reader,case,case,truth,level\nA,c1,c1,real,1\n", "r.csv: column 'case' occurs twice"),
    ],
)
def test_a_file_that_is_no_table_of_responses_says_so(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    assert faults(load_csv, path) == [fault]


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert "cannot be read" in faults(load_csv, tmp_path / "none.csv")[0]


def test_the_published_export_is_read_whole(shared: Path) -> None:
    folder = shared / "data" / "panodiff_observer_study"
    loaded = load_panodiff(folder / "submissions.csv", folder / "image_labels.csv")
    levels = loaded.matrix("level")
    assert loaded.readers == ["EC1", "EC2", "EC3", "EP1", "EP2", "EP3"]
    assert levels.shape == (6, 200)
    assert not np.isnan(levels).any()
    assert (levels == 3).sum(axis=1).tolist() == [48, 6, 44, 40, 0, 19]  # FACTS.md: unsure answers
    assert int(loaded.truth.sum()) == 100
    assert len(loaded.cases) == 201  # the warm-up has a label and no answers
    assert sorted(loaded.matrix("position")[0]) == list(range(2, 202))
    assert set(loaded.groups.values()) == {"EC", "EP"}


def test_an_export_of_the_quiz_without_labels_asks_for_them(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("User Name,File,RealFakeValueSlider\nEC1,a.png,Unsure\n")
    assert "needs its image labels too" in faults(load_csv, tmp_path / "s.csv")[0]


def test_faults_of_both_files_of_the_export_are_listed_together(tmp_path: Path) -> None:
    responses, labels = tmp_path / "s.csv", tmp_path / "l.csv"
    responses.write_text(
        "User Name,File,RealFakeValueSlider\n"
        "EC1,a.png,Probably Fake\nEC1,a.png,Unsure\nEC1,b.png,Maybe\nEC2,c.png,Unsure\n"
    )
    labels.write_text("Filename,Label\na.png,Real\nb.png,Genuine\n")
    found = faults(load_panodiff, responses, labels)
    assert found == [
        "l.csv, row 3: label 'Genuine' of image 'b.png'; expected Real or Fake",
        "s.csv, row 4: level 'Maybe'; expected one of "
        "Definitely Real, Probably Real, Unsure, Probably Fake, Definitely Fake",
        "s.csv, row 5: image 'c.png' has no label in l.csv",
        "s.csv, row 3: reader 'EC1' answered case 'a.png' twice, first in s.csv, row 2",
    ]


def test_the_groups_file_replaces_the_groups_and_must_name_every_reader(tmp_path: Path) -> None:
    loaded = load_csv(write(tmp_path / "r.csv", study()))
    path = tmp_path / "g.csv"
    path.write_text("reader,group\nEC1,dentist\nEP1,radiologist\n")
    assert loaded.with_groups(path).groups == {"EC1": "dentist", "EP1": "radiologist"}
    path.write_text("reader,group\nEC1,dentist\nEC1,dentist\nZZ,dentist\n")
    assert faults(loaded.with_groups, path) == [
        "g.csv, row 3: reader 'EC1' is listed twice",
        "g.csv, row 4: reader 'ZZ' is not in the responses",
        "g.csv: reader 'EP1' has no row",
    ]


def test_a_database_that_cannot_serve_says_why(tmp_path: Path) -> None:
    assert "there is no such file" in faults(load_database, f"sqlite:///{tmp_path / 'none.sqlite'}", "demo")[0]
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "empty.sqlite").touch()
    assert "no `responses` view" in faults(load_database, f"sqlite:///{tmp_path / 'empty.sqlite'}", "demo")[0]
    url = database(tmp_path / "study.sqlite", study())
    assert faults(load_database, url, "other") == [f"{url}: there is no study 'other'; studies with responses: demo"]
    (tmp_path / "text.sqlite").write_text("this is no database, and long enough to be seen as none" * 40)
    assert "file is not a database" in faults(load_database, f"sqlite:///{tmp_path / 'text.sqlite'}", "demo")[0]


def test_the_plain_table_of_ratings_takes_groups_from_the_names(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("case,truth,EC1,EP1\n1,real,1,2\n2,synthetic,5,\n")
    loaded = load_ratings(path)
    np.testing.assert_array_equal(loaded.matrix("level"), [[1, 5], [2, np.nan]])
    assert loaded.groups == {"EC1": "EC", "EP1": "EP"}


def test_names_sort_by_their_numbers() -> None:
    assert sorted(["R10", "R2", "R1", "A9"], key=natural) == ["A9", "R1", "R2", "R10"]
    assert sorted(["case²", "case10", "case2"], key=natural) == ["case2", "case10", "case²"]  # ² is no number


def test_years_of_experience_come_with_the_groups(tmp_path: Path) -> None:
    loaded = load_csv(write(tmp_path / "responses.csv", study()))
    path = tmp_path / "groups.csv"
    path.write_text("reader,group,years\nEC1,EC,4.5\nEP1,EP,\n")
    assert loaded.with_groups(path).study["years"] == {"EC1": 4.5}
    path.write_text("reader,group,years\nEC1,EC,-1\nEP1,EP,many\n")
    assert faults(loaded.with_groups, path) == [
        "groups.csv, row 2: years '-1'; expected a number of 0 or more, or nothing",
        "groups.csv, row 3: years 'many'; expected a number of 0 or more, or nothing",
    ]


def test_a_detectors_scores_are_found_by_case_and_bad_ones_refused(tmp_path: Path) -> None:
    loaded = load_csv(write(tmp_path / "responses.csv", study()))
    path = tmp_path / "detector.csv"
    path.write_text("case,truth,value\nc1,real,0.25\nc2,synthetic,0.75\nelsewhere,real,0.5\n")
    with_scores = loaded.with_detector(path)
    assert (with_scores.detector["c1"], with_scores.detector["c2"]) == (0.25, 0.75)
    assert "detector.csv" in with_scores.origin["files"]
    path.write_text("case,value\nc1,high\nc2,1\nc2,1\n")
    assert faults(loaded.with_detector, path) == [
        "detector.csv, row 2: value 'high'; expected a number",
        "detector.csv, row 4: case 'c2' is listed twice",
    ]
    path.write_text("case,value\nelsewhere,1\n")
    assert faults(loaded.with_detector, path) == ["detector.csv: has none of the study's cases"]


def test_what_was_not_recorded_is_not_taken_for_no(tmp_path: Path) -> None:
    rows = [row | {"late": "", "windowed": ""} for row in study()]
    unknown = load_csv(write(tmp_path / "responses.csv", rows)).table
    assert unknown["late"].isna().all()
    assert unknown["windowed"].isna().all()
    rows[0]["windowed"] = "0"
    known = load_csv(write(tmp_path / "responses.csv", rows)).table
    assert not known["windowed"].any()
